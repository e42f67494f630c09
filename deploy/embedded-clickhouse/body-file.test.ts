/** Bodies of inserts that are handed over as files, past the connection. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { BODY_FILE_PARAMETER } from "@callchain/schemas/clickhouse/body-file.ts";
import { openDatabase, type SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { clickHouseCodeOf } from "@callchain/schemas/clickhouse/errors.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { startEmbeddedClickHouse, type EmbeddedClickHouse } from "./supervisor.ts";

const BODY_BYTES_MAX = 1_000_000;
const INSERT = "INSERT INTO numbers_kept SELECT n FROM input('n UInt64') FORMAT RowBinary";
const dir = mkdtempSync(join(tmpdir(), "callchain-body-file-"));
let engine: EmbeddedClickHouse;
let database: SpanDatabase;

before(async () => {
  const address = { host: "127.0.0.1", port: 0 };
  engine = await startEmbeddedClickHouse({ dataDir: dir, address, log: openLog("test", "silent"), bodyBytesMax: BODY_BYTES_MAX });
  database = openDatabase({ url: engine.url, role: "writer", bodyDir: engine.bodyDir });
  await database.command("CREATE TABLE numbers_kept (n UInt64) ENGINE = MergeTree ORDER BY n");
});
after(async () => {
  await database.close();
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function countKept(): Promise<number> {
  const { rows } = await database.query<{ n: string }>("SELECT count() AS n FROM numbers_kept");
  return Number(rows[0]?.n);
}

const isCode =
  (code: number) =>
  (error: unknown): boolean =>
    clickHouseCodeOf(error) === code;

test("rows in any number of pieces are stored, and no file is left", async () => {
  const pieces = [BigUint64Array.of(1n, 0x0a0a_0a0a_0a0a_0a0an), new BigUint64Array(0), BigUint64Array.of(3n)];
  await database.insert(
    INSERT,
    pieces.map(({ buffer }) => new Uint8Array(buffer)),
  );
  assert.equal(await countKept(), 3);
  assert.deepEqual(readdirSync(engine.bodyDir), []);
});

test("rows that cannot be read are refused with ClickHouse's code, and no file is left", async () => {
  const before = await countKept();
  await assert.rejects(database.insert(INSERT, [new Uint8Array(12)]), isCode(33));
  await assert.rejects(database.insert(INSERT, [new Uint8Array(BODY_BYTES_MAX + 8)]), isCode(161));
  assert.equal(await countKept(), before);
  assert.deepEqual(readdirSync(engine.bodyDir), []);
});

test("only files that were laid there for it are read", async () => {
  const name = "given-00000000-0000-0000-0000-000000000000";
  writeFileSync(join(dir, name), new Uint8Array(8));
  for (const given of [`../${name}`, `../../${name}`, "", "body-1", name]) {
    const settings = { [BODY_FILE_PARAMETER]: given };
    await assert.rejects(database.command(INSERT, { settings }), isCode(36), given);
  }
});

test("rows in the body beside a file are refused", async () => {
  const query = new URLSearchParams({ query: INSERT, [BODY_FILE_PARAMETER]: "given-00000000-0000-0000-0000-000000000000" });
  const response = await fetch(`${engine.url}/?${query.toString()}`, { method: "POST", body: new Uint8Array(8) });
  assert.match(await response.text(), /in a file or in the body, not in both/);
  assert.equal(response.status, 400);
});

test("a directory that takes no file is a passing failure that says so", async () => {
  rmSync(engine.bodyDir, { recursive: true });
  await assert.rejects(database.insert(INSERT, [new Uint8Array(8)]), {
    code: "unavailable",
    message: /cannot be handed over: ENOENT/,
  });
  mkdirSync(engine.bodyDir);
  await database.insert(INSERT, [new Uint8Array(8)]);
});
