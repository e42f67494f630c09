/**
 * How suites take a ClickHouse server. Where none can be had, the embedded engine plays one: it speaks the same HTTP interface, so what is
 * tested here is where databases are made and dropped, and that a server from PATH is started with its settings, killed and there again.
 */
import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { startEmbeddedClickHouse, type EmbeddedClickHouse } from "@callchain/deploy/embedded-clickhouse/supervisor.ts";
import { openDatabase, type SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { clickHouseIsForeign, findClickHouseServer, startClickHouse } from "../support/clickhouse.ts";
import { makeTempDir, removeDir, ROOT, until } from "../support/process.ts";

const { PATH, CLICKHOUSE_URL, CALLCHAIN_TEST_CLICKHOUSE } = process.env;
const dir = makeTempDir();

function restore(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

afterEach(() => {
  restore("PATH", PATH);
  restore("CLICKHOUSE_URL", CLICKHOUSE_URL);
  restore("CALLCHAIN_TEST_CLICKHOUSE", CALLCHAIN_TEST_CLICKHOUSE);
});
after(() => removeDir(dir));

async function listDatabases(database: SpanDatabase): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(
    "SELECT name FROM system.databases WHERE startsWith(name, 'callchain_test_')",
  );
  return rows.map(({ name }) => name);
}

describe("a server at CLICKHOUSE_URL", () => {
  let engine: EmbeddedClickHouse;
  let admin: SpanDatabase;
  before(async () => {
    const address = { host: "127.0.0.1", port: 0 };
    engine = await startEmbeddedClickHouse({ dataDir: join(dir, "url"), address, log: openLog("test", "silent") });
    admin = openDatabase({ url: engine.url, role: "writer" });
  });
  after(async () => {
    await admin.close();
    await engine.stop();
  });

  test("gets databases of the suite's own, which go with it, and is not ours to end", async () => {
    process.env["CLICKHOUSE_URL"] = engine.url;
    process.env["CALLCHAIN_TEST_CLICKHOUSE"] = "server";
    assert.deepEqual(findClickHouseServer(), { url: engine.url });
    assert.match(String(clickHouseIsForeign()), /CLICKHOUSE_URL is not ours/);
    const [one, two] = [await startClickHouse(), await startClickHouse()];
    assert.equal(one.pid, null);
    const writer = one.open("writer");
    await writer.command("CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n");
    await writer.command(`CREATE DATABASE ${one.nameOf("beside")}`);
    await writer.close();
    assert.equal((await listDatabases(admin)).length, 3);
    await one.stop();
    assert.deepEqual(await listDatabases(admin), [two.settings["clickhouseDatabase"]]);
    await two.stop();
    assert.deepEqual(await listDatabases(admin), []);
  });
});

const PLAYED = `#!/bin/sh
[ "$1" = server ] || exit 1
[ "$2" = --version ] && exit 0
config="\${2#--config-file=}"
port="$(sed -n 's:.*<http_port>\\(.*\\)</http_port>.*:\\1:p' "$config")"
data="$(sed -n 's:.*<path>\\(/.*\\)</path>.*:\\1:p' "$config")"
exec "${process.execPath}" "${join(ROOT, "deploy/embedded-clickhouse/main.ts")}" "--data-dir=$data" "--engine-address=127.0.0.1:$port"
`;

describe("a server on PATH", () => {
  test("is started for the suite, keeps what it stored over kill -9, and ends with the suite", async () => {
    writeFileSync(join(dir, "clickhouse"), PLAYED);
    chmodSync(join(dir, "clickhouse"), 0o755);
    process.env["PATH"] = `${dir}${delimiter}${PATH}`;
    delete process.env["CLICKHOUSE_URL"];
    process.env["CALLCHAIN_TEST_CLICKHOUSE"] = "server";
    assert.deepEqual(findClickHouseServer(), { command: "clickhouse", args: ["server"] });
    assert.equal(clickHouseIsForeign(), false);
    const server = await startClickHouse();
    const writer = server.open("writer");
    try {
      const { pid } = server;
      assert.ok(pid !== null);
      await writer.command("CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n SETTINGS fsync_after_insert = 1");
      await writer.command("INSERT INTO t VALUES (7)");
      process.kill(pid, "SIGKILL");
      await until("another process runs", () => server.pid !== null && server.pid !== pid);
      await until("it answers", () =>
        writer.ping().then(
          () => true,
          () => false,
        ),
      );
      assert.deepEqual((await writer.query("SELECT n FROM t")).rows, [{ n: 7 }]);
    } finally {
      await writer.close();
      await server.stop();
    }
    assert.equal(server.pid, null);
  });
});
