/** The door to ClickHouse, on the real engine. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { after, before, describe, it } from "node:test";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
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
