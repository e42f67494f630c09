/** Blocks made here, read by the real engine: what protobufjs sees in a request is what ClickHouse gives back. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import * as fc from "fast-check";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { migrate } from "@callchain/schemas/clickhouse/migrate.ts";
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";
import { parseSpanRow, SPAN_SELECT } from "@callchain/schemas/clickhouse/rows.ts";
import { SPAN_COLUMNS } from "@callchain/schemas/clickhouse/spans-table.ts";
import { encodeTraces } from "@callchain/schemas/otlp/export.ts";
import { Lifecycle } from "@callchain/schemas/runtime/lifecycle.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { buildCorpus } from "../bench/corpus.ts";
import { readBlock } from "../native/block-reader.ts";
import { encodeWithProtobufjs, expectRows, exportRequest, readRow } from "../native/oracle.ts";
import { startClickHouse } from "../support/clickhouse.ts";

const COLUMNS = SPAN_COLUMNS.map(([name]) => name).join(", ");
const log = openLog("test", "silent");
const parts = new Lifecycle(log);
let database: SpanDatabase;

before(async () => {
  const engine = parts.add("engine", await startClickHouse());
  database = engine.open("writer");
  parts.add("database", { stop: () => database.close() });
  await migrate(database, log, { database: engine.database });
});

after(() => parts.stop());

async function store(partition: number, requests: readonly Uint8Array[]): Promise<void> {
  const block = new SpanBlock();
  for (const [index, value] of requests.entries()) block.append({ partition, offset: BigInt(index), value });
  await database.insert(`INSERT INTO spans (${COLUMNS}) FORMAT Native`, block.encode(20_000));
}

async function readNative(partition: number): Promise<ReturnType<typeof readBlock>> {
  const sql = `SELECT ${COLUMNS} FROM spans WHERE log_partition = ${partition} SETTINGS max_block_size = 1000000, max_threads = 1 FORMAT Native`;
  const chunks: Uint8Array[] = [];
  for await (const chunk of await database.stream(sql)) chunks.push(chunk);
  return readBlock(Buffer.concat(chunks));
}

/** A diff of thousands of rows takes all memory: tell the first that differs. */
function assertSame(actual: readonly string[], expected: readonly string[]): void {
  assert.equal(actual.length, expected.length);
  const at = actual.findIndex((row, index) => row !== expected[index]);
  assert.equal(actual[at], expected[at]);
}

/** Rows without their order, which the table's is not the request's. */
function unordered(rows: readonly unknown[]): string[] {
  return rows.map((row) => inspect(row, { depth: null, sorted: true, maxArrayLength: null, maxStringLength: null })).toSorted();
}

test("the table has the columns that the block sends, in name and type", async () => {
  const { rows } = await database.query<{ name: string; type: string }>(
    "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'spans'",
  );
  const types = new Map(rows.map(({ name, type }) => [name, type]));
  for (const [name, type] of SPAN_COLUMNS) assert.equal(types.get(name), type, name);
});

test("random requests come back from the engine, field by field", async () => {
  const requests = fc.sample(exportRequest, { numRuns: 400, seed: 42 }).map(encodeWithProtobufjs);
  await store(1, requests);
  assertSame(unordered((await readNative(1)).map(readRow)), unordered(requests.flatMap(expectRows)));
});

test("realistic requests come back from the engine", async () => {
  const requests = buildCorpus({ requestCount: 10, spansPerRequest: 512 });
  await store(2, requests);
  assertSame(unordered((await readNative(2)).map(readRow)), unordered(requests.flatMap(expectRows)));
});

test("a dictionary of more than 65,536 keys is read", async () => {
  const ids = { traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(2) };
  const spans = Array.from({ length: 70_000 }, (_, at) => ({ ...ids, name: `name ${at}`, startTimeUnixNano: String(at + 1) }));
  await store(3, [encodeWithProtobufjs({ resourceSpans: [{ scopeSpans: [{ spans }] }] })]);
  const sql =
    "SELECT uniqExact(name) AS names, countIf(name = concat('name ', toString(toUnixTimestamp64Nano(start) - 1))) AS right FROM spans WHERE log_partition = 3";
  const { rows } = await database.query(sql);
  assert.deepEqual(rows, [{ names: "70000", right: "70000" }]);
});

test("spans read as objects and sent out again are stored as the same rows", async () => {
  const { rows } = await database.query(`SELECT ${SPAN_SELECT} FROM spans WHERE log_partition = 1 ORDER BY log_offset`);
  await store(4, [encodeTraces(rows.map(parseSpanRow))]);
  // What was mended when it came in needs no mending again.
  const content = async (partition: number): Promise<string[]> =>
    unordered((await readNative(partition)).map((row) => readRow(new Map([...row, ["anomalies", 0]]))));
  assertSame(await content(4), await content(1));
});
