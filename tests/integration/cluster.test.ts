/**
 * The cluster form on an engine that knows a cluster of two shards, both of them itself. It has no Keeper and no queue of DDL, so
 * `ON CLUSTER` and `Replicated` are taken off; the Distributed faces and what is asked of them are real. Each row is seen once a shard.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadNative, type NativeBinding, type NativeConnection } from "@callchain/deploy/embedded-clickhouse/engine/native.ts";
import { listMigrations } from "@callchain/schemas/clickhouse/migrate.ts";
import { renderDatabases, renderStatement } from "@callchain/schemas/clickhouse/schema-layout.ts";
import { makeTempDir, removeDir } from "../support/process.ts";

const LAYOUT = { database: "callchain", cluster: "two" };
/** Nobody listens there: shards at this engine's own address are read in place. */
const PORT = 19_000;
const SHARD = `<shard><replica><host>127.0.0.1</host><port>${PORT}</port></replica></shard>`;

const dir = makeTempDir();
let native: NativeBinding;
let connection: NativeConnection;

async function run(sql: string): Promise<string> {
  const { bytes } = await native.QueryAsyncConnection(connection, sql, "TSV");
  return Buffer.from(bytes).toString().trim();
}

before(async () => {
  const config = join(dir, "config.xml");
  const cluster = `<remote_servers><two>${SHARD}${SHARD}</two></remote_servers>`;
  writeFileSync(config, `<clickhouse><tcp_port>${PORT}</tcp_port>${cluster}</clickhouse>`);
  native = loadNative();
  connection = native.CreateConnection(join(dir, "data"), [`--config-file=${config}`]);
  const migrations = await listMigrations();
  const statements = migrations.flatMap((migration) => migration.statements.flatMap((text) => renderStatement(text, LAYOUT)));
  for (const statement of [...renderDatabases(LAYOUT), ...statements]) {
    const onThisServer = statement
      .replace(" ON CLUSTER 'two'", "")
      .replace(/Replicated(\w*MergeTree)\('[^']*', '\{replica\}'(?:, )?/, "$1(")
      .replace(/,? replicated_deduplication_window = 0/, "");
    await run(onThisServer.replace(/\nSETTINGS$/, ""));
  }
});

after(() => {
  native.CloseConnection(connection);
  removeDir(dir);
});

test("rows stored in a shard's table are read through the face, and dead letters too", async () => {
  await run("INSERT INTO callchain.spans (log_offset, service) VALUES (1, 'a'), (2, 'b')");
  assert.equal(await run("SELECT count() FROM callchain.spans"), "2");
  assert.equal(await run("SELECT service, count() FROM callchain_all.spans GROUP BY service ORDER BY service"), "a\t2\nb\t2");
  assert.equal(await run("SELECT count() FROM callchain_all.dead_letters"), "0");
});

test("nothing can be stored through the face, which no server could compare and swap", async () => {
  await assert.rejects(run("INSERT INTO callchain_all.spans (log_offset) VALUES (3)"), /no sharding key/);
});

test("a sub-select over the face needs the setting that readers send", async () => {
  const question =
    "SELECT count() FROM callchain_all.spans WHERE trace_id IN (SELECT trace_id FROM callchain_all.spans WHERE service = 'a')";
  await assert.rejects(run(question), /distributed_product_mode/);
  assert.equal(await run(`${question} SETTINGS distributed_product_mode = 'global'`), "4");
});
