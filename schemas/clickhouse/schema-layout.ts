/**
 * One source of DDL for a single server and for a cluster. Migrations are written for a single server; here a statement becomes what is
 * sent. On a single server only the database is put before the table's name. On a cluster of shards and replicas:
 *
 *   callchain.spans       ON CLUSTER, ReplicatedMergeTree: the rows of one shard. Writers store here, on the shard of their log partition
 *   callchain_all.spans   ON CLUSTER, Distributed over callchain.spans: the rows of all shards. Readers ask here
 *
 * The two databases have the same table names, so no other SQL knows of clusters: the database of a connection decides.
 *
 * The Distributed face has no sharding key on purpose. With several shards ClickHouse then refuses inserts through it, which are not
 * atomic across shards and so would break "every span once"; and nobody can turn on `optimize_skip_unused_shards`, which would leave
 * out rows: what decides on a span's shard is the log partition of its record, not a hash that ClickHouse knows.
 */
import { Failure } from "../span/errors.ts";

export interface SchemaLayout {
  readonly database: string;
  /** A cluster of ClickHouse's `remote_servers`, or a macro such as `{cluster}`; null for a single server. */
  readonly cluster: string | null;
}

/** The database with the Distributed faces. */
export function faceDatabaseOf(database: string): string {
  return `${database}_all`;
}

/** A new statement form, or table, is added here before a migration can use it. */
const CREATE_TABLE = /^CREATE TABLE IF NOT EXISTS (\w+)(?=\s)/;
const ALTER_TABLE = /^ALTER TABLE (\w+)(?=\s)/;
const DROP_TABLE = /^DROP TABLE IF EXISTS (\w+)$/;
const ENGINE = /^ENGINE = (\w*MergeTree)(?:\(([^()]*)\))?$/m;

/**
 * The statements to send for one statement of a migration, in order; each may be repeated without harm. Throws Failure "internal" for a
 * statement whose form is not known here.
 */
export function renderStatement(statement: string, layout: SchemaLayout): string[] {
  const created = CREATE_TABLE.exec(statement);
  if (created?.[1] !== undefined) {
    const table = created[1];
    const head = `CREATE TABLE IF NOT EXISTS ${target(table, layout)}`;
    const text = head + statement.slice(created[0].length);
    if (layout.cluster === null) return [text];
    return [replicate(text, `'/clickhouse/tables/{shard}/${layout.database}/${table}', '{replica}'`), renderFace(table, layout)];
  }
  const altered = ALTER_TABLE.exec(statement);
  if (altered?.[1] !== undefined) {
    const text = `ALTER TABLE ${target(altered[1], layout)}${statement.slice(altered[0].length)}`;
    return layout.cluster === null ? [text] : [text, renderFace(altered[1], layout)];
  }
  const dropped = DROP_TABLE.exec(statement);
  if (dropped?.[1] !== undefined) {
    const text = `DROP TABLE IF EXISTS ${target(dropped[1], layout)}`;
    if (layout.cluster === null) return [text];
    return [
      `DROP TABLE IF EXISTS ${target(dropped[1], { ...layout, database: faceDatabaseOf(layout.database) })}`,
      `${text} SYNC`,
    ];
  }
  const given = statement.split("\n")[0] ?? "";
  throw new Failure(
    "internal",
    `schema migration: given ${JSON.stringify(given)}, accepted are CREATE TABLE IF NOT EXISTS, ALTER TABLE and DROP TABLE IF EXISTS`,
  );
}

/** The database itself, and on a cluster the one with the faces. */
export function renderDatabases({ database, cluster }: SchemaLayout): string[] {
  const create = `CREATE DATABASE IF NOT EXISTS`;
  if (cluster === null) return [`${create} ${database}`];
  return [
    `${create} ${database} ON CLUSTER ${quote(cluster)}`,
    `${create} ${faceDatabaseOf(database)} ON CLUSTER ${quote(cluster)}`,
  ];
}

/** What was applied. On a cluster every node of every shard holds the same ledger, whichever one `callchain migrate` talks to. */
export function renderLedger(layout: SchemaLayout): string {
  const text = `CREATE TABLE IF NOT EXISTS ${target("schema_migrations", layout)}
(version UInt32, name String, checksum String, applied_at DateTime64(3) DEFAULT now64(3))
ENGINE = MergeTree
ORDER BY version`;
  if (layout.cluster === null) return text;
  return replicate(text, `'/clickhouse/tables/all/${layout.database}/schema_migrations', '{shard}-{replica}'`);
}

function target(table: string, { database, cluster }: SchemaLayout): string {
  return `${database}.${table}${cluster === null ? "" : ` ON CLUSTER ${quote(cluster)}`}`;
}

/**
 * A replicated table drops a block that looks like one of the last it took; a repetition after a doubtful failure would be dropped even
 * where the first one did not last. The comparison of offsets (insert-spans.ts) does this work, so the window is closed.
 */
function replicate(text: string, coordinates: string): string {
  const engine = ENGINE.exec(text);
  if (engine?.[1] === undefined) {
    throw new Failure("internal", "schema migration: no line `ENGINE = ...MergeTree` in a CREATE TABLE: a cluster needs one");
  }
  const rest = engine[2] === undefined || engine[2].trim() === "" ? "" : `, ${engine[2]}`;
  const replicated = text.replace(ENGINE, () => `ENGINE = Replicated${engine[1]}(${coordinates}${rest})`);
  return `${replicated}${/^SETTINGS /m.test(replicated) ? "," : "\nSETTINGS"} replicated_deduplication_window = 0`;
}

/** Replaced, not altered, after each change of its table: it holds no rows. */
function renderFace(table: string, layout: SchemaLayout): string {
  const { database, cluster } = layout;
  const face = target(table, { database: faceDatabaseOf(database), cluster });
  return `CREATE OR REPLACE TABLE ${face} AS ${database}.${table} ENGINE = Distributed(${quote(cluster ?? "")}, ${database}, ${table})`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
