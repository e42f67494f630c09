/** Where many spans lie close together, the newest are found in a part of them: the same ones as of all, in whichever order they are stored. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { COUNTS_STRETCHES, STRETCH_SQL } from "@callchain/schemas/clickhouse/spans-table.ts";
import { NEWEST_FIRST } from "@callchain/query-api/store/newest.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { insertSpans, type SpanSeed } from "../support/span-rows.ts";

const SPAN_COUNT = 900_000;
const FROM_SECOND = 1_700_000_000;
const IN_ALL = { from: FROM_SECOND, to: FROM_SECOND + SPAN_COUNT / 1000 };

/** Half a million spans in ten minutes, three of a trace, 25 services. */
const FILL = `INSERT INTO spans
  (ingest_day, log_partition, log_offset, trace_id, span_id, start, duration_nano, service, name, kind, attr_word, attr_string)
  SELECT '2023-11-14', 0, intDiv(number, 1000), toFixedString(unhex(lpad(hex(intDiv(number, 3)), 32, '0')), 16),
    toFixedString(unhex(lpad(hex(number + 1), 16, '0')), 8), fromUnixTimestamp64Milli(toInt64(${FROM_SECOND}000 + number)),
    1000 * (number % 977), concat('s', toString(number % 25)), 'GET /', 2,
    map('http.request.method', multiIf(number < 2000 AND number % 10 = 0, 'TRACE', number % 5000 = 0, 'PATCH', 'GET')),
    map('user.id', concat('u', toString(number % 70000)), 'tenant', if(number < 500, 'old', 'new'), 'url.path', concat('/p/', toString(number % 30011)))
  FROM numbers(${SPAN_COUNT})`;

const TEXT = (key: string): string => `attr_string['${key}']`;
const QUESTIONS: Readonly<Record<string, string>> = {
  "{}": "1",
  "{ duration > 970us }": "duration_nano > 970000",
  '{ span.http.request.method = "GET" }': "attr_word['http.request.method'] = 'GET'",
  '{ span.http.request.method = "PATCH" }': "attr_word['http.request.method'] = 'PATCH'",
  '{ span.http.request.method = "TRACE" }': "attr_word['http.request.method'] = 'TRACE'",
  '{ span.user.id = "u17" }': `${TEXT("user.id")} = 'u17'`,
  '{ span.tenant = "new" && duration > 900us }': `${TEXT("tenant")} = 'new' AND duration_nano > 900000`,
  '{ span.tenant = "old" }': `${TEXT("tenant")} = 'old'`,
  '{ span.url.path =~ "/p/.*77" }': `match(${TEXT("url.path")}, '^/p/.*77$')`,
  '{ resource.service.name = "s3" && span.url.path =~ "/p/1[0-9]" }': `service = 's3' AND match(${TEXT("url.path")}, '^/p/1[0-9]$')`,
};
const PAGE = 20;

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
  await stack.writer.command(FILL);
});
after(() => stack.stop());

async function readPages(q: string, pageCount: number): Promise<string[]> {
  const found: string[] = [];
  for (let cursor: string | null = ""; cursor !== null && found.length < PAGE * pageCount;) {
    const { status, body } = await stack.ask("/traces", { ...IN_ALL, q, limit: PAGE, ...(cursor === "" ? {} : { cursor }) });
    assert.equal(status, 200, JSON.stringify(body));
    const answer = body as TraceSearchAnswer;
    assert.equal(answer.scan.partial, false);
    found.push(...answer.traces.map(({ traceId }) => traceId));
    cursor = answer.nextCursor;
  }
  return found;
}

async function findsTheNewest(): Promise<void> {
  for (const [q, where] of Object.entries(QUESTIONS)) {
    const { rows } = await stack.reader.query<{ id: string }>(
      `SELECT lower(hex(trace_id)) AS id FROM spans WHERE ${where} GROUP BY trace_id ORDER BY max(start) DESC, id DESC LIMIT ${3 * PAGE}`,
    );
    assert.deepEqual(
      await readPages(q, 3),
      rows.map(({ id }) => id),
      q,
    );
  }
}

async function explain(sql: string): Promise<string> {
  const { rows } = await stack.reader.query<{ explain: string }>(`EXPLAIN actions = 1, indexes = 1 ${sql}`);
  return rows.map((row) => row.explain).join("\n");
}

describe("spans by stretches of ten minutes, service and time", () => {
  it("are found newest first, page by page, whatever is asked", findsTheNewest);

  it("are read in their order, stretch by stretch, and counted so without being read", async () => {
    assert.match(await explain(`SELECT trace_id FROM spans ${NEWEST_FIRST} LIMIT 5`), /InReverseOrder/);
    const bounds = `${STRETCH_SQL} >= 0 AND ${STRETCH_SQL} < 100000000`;
    const { rows, scan } = await stack.reader.query<{ n: string }>(`SELECT count() AS n FROM spans WHERE ${bounds}`, {
      settings: COUNTS_STRETCHES,
    });
    assert.equal(rows[0]?.n, String(SPAN_COUNT));
    assert.ok(scan.rows < SPAN_COUNT / 10, `${scan.rows} rows were read`);
  });

  it("of a second and a service are few granules, by the order and the index on their start", async () => {
    const second = `start >= toDateTime64(${FROM_SECOND + 100}, 9) AND start < toDateTime64(${FROM_SECOND + 101}, 9)`;
    const plan = await explain(`SELECT name FROM spans WHERE ${second} AND service = 's3'`);
    const granules = [...plan.matchAll(/Granules: (\d+)\/\d+/g)].map(([, left]) => Number(left));
    assert.ok((granules.at(-1) ?? Infinity) <= 4, plan);
  });

  it("have names and values of the newest, and say so", async () => {
    const { body } = await stack.ask("/attributes/tenant/values", IN_ALL);
    const { values, scan } = body as { values: { value: string; spanCount: number }[]; scan: { partialReason: string } };
    assert.deepEqual(
      values.map(({ value }) => value),
      ["new"],
    );
    assert.match(scan.partialReason, /about 100000 of the newest spans/);
    const count = values[0]?.spanCount ?? 0;
    assert.ok(count > 50_000 && count < 200_000, `${count} spans`);
  });

  it("have the values of a name in every type that it has", async () => {
    const startNano = BigInt(FROM_SECOND - 86_400) * 1_000_000_000n;
    const seed = (id: string, rest: Pick<SpanSeed, "text" | "ints">): SpanSeed => ({
      trace: id,
      id,
      service: "s",
      startNano,
      ...rest,
    });
    const mixed = [seed("1", { text: { size: "7" } }), seed("2", { ints: { size: 7 } }), seed("3", { ints: { size: 7 } })];
    await insertSpans(stack.writer, mixed, { partition: 5, offset: 0 });
    const { body } = await stack.ask("/attributes/size/values", { from: FROM_SECOND - 90_000, to: FROM_SECOND - 80_000 });
    assert.deepEqual((body as { values: unknown }).values, [
      { value: "7", type: "int", spanCount: 2 },
      { value: "7", type: "string", spanCount: 1 },
    ]);
  });

  it("of a database from before, in the order of time alone, are found as well", async () => {
    await stack.writer.command("CREATE TABLE spans_by_time AS spans ENGINE = MergeTree PARTITION BY ingest_day ORDER BY start");
    await stack.writer.command("INSERT INTO spans_by_time SELECT * FROM spans");
    await stack.writer.command("EXCHANGE TABLES spans AND spans_by_time");
    await findsTheNewest();
  });
});
