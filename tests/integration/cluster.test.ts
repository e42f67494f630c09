/**
 * The cluster form on an engine that knows a cluster of two shards, both of them itself. It has no Keeper and no queue of DDL, so
 * `ON CLUSTER` and `Replicated` are taken off; the Distributed faces and what is asked of them are real. Each row is seen once a shard.
 */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { loadNative, type NativeBinding, type NativeConnection } from "@callchain/deploy/embedded-clickhouse/engine/native.ts";
import { startEmbeddedClickHouse } from "@callchain/deploy/embedded-clickhouse/supervisor.ts";
import { NO_RECEIVERS } from "@callchain/query-api/routes/ingest.ts";
import { startQueryServer } from "@callchain/query-api/server.ts";
import { TraceTreeAnswer } from "@callchain/schemas/api/traces.ts";
import { openDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { listMigrations } from "@callchain/schemas/clickhouse/migrate.ts";
import { renderDatabases, renderStatement } from "@callchain/schemas/clickhouse/schema-layout.ts";
import { Lifecycle } from "@callchain/schemas/runtime/lifecycle.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { getJson, makeTempDir, removeDir } from "../support/process.ts";
import { attributes, buildSpan, spanIdOf, storeSpans, text, traceIdOf } from "../support/store-spans.ts";

const logger = openLog("test", "silent");

const LAYOUT = { database: "callchain", cluster: "two" };
/** Nobody listens there: shards at this engine's own address are read in place. */
const PORT = 19_000;
const SHARD = `<shard><replica><host>127.0.0.1</host><port>${PORT}</port></replica></shard>`;

const CONFIG = `<clickhouse><tcp_port>${PORT}</tcp_port><remote_servers><two>${SHARD}${SHARD}</two></remote_servers></clickhouse>`;

const dir = makeTempDir();
let native: NativeBinding;
let connection: NativeConnection;

async function run(sql: string): Promise<string> {
  const { bytes } = await native.QueryAsyncConnection(connection, sql, "TSV");
  return Buffer.from(bytes).toString().trim();
}

before(async () => {
  // Beside the configuration that the engine's process writes itself, which is read together with these.
  const configDir = join(dir, "engine", "conf.d");
  mkdirSync(configDir, { recursive: true });
  writeFileSync(join(configDir, "cluster.xml"), CONFIG);
  native = loadNative();
  connection = native.CreateConnection(join(dir, "clickhouse"), [`--config-file=${join(configDir, "cluster.xml")}`]);
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

after(() => removeDir(dir));

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

test("the query API answers over the faces as it does over a server's own tables", async () => {
  native.CloseConnection(connection);
  const parts = new Lifecycle(logger);
  try {
    const address = { host: "127.0.0.1", port: 0 };
    const engine = parts.add("engine", await startEmbeddedClickHouse({ dataDir: dir, address, log: logger }));
    const writer = openDatabase({ url: engine.url, database: "callchain", role: "writer" });
    parts.add("writer", { stop: () => writer.close() });
    await storeSpans(writer, [
      buildSpan({ spanId: spanIdOf(1), service: "cart", kind: "server", attributes: attributes({ item: text("tea") }) }),
      buildSpan({ spanId: spanIdOf(2), parentSpanId: spanIdOf(1), service: "cart", kind: "client" }),
      buildSpan({ spanId: spanIdOf(3), parentSpanId: spanIdOf(2), service: "stock", kind: "server" }),
    ]);
    const [local, face] = await Promise.all(
      ["callchain", "callchain_all"].map(async (database) => {
        const reader = openDatabase({ url: engine.url, database, role: "reader" });
        parts.add("reader", { stop: () => reader.close() });
        const options = {
          address,
          database: reader,
          uiDir: null,
          importer: null,
          ingest: () => NO_RECEIVERS,
          metrics: new Registry(),
          logger,
        };
        return parts.add("server", await startQueryServer(options)).url;
      }),
    );
    const range = "from=1699999000000000000&to=1700001000000000000";
    const id = traceIdOf(1);
    // Copies of a span are left out of a trace, so that here both must say the same.
    const traceTree = `/traces/${id}?view=tree`;
    assert.deepEqual(treeOf(await getJson(`${face}/api/v1${traceTree}`)), treeOf(await getJson(`${local}/api/v1${traceTree}`)));
    const questions = [
      `/traces?${range}&service=cart&minDuration=1us&sort=slowest`,
      `/traces?${range}&q=${encodeURIComponent('{ rootServiceName = "cart" && traceDuration > 1us && span.item = "tea" }')}`,
      `/traces/${id}/spans/${spanIdOf(2)}`,
      `/services?${range}`,
      `/services/cart?${range}`,
      `/latency?${range}&service=cart`,
      `/dependencies?${range}`,
      `/attributes?${range}`,
      `/attributes/item/values?${range}`,
    ];
    for (const question of questions) {
      const [own, all] = await Promise.all([getJson(`${local}/api/v1${question}`), getJson(`${face}/api/v1${question}`)]);
      assert.deepEqual(Object.keys(all as object), Object.keys(own as object), question);
    }
    const found = JSON.stringify(await getJson(`${face}/api/v1${questions[1]}`));
    assert.match(found, new RegExp(id));
  } finally {
    await parts.stop();
  }
});

function treeOf(answer: unknown): unknown {
  return TraceTreeAnswer.parse(answer).spans.map(({ spanId, depth, name, service }) => ({ spanId, depth, name, service }));
}
