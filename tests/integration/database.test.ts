/** The door to ClickHouse, on the real engine. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { after, before, describe, it } from "node:test";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { slowMatchSql } from "@callchain/schemas/clickhouse/slow-patterns.ts";
import { startClickHouse, type TestClickHouse } from "../support/clickhouse.ts";

const CONNECTIONS = [1, 2, 3, 4];
let engine: TestClickHouse;
let database: SpanDatabase;

before(async () => {
  engine = await startClickHouse();
  database = engine.open("reader", { connectionsMax: CONNECTIONS.length });
});
after(async () => {
  await database.close();
  await engine.stop();
});

describe("connections to ClickHouse", () => {
  it("are not cut off under a statement because others were cancelled while they waited for one", async () => {
    const leaving = new AbortController();
    const running = CONNECTIONS.map(() => database.query("SELECT sleep(0.3)"));
    const waiting = CONNECTIONS.map(() => database.query("SELECT 1", { signal: leaving.signal }));
    await delay(100);
    leaving.abort();
    await Promise.all(waiting.map((statement) => assert.rejects(statement, { code: "timeout" })));
    await Promise.all(running);
    // Longer than an idle connection is kept.
    const answers = await Promise.all(CONNECTIONS.map(() => database.query("SELECT sleepEachRow(1) FROM numbers(3)")));
    assert.deepEqual(
      answers.map(({ rows }) => rows.length),
      CONNECTIONS.map(() => 3),
    );
  });
});

describe("the rank of answering threads", () => {
  const rankOf = async (asked: SpanDatabase): Promise<string | undefined> => {
    const { rows } = await asked.query<{ rank: string }>("SELECT toString(getSetting('os_thread_priority')) AS rank");
    return rows[0]?.rank;
  };

  it("is that of ingest while it is calm and few statements run, and behind it otherwise", async () => {
    let isCalm = true;
    const reader = engine.open("reader", { isIngestCalm: () => isCalm });
    try {
      const leaving = new AbortController();
      const run = (): Promise<unknown> => reader.query("SELECT sleep(3)", { signal: leaving.signal });
      const running = [run(), run(), run(), run(), run()];
      assert.equal(await rankOf(reader), "0", "beside five others");
      running.push(run());
      assert.equal(await rankOf(reader), "10", "beside six others");
      leaving.abort();
      await Promise.all(running.map((statement) => assert.rejects(statement, { code: "timeout" })));
      for (const times of CONNECTIONS) {
        const stream = await reader.stream(`SELECT number FROM numbers(${100_000 * times}) FORMAT RowBinary`);
        for await (const chunk of stream) {
          assert.ok(chunk.length > 0);
          break;
        }
        await assert.rejects(reader.query("SELECT throwIf(1)"));
      }
      assert.equal(await rankOf(reader), "0", "nothing runs any more");
      isCalm = false;
      assert.equal(await rankOf(reader), "10", "much arrives");
      assert.equal(await rankOf(database), "10", "it is not known what arrives");
      isCalm = true;
      assert.equal(await rankOf(reader), "0", "calm again");
    } finally {
      await reader.close();
    }
  });

  it("is not changed for what is written", async () => {
    const writer = engine.open("writer");
    try {
      assert.equal(await rankOf(writer), "0");
    } finally {
      await writer.close();
    }
  });
});

describe("a statement with an expression that may be slow", () => {
  it("has one thread and small blocks, others have not", async () => {
    const reader = engine.open("reader");
    const boundsOf = async (condition: string): Promise<unknown> => {
      const settings = "toUInt32(getSetting('max_threads')) AS threads, toUInt32(getSetting('max_block_size')) < 100 AS isSmall";
      const { rows } = await reader.query(`SELECT ${settings} WHERE ${condition}`, { params: { pattern: "a{3}" } });
      return rows[0];
    };
    try {
      assert.deepEqual(await boundsOf(slowMatchSql("'aaa'", "{pattern:String}")), { threads: 1, isSmall: 1 });
      const others = await boundsOf("match('aaa', {pattern:String})");
      assert.partialDeepStrictEqual(others, { isSmall: 0 });
    } finally {
      await reader.close();
    }
  });
});
