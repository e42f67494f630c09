/** The writer between the real local log and the real engine: every span stored once, whoever is killed when. */
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { openLocalLog } from "@callchain/collector/log/local/local-log.ts";
import { startWriter } from "@callchain/collector/write/writer.ts";
import { type SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { clickHouseCodeOf } from "@callchain/schemas/clickhouse/errors.ts";
import { insertSpans, readNextOffset } from "@callchain/schemas/clickhouse/insert-spans.ts";
import { migrate } from "@callchain/schemas/clickhouse/migrate.ts";
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";
import { parseSpanRow, SPAN_SELECT } from "@callchain/schemas/clickhouse/rows.ts";
import { spanAttributeEqualsSql, type SearchableValue } from "@callchain/schemas/clickhouse/search-sql.ts";
import { SPAN_COLUMNS } from "@callchain/schemas/clickhouse/spans-table.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import type { LogConsumer, LogRecord, SpanLogReader } from "@callchain/schemas/span/ports.ts";
import { buildCorpus } from "../bench/corpus.ts";
import { clickHouseIsForeign, startClickHouse, type TestClickHouse } from "../support/clickhouse.ts";

const logger = openLog("test", "silent");
const TODAY = Math.floor(Date.now() / 86_400_000);

let root: string;
let engine: TestClickHouse;
let database: SpanDatabase;

before(async () => {
  root = await mkdtemp(join(tmpdir(), "callchain-writer-"));
  engine = await startClickHouse();
  database = engine.open("writer");
  await migrate(database, logger, { database: engine.database });
});

after(async () => {
  await database.close();
  await engine.stop();
  await rm(root, { recursive: true, force: true });
});

async function empty(): Promise<void> {
  await database.command("TRUNCATE TABLE spans");
  await database.command("TRUNCATE TABLE dead_letters");
}

async function countSpans(): Promise<{ all: number; distinct: number }> {
  const { rows } = await database.query<{ all: string; distinct: string }>(
    "SELECT count() AS all, uniqExact(trace_id, span_id) AS distinct FROM spans",
  );
  return { all: Number(rows[0]?.all), distinct: Number(rows[0]?.distinct) };
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!(await check().catch(() => false))) {
    if (performance.now() > endMs) assert.fail(`waited 60 s for ${what}`);
    await delay(25);
  }
}

async function startChild(logDir: string): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, "writer-child.ts"), [logDir, engine.url], { stdio: "ignore" });
  await once(child, "message");
  return child;
}

/** The child must still be there: one that ended by itself was not killed. */
async function end(child: ChildProcess): Promise<void> {
  assert.equal(child.exitCode, null, "the writer's process ended by itself");
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** A reader of one partition that hands out what a test gives it, from memory that it uses for something else afterwards. */
class Feed implements SpanLogReader {
  readonly assigned: bigint[] = [];
  readonly released: bigint[] = [];
  #consumer: LogConsumer | null = null;
  #records: readonly LogRecord[] = [];

  constructor(records: readonly LogRecord[]) {
    this.#records = records;
  }

  async consume(consumer: LogConsumer, signal: AbortSignal): Promise<void> {
    this.#consumer = consumer;
    while (!signal.aborted) {
      try {
        const from = await consumer.assign(0);
        this.assigned.push(from);
        for (const record of this.#records) {
          if (record.offset < from) continue;
          const value = Buffer.from(record.value);
          await consumer.deliver(0, [{ ...record, value }]);
          value.fill(0xff);
        }
        consumer.idle(0);
        await once(signal, "abort");
      } catch {
        await delay(20);
      }
    }
    await consumer.revoke(0);
  }

  deliver(records: readonly LogRecord[]): Promise<void> {
    return this.#consumer?.deliver(0, records) ?? Promise.reject(new Error("not assigned"));
  }

  idle(): void {
    this.#consumer?.idle(0);
  }

  release({ offset }: { offset: bigint }): Promise<void> {
    this.released.push(offset);
    return Promise.resolve();
  }
}

function recordsOf(requests: readonly Uint8Array[], first = 0n): LogRecord[] {
  return requests.map((value, index) => ({ partition: 0, offset: first + BigInt(index), value }));
}

describe("the schema", () => {
  test("the migrated table has the columns of SPAN_COLUMNS, in their order, and migrating again changes nothing", async () => {
    await migrate(database, logger, { database: engine.database });
    const { rows } = await database.query<{ name: string; type: string }>(
      "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'spans' AND default_kind != 'ALIAS' ORDER BY position",
    );
    assert.deepEqual(
      rows.map((row) => [row.name, row.type]),
      SPAN_COLUMNS.map(([name, type]) => [name, type]),
    );
  });
});

describe("one writer", () => {
  test("stores every span of the log once and releases what is stored", async () => {
    await empty();
    const feed = new Feed(recordsOf(buildCorpus({ requestCount: 60, spansPerRequest: 50 })));
    const writer = startWriter({ log: feed, database, metrics: new Registry(), logger, limits: { blockRowsMax: 700 } });
    await until("3000 spans", async () => (await countSpans()).all === 3000);
    await writer.stop();
    assert.deepEqual(await countSpans(), { all: 3000, distinct: 3000 });
    assert.equal(feed.released.at(-1), 59n);
    assert.equal(await readNextOffset(database, 0), 60n);
  });

  test("goes on after the last stored offset when it starts again", async () => {
    const feed = new Feed(recordsOf(buildCorpus({ requestCount: 70, spansPerRequest: 50 })));
    const writer = startWriter({ log: feed, database, metrics: new Registry(), logger });
    await until("3500 spans", async () => (await countSpans()).all === 3500);
    await writer.stop();
    assert.deepEqual(feed.assigned, [60n]);
    assert.deepEqual(await countSpans(), { all: 3500, distinct: 3500 });
  });

  test("keeps a record that is no OTLP request aside and stores the ones around it", async () => {
    await empty();
    const records = recordsOf(buildCorpus({ requestCount: 5, spansPerRequest: 10 }));
    const broken = Uint8Array.of(0x0a, 0xff, 0xff, 0x0a, 0x0a, 0x00);
    const feed = new Feed(records.map((record) => (record.offset === 2n ? { ...record, value: broken } : record)));
    const writer = startWriter({ log: feed, database, metrics: new Registry(), logger });
    await until("40 spans", async () => (await countSpans()).all === 40);
    await writer.stop();
    const { rows } = await database.query<{ log_offset: string; bytes: string }>(
      "SELECT log_offset, hex(record) AS bytes FROM dead_letters FINAL",
    );
    assert.deepEqual(rows, [{ log_offset: "2", bytes: "0AFFFF0A0A00" }]);
  });

  test("makes no small blocks while the log's end is not in sight", async () => {
    await empty();
    const records = recordsOf(buildCorpus({ requestCount: 3, spansPerRequest: 50 }));
    const feed = new Feed(records.slice(0, 1));
    const limits = { busyRowsMin: 1, blockAgeMaxMs: 50, insertIntervalMinMs: 0 };
    const writer = startWriter({ log: feed, database, metrics: new Registry(), logger, limits });
    await until("what came before the log's end", async () => (await countSpans()).all === 50);
    await feed.deliver(records.slice(1, 2));
    await delay(500);
    assert.equal((await countSpans()).all, 50, "stored at the age of a block that has seen the log's end");
    await feed.deliver(records.slice(2));
    feed.idle();
    await until("all spans", async () => (await countSpans()).all === 150);
    await writer.stop();
    assert.deepEqual(feed.released, [0n, 2n]);
  });

  test("stores a block as one part", async () => {
    await empty();
    await database.command("SYSTEM STOP MERGES spans");
    const block = new SpanBlock();
    for (const record of recordsOf(buildCorpus({ requestCount: 200, spansPerRequest: 500 }))) block.append(record);
    const body = block.encode(TODAY);
    await insertSpans(database, { partition: 0, expectedNext: 0n, body, queryId: "one-part", timeoutMs: 60_000 });
    const { rows } = await database.query("SELECT rows FROM system.parts WHERE active AND table = 'spans'");
    await database.command("SYSTEM START MERGES spans");
    assert.deepEqual(rows, [{ rows: "100000" }]);
  });
});

describe("a writer that comes back from the dead", () => {
  test("is refused by its insert, and what the living one stored stays", async () => {
    await empty();
    const [first, second] = recordsOf(buildCorpus({ requestCount: 2, spansPerRequest: 20 }));
    assert.ok(first !== undefined && second !== undefined);
    const block = new SpanBlock();
    block.append(first);
    const insert = { partition: 0, expectedNext: 0n, body: block.encode(TODAY), queryId: "zombie", timeoutMs: 60_000 };
    await insertSpans(database, insert);
    await assert.rejects(insertSpans(database, insert), (error) => clickHouseCodeOf(error) === 395);
    const ahead = new SpanBlock();
    ahead.append({ ...second, offset: 9n });
    await assert.rejects(
      insertSpans(database, { ...insert, expectedNext: 5n, body: ahead.encode(TODAY) }),
      (error) => clickHouseCodeOf(error) === 395,
    );
    assert.deepEqual(await countSpans(), { all: 20, distinct: 20 });
  });

  test("finds another offset, gives its block up and starts again from the rows", async () => {
    await empty();
    const records = recordsOf(buildCorpus({ requestCount: 30, spansPerRequest: 20 }));
    const feed = new Feed(records.slice(0, 10));
    const writer = startWriter({ log: feed, database, metrics: new Registry(), logger });
    await until("200 spans", async () => (await countSpans()).all === 200);
    const other = new SpanBlock();
    for (const record of records.slice(10, 20)) other.append(record);
    const body = other.encode(TODAY);
    await insertSpans(database, { partition: 0, expectedNext: 10n, body, queryId: "other", timeoutMs: 60_000 });
    await feed.deliver(records.slice(10, 15));
    feed.idle();
    await until("the writer's refusal", () =>
      feed.deliver(records.slice(15, 16)).then(
        () => false,
        () => true,
      ),
    );
    await writer.stop();
    const next = new Feed(records);
    const successor = startWriter({ log: next, database, metrics: new Registry(), logger });
    await until("600 spans", async () => (await countSpans()).all === 600);
    await successor.stop();
    assert.deepEqual(next.assigned, [20n]);
    assert.deepEqual(await countSpans(), { all: 600, distinct: 600 });
  });
});

describe("killed at random moments", () => {
  test("neither the writer's nor the engine's kill -9 loses or doubles a span", async () => {
    await empty();
    const dir = join(root, "log");
    const log = await openLocalLog({ dir, capBytes: 1 << 30, logger });
    for (const request of buildCorpus({ requestCount: 2000, spansPerRequest: 20, seed: 3 })) await log.append(request);
    await log.stop();
    const storedAtKill: number[] = [];
    for (let kill = 0; kill < 9; kill += 1) {
      const child = await startChild(dir);
      const before = await countSpans();
      // Kills count only where the writer is at work: it has stored something in this life, and the next insert may be under way.
      await until("the first insert of this life", async () => (await countSpans()).all > before.all);
      await delay(Math.random() * 60);
      if (kill % 3 === 2 && engine.pid !== null) process.kill(engine.pid, "SIGKILL");
      await end(child);
      await until("the engine", () => database.ping().then(() => true));
      const stored = await countSpans();
      assert.equal(stored.all, stored.distinct, `after kill ${kill}`);
      storedAtKill.push(stored.all);
    }
    const last = await startChild(dir);
    await until("every span", async () => (await countSpans()).all >= 40_000);
    await end(last);
    assert.deepEqual(await countSpans(), { all: 40_000, distinct: 40_000 });
    const midway = storedAtKill.filter((count) => count > 0 && count < 40_000).length;
    assert.ok(midway >= 6, `at least 6 of 9 kills must fall midway, stored at each: ${storedAtKill.join(", ")}`);
  });

  test("the engine's kill -9 under a living writer is ridden out", { skip: clickHouseIsForeign() }, async () => {
    await empty();
    const feed = new Feed(recordsOf(buildCorpus({ requestCount: 400, spansPerRequest: 50, seed: 5 })));
    const metrics = new Registry();
    const writer = startWriter({ log: feed, database, metrics, logger, limits: { blockRowsMax: 500 } });
    for (let kill = 0; kill < 3; kill += 1) {
      await delay(60 + Math.random() * 200);
      if (engine.pid !== null) process.kill(engine.pid, "SIGKILL");
      await until("the engine", () => database.ping().then(() => true));
    }
    await until("every span", async () => (await countSpans()).all >= 20_000);
    await writer.stop();
    assert.deepEqual(await countSpans(), { all: 20_000, distinct: 20_000 });
  });
});

describe("search", () => {
  test("equality of an attribute finds what the maps hold, and nothing else", async () => {
    await empty();
    const block = new SpanBlock();
    for (const record of recordsOf(buildCorpus({ requestCount: 10, spansPerRequest: 200 }))) block.append(record);
    const body = block.encode(TODAY);
    await insertSpans(database, { partition: 0, expectedNext: 0n, body, queryId: "search", timeoutMs: 60_000 });
    const cases: [string, SearchableValue, string][] = [
      ["http.request.method", { type: "string", value: "GET" }, "attr_word['http.request.method'] = 'GET'"],
      ["url.scheme", { type: "string", value: "http' OR 1 --" }, "0"],
      ["http.response.status_code", { type: "int", value: 200n }, "attr_int['http.response.status_code'] = 200"],
      ["http.response.status_code", { type: "string", value: "200" }, "0"],
      ["http.request.method", { type: "string", value: "" }, "0"],
      ["http.response.status_code", { type: "int", value: 0n }, "0"],
    ];
    for (const [key, value, exact] of cases) {
      const params: Record<string, unknown> = {};
      const condition = spanAttributeEqualsSql(key, value, (type, bound) => {
        const name = `p${Object.keys(params).length}`;
        params[name] = String(bound);
        return `{${name}:${type}}`;
      });
      const sql = `SELECT countIf(${exact}) AS exact, (SELECT count() FROM spans WHERE ${condition}) AS found FROM spans`;
      const { rows } = await database.query<{ exact: string; found: string }>(sql, { params });
      assert.equal(rows[0]?.found, rows[0]?.exact, `${key} = ${String(value.value)}`);
    }
  });

  test("a row comes back as the span that was sent", async () => {
    const { rows } = await database.query(`SELECT ${SPAN_SELECT} FROM spans ORDER BY start LIMIT 50`);
    for (const row of rows) {
      const span = parseSpanRow(row);
      assert.deepEqual(span.resource.attributes.find(({ key }) => key === "service.name")?.value, {
        type: "string",
        value: span.service,
      });
      assert.ok(span.attributes.length > 0 && span.scope.name !== "" && span.startNano > 0n);
    }
  });
});
