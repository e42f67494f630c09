/** What one statement sets must not reach the next, whichever connection it gets. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createClient, type ClickHouseClient, type ClickHouseSettings } from "@clickhouse/client";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import * as fc from "fast-check";
import { startEmbeddedClickHouse, type EmbeddedClickHouse } from "./supervisor.ts";

let dir: string;
let engine: EmbeddedClickHouse;
const clients = new Map<string, ClickHouseClient>();

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "callchain-sessions-"));
  const address = { host: "127.0.0.1", port: 0 };
  engine = await startEmbeddedClickHouse({ dataDir: dir, address, log: openLog("test", "silent") });
  for (const database of ["default", "other"])
    clients.set(database, createClient({ url: engine.url, database, log: { level: 127 } }));
  await clients.get("default")?.command({ query: "CREATE DATABASE other" });
});

after(async () => {
  for (const client of clients.values()) await client.close();
  await engine.stop();
  await rm(dir, { recursive: true });
});

async function ask<T>(
  query: string,
  options: { database?: string; settings?: ClickHouseSettings; params?: Record<string, unknown> } = {},
): Promise<T | undefined> {
  const client = clients.get(options.database ?? "default");
  const { settings: clickhouse_settings = {}, params: query_params = {} } = options;
  const result = await client?.query({ query, format: "JSONEachRow", clickhouse_settings, query_params });
  return (await result?.json<T>())?.[0];
}

const asked = fc.record({
  database: fc.constantFrom("default", "other"),
  readonly: fc.constantFrom("0", "1", "2"),
  threads: fc.constantFrom(null, 1, 2, 3),
  rows: fc.constantFrom(null, "7", "8"),
  a: fc.option(fc.string()),
  b: fc.option(fc.nat()),
  fails: fc.boolean(),
});

test("settings, parameters, database and id are those of the statement, in any order, also after failures", async () => {
  const usual = await ask<{ threads: string; rows: string }>(
    "SELECT toString(getSetting('max_threads')) AS threads, toString(getSetting('max_result_rows')) AS rows",
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(asked, { maxLength: 4 }), { maxLength: 12 }), async (rounds) => {
      for (const round of rounds) {
        await Promise.all(
          round.map(async ({ database, readonly, threads, rows, a, b, fails }) => {
            const settings = {
              readonly,
              ...(threads === null ? {} : { max_threads: threads }),
              ...(rows === null ? {} : { max_result_rows: rows }),
            };
            const params = { ...(a === null ? {} : { a }), ...(b === null ? {} : { b }) };
            if (fails) return assert.rejects(ask("SELECT throwIf(1)", { database, settings, params }), { code: "395" });
            const columns = [
              "currentDatabase() AS database",
              "toString(getSetting('readonly')) AS readonly",
              "toString(getSetting('max_threads')) AS threads",
              "toString(getSetting('max_result_rows')) AS rows",
              ...(a === null ? [] : ["{a:String} AS a"]),
              ...(b === null ? [] : ["{b:UInt64} = {b:UInt64} AS isB, toString({b:UInt64}) AS b"]),
            ];
            assert.deepEqual(await ask(`SELECT ${columns.join(", ")}`, { database, settings, params }), {
              database,
              readonly,
              threads: threads === null ? usual?.threads : String(threads),
              rows: rows ?? usual?.rows,
              ...(a === null ? {} : { a }),
              ...(b === null ? {} : { isB: 1, b: String(b) }),
            });
          }),
        );
      }
    }),
    { numRuns: 60 },
  );
});

test("a parameter that is not given is missed, though the statement before had it", async () => {
  for (const x of [1, 2]) assert.deepEqual(await ask("SELECT {x:UInt8} AS x", { params: { x } }), { x });
  for (const params of [{}, { y: 1 }]) await assert.rejects(ask("SELECT {x:UInt8} AS x", { params }), { code: "456" });
});
