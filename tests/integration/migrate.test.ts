/** Migrations on the real engine: twice, at once, after a kill, for a time; and what a cluster would be sent. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { clickHouseCodeOf } from "@callchain/schemas/clickhouse/errors.ts";
import { listMigrations, migrate, planMigration, requireSchema } from "@callchain/schemas/clickhouse/migrate.ts";
import { withMigrationLock } from "@callchain/schemas/clickhouse/migration-lock.ts";
import { renderStatement } from "@callchain/schemas/clickhouse/schema-layout.ts";
import { requireOnlyShard } from "@callchain/schemas/clickhouse/shards.ts";
import { WORD_KEYS } from "@callchain/schemas/clickhouse/word-keys.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { startClickHouse, type TestClickHouse } from "../support/clickhouse.ts";
import { CLI, makeTempDir, removeDir, runCli } from "../support/process.ts";
import { environmentOf, type RoleEnvironment } from "../support/roles.ts";

const logger = openLog("test", "silent");
const dir = makeTempDir();
let engine: TestClickHouse;
let server: SpanDatabase;

before(async () => {
  engine = await startClickHouse();
  server = engine.open("writer");
});

after(async () => {
  await server.close();
  await engine.stop();
  removeDir(dir);
});

async function rowsOf(sql: string): Promise<unknown[]> {
  return (await server.query(sql)).rows;
}

async function withDatabase<T>(database: string, work: (open: SpanDatabase) => Promise<T>): Promise<T> {
  const opened = engine.open("writer", { database });
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

test("a database is made with every migration, and a second run finds nothing to do", async () => {
  const database = engine.nameOf("twice");
  const versions = (await listMigrations()).map(({ version }) => version);
  const steps = await migrate(server, logger, { database });
  assert.deepEqual(
    steps.flatMap(({ migration }) => migration?.version ?? []),
    versions,
  );
  assert.deepEqual(await migrate(server, logger, { database }), []);
  assert.deepEqual(
    await rowsOf(`SELECT version FROM ${database}.schema_migrations ORDER BY version`),
    versions.map((version) => ({ version })),
  );
  await withDatabase(database, (opened) => requireSchema(opened));
});

test("a database whose spans were made by an earlier form of the migration is taken as it is, one of a stranger's is not", async () => {
  const database = engine.nameOf("earlier");
  await migrate(server, logger, { database });
  const noteFirst = async (checksum: string): Promise<void> =>
    await server.command(
      `ALTER TABLE ${database}.schema_migrations UPDATE checksum = '${checksum}' WHERE version = 1 SETTINGS mutations_sync = 2`,
    );
  // Of the file that ordered spans by time alone.
  await noteFirst("a446b4a496ff326e6eb8ee9aef1c85d52375fdef302184343119d76d0292d8e2");
  assert.deepEqual(await migrate(server, logger, { database }), []);
  await noteFirst("0".repeat(64));
  await assert.rejects(migrate(server, logger, { database }), /migration 1 \(spans\) was applied in another form/);
});

test("a role is told what the database lacks and what mends it", async () => {
  const [bare, absent] = [engine.nameOf("bare"), engine.nameOf("absent")];
  await server.command(`CREATE DATABASE ${bare}`);
  for (const database of [bare, absent]) {
    await assert.rejects(
      withDatabase(database, (opened) => requireSchema(opened)),
      /lacks schema migrations 1 \(spans\), 2 .*: run callchain migrate/,
    );
  }
});

test("several at once take each step once", async () => {
  const database = engine.nameOf("at_once");
  const clients = [1, 2, 3, 4].map(() => engine.open("writer"));
  try {
    const taken = await Promise.all(clients.map((client) => migrate(client, logger, { database })));
    assert.equal(taken.filter((steps) => steps.length > 0).length, 1);
    const [ledger] = await rowsOf(`SELECT count() AS n, uniqExact(version) AS versions FROM ${database}.schema_migrations`);
    const count = String((await listMigrations()).length);
    assert.deepEqual(ledger, { n: count, versions: count });
  } finally {
    for (const client of clients) await client.close();
  }
});

test("the lock keeps the second out until the first is done, and is gone with its connection", async () => {
  const database = engine.nameOf("guarded");
  const events: string[] = [];
  const inside = Promise.withResolvers<void>();
  const leave = Promise.withResolvers<void>();
  const first = withMigrationLock(server, database, logger, async (assertHeld) => {
    events.push("first in");
    inside.resolve();
    await leave.promise;
    assertHeld();
    events.push("first out");
  });
  await inside.promise;
  const other = engine.open("writer");
  const second = withMigrationLock(other, database, logger, () => Promise.resolve(events.push("second in")));
  await assert.rejects(
    server.command("SELECT 1 FORMAT Null", { queryId: `callchain-migrate-${database}` }),
    (error) => clickHouseCodeOf(error) === 216,
  );
  leave.resolve();
  await Promise.all([first, second]);
  assert.deepEqual(events, ["first in", "first out", "second in"]);
  await other.close();
});

test("a lock that ClickHouse ended is noticed before the next step", async () => {
  const database = engine.nameOf("ended");
  await assert.rejects(
    withMigrationLock(server, database, logger, async (assertHeld) => {
      await server.command(`KILL QUERY WHERE query_id = 'callchain-migrate-${database}' SYNC`);
      for (;;) {
        assertHeld();
        await delay(20);
      }
    }),
    /the migration's lock/,
  );
});

test("a process killed at any moment leaves a schema that the next run completes", async () => {
  for (let round = 0; round < 5; round += 1) {
    const database = engine.nameOf(`killed_${round}`);
    const env = { ...process.env, ...serverOf(database) };
    const child = spawn(process.execPath, [CLI, "migrate", "--no-topics"], { env, stdio: "ignore" });
    const exited = once(child, "exit");
    // From its first statement on: somewhere within the lock, the tables and the ledger.
    while (child.exitCode === null) {
      const [seen] = await rowsOf("SELECT count() AS n FROM system.processes WHERE position(query, concat('lock', '=')) > 0");
      if ((seen as { n: string } | undefined)?.n !== "0") break;
    }
    await delay(round * 10);
    child.kill("SIGKILL");
    await exited;
    await migrate(server, logger, { database });
    await withDatabase(database, (opened) => requireSchema(opened));
    assert.deepEqual(await planMigration(server, { database }), []);
    await server.command(`DROP DATABASE ${database}`);
  }
});

/** What a role is told of a database of the engine. */
function serverOf(database: string): RoleEnvironment {
  return environmentOf({ ...engine.settings, clickhouseDatabase: database });
}

/** `callchain migrate --dry-run` for a database of the engine. */
function dryRun(database: string, flags: readonly string[]): ReturnType<typeof runCli> {
  return runCli(["migrate", "--dry-run", "--no-topics", ...flags], serverOf(database));
}

test("a dry run prints the statements and makes nothing", async () => {
  const database = engine.nameOf("dry");
  const { status, stdout } = await dryRun(database, ["--retention-days", "14"]);
  assert.equal(status, 0);
  const lines = stdout.split("\n");
  assert.ok(lines.includes(`CREATE DATABASE IF NOT EXISTS ${database};`));
  assert.ok(lines.includes(`CREATE TABLE IF NOT EXISTS ${database}.spans`));
  assert.ok(lines.includes(`ALTER TABLE ${database}.spans MODIFY TTL ingest_day + INTERVAL 14 DAY;`));
  assert.deepEqual(await rowsOf(`SELECT name FROM system.databases WHERE name = '${database}'`), []);
});

test("attributes of an earlier release part into words and other texts, at once and for good", async () => {
  const name = engine.nameOf("parted");
  const layout = { database: name, cluster: null };
  const migrations = await listMigrations();
  const words = migrations.find((migration) => migration.name === "words");
  const run = async (statements: readonly string[] = []): Promise<void> => {
    for (const statement of statements)
      for (const text of renderStatement(statement, layout)) await server.command(text, { settings: { mutations_sync: 1 } });
  };
  await server.command(`CREATE DATABASE ${name}`);
  for (const { version, statements } of migrations) if (version < (words?.version ?? 0)) await run(statements);
  await server.command(
    `INSERT INTO ${name}.spans (name, attr_string) VALUES ('both', {'user.id': 'u-1', 'http.route': '/a', 'db.system': 'redis'}), ('none', {'user.id': 'u-2'})`,
  );
  const stored = (): Promise<unknown[]> => rowsOf(`SELECT name, attr_word, attr_string FROM ${name}.spans ORDER BY name`);
  const [addColumn] = words?.statements ?? [];
  await run(addColumn === undefined ? [] : [addColumn]);
  assert.deepEqual(await stored(), [
    {
      name: "both",
      attr_word: { "http.route": "/a", "db.system": "redis" },
      attr_string: { "user.id": "u-1", "http.route": "/a", "db.system": "redis" },
    },
    { name: "none", attr_word: {}, attr_string: { "user.id": "u-2" } },
  ]);
  for (let repeat = 0; repeat < 2; repeat += 1) {
    await run(words?.statements);
    assert.deepEqual(await stored(), [
      { name: "both", attr_word: { "http.route": "/a", "db.system": "redis" }, attr_string: { "user.id": "u-1" } },
      { name: "none", attr_word: {}, attr_string: { "user.id": "u-2" } },
    ]);
  }
  const [, list = ""] = /IN \(([^()]*)\)/.exec(addColumn ?? "") ?? [];
  assert.deepEqual(
    [...list.matchAll(/'([^']*)'/g)].map(([, key]) => key),
    WORD_KEYS,
  );
});

test("retention is what was last asked for, and takes whole days of arrival", async () => {
  const database = engine.nameOf("kept");
  await migrate(server, logger, { database, retention: { days: 14 } });
  assert.deepEqual(await planMigration(server, { database, retention: { days: 14 } }), []);
  assert.deepEqual(await planMigration(server, { database }), [], "left out, it stays");
  await server.command(
    `INSERT INTO ${database}.spans (ingest_day, log_offset) SELECT today() - 20 + number * 15, number FROM numbers(2)`,
    {
      settings: { max_partitions_per_insert_block: 2 },
    },
  );
  await server.command(`OPTIMIZE TABLE ${database}.spans FINAL`);
  assert.deepEqual(await rowsOf(`SELECT log_offset FROM ${database}.spans`), [{ log_offset: "1" }]);
  await migrate(server, logger, { database, retention: { days: 3 } });
  await server.command(`OPTIMIZE TABLE ${database}.spans FINAL`);
  assert.deepEqual(await rowsOf(`SELECT log_offset FROM ${database}.spans`), []);
  await migrate(server, logger, { database, retention: "forever" });
  const [table] = await rowsOf(`SELECT engine_full FROM system.tables WHERE database = '${database}' AND name = 'spans'`);
  assert.doesNotMatch(JSON.stringify(table), /TTL/);
  const refused = await runCli(["migrate", "--retention-days", "0"]);
  assert.match(refused.stderr, /--retention-days: given "0", accepted is a whole number of days from 1 to 36500, or forever/);
});

test("shards in another order, or another number of them, are refused before anything is read again", async () => {
  const names = [engine.nameOf("shard_a"), engine.nameOf("shard_b")];
  for (const database of names) await migrate(server, logger, { database });
  for (const [shard, partition] of [
    [0, 0],
    [1, 1],
    [0, 2],
  ]) {
    await server.command(`INSERT INTO ${names[shard ?? 0]}.spans (log_partition, log_offset) VALUES (${partition}, 7)`);
  }
  const [a, b] = names.map((database) => engine.open("writer", { database }));
  assert.ok(a !== undefined && b !== undefined);
  try {
    for (const partition of [0, 1, 2, 3]) await requireOnlyShard([a, b], partition);
    await assert.rejects(requireOnlyShard([b, a], 1), /partition 1 are on ClickHouse shard 1 of 2, and would now go to shard 2/);
    await assert.rejects(
      requireOnlyShard([a, b, a], 2),
      /partition 2 are on ClickHouse shard 1 of 3, and would now go to shard 3/,
    );
  } finally {
    await a.close();
    await b.close();
  }
});

test("an https server is taken by the authority of --clickhouse-ca-file, and no other", { skip: opensslMissing() }, async () => {
  const [key, cert] = [join(dir, "key.pem"), join(dir, "cert.pem")];
  const subject = ["-subj", "/CN=clickhouse", "-addext", "subjectAltName=IP:127.0.0.1"];
  const made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert, ...subject];
  assert.equal(spawnSync("openssl", made).status, 0);
  const { hostname, port } = new URL(engine.url);
  const front = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
    const back = connect(Number(port), hostname);
    socket.pipe(back).pipe(socket);
    for (const side of [socket, back]) side.on("error", () => void [socket.destroy(), back.destroy()]);
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  const bound = front.address();
  assert.ok(bound !== null && typeof bound === "object");
  const args = ["migrate", "--no-topics", "--clickhouse-url", `https://127.0.0.1:${bound.port}`];
  const environment = serverOf(engine.nameOf("tls"));
  try {
    const trusted = await runCli([...args, "--clickhouse-ca-file", cert], environment);
    assert.equal(trusted.status, 0, trusted.stderr);
    const unknown = await runCli(args, environment);
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /ClickHouse at https:\/\/127\.0\.0\.1:\d+ does not answer: .*self-signed certificate/);
  } finally {
    front.close();
  }
});

function opensslMissing(): string | false {
  return spawnSync("openssl", ["version"]).status === 0 ? false : "no openssl on PATH";
}

describe("the form for a cluster", () => {
  const layout = { database: "callchain", cluster: "main" };

  test("of every migration parses on the engine as replicated tables, faces and ON CLUSTER", async () => {
    const migrations = await listMigrations();
    const statements = migrations.flatMap((migration) =>
      migration.statements.flatMap((statement) => renderStatement(statement, layout)),
    );
    assert.ok(statements.length >= 2 * migrations.length);
    for (const statement of statements) {
      const { rows } = await server.query<{ text: string }>("SELECT formatQuery({statement:String}) AS text", {
        params: { statement },
      });
      assert.match(rows[0]?.text ?? "", / ON CLUSTER main\b/);
      if (/^(?:ALTER|DROP) TABLE /.test(statement)) continue;
      assert.match(
        rows[0]?.text ?? "",
        /^ENGINE = (?:Replicated\w*MergeTree\('\/clickhouse\/tables\/\{shard\}\/callchain\/\w+', '\{replica\}'|Distributed\('main', callchain, \w+\))/m,
      );
      if (/Replicated/.test(statement)) assert.match(rows[0]?.text ?? "", /replicated_deduplication_window = 0/);
    }
  });

  test("of a dry run begins with the databases and a ledger that all nodes share", async () => {
    const { status, stdout, stderr } = await dryRun("wide", ["--clickhouse-cluster", "{cluster}"]);
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^CREATE DATABASE IF NOT EXISTS wide ON CLUSTER '\{cluster\}';$/m);
    assert.match(stdout, /^CREATE DATABASE IF NOT EXISTS wide_all ON CLUSTER '\{cluster\}';$/m);
    assert.match(
      stdout,
      /^ENGINE = ReplicatedMergeTree\('\/clickhouse\/tables\/all\/wide\/schema_migrations', '\{shard\}-\{replica\}'\)$/m,
    );
  });

  test("follows a change of a table with its face, and engine arguments with the replica's", () => {
    assert.deepEqual(renderStatement("ALTER TABLE spans ADD COLUMN IF NOT EXISTS x UInt8", layout), [
      "ALTER TABLE callchain.spans ON CLUSTER 'main' ADD COLUMN IF NOT EXISTS x UInt8",
      "CREATE OR REPLACE TABLE callchain_all.spans ON CLUSTER 'main' AS callchain.spans ENGINE = Distributed('main', callchain, spans)",
    ]);
    const [created] = renderStatement(
      "CREATE TABLE IF NOT EXISTS t\n(a UInt8)\nENGINE = ReplacingMergeTree(a)\nORDER BY a",
      layout,
    );
    assert.match(created ?? "", /^ENGINE = ReplicatedReplacingMergeTree\('.*', '\{replica\}', a\)$/m);
  });

  test("refuses a statement whose form it does not know, and names what it does", () => {
    for (const statement of ["INSERT INTO spans SELECT 1", "CREATE MATERIALIZED VIEW v AS SELECT 1", "DROP TABLE spans"]) {
      assert.throws(
        () => renderStatement(statement, layout),
        /accepted are CREATE TABLE IF NOT EXISTS, ALTER TABLE and DROP TABLE IF EXISTS/,
      );
    }
  });
});
