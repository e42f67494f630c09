/**
 * Versioned migrations: `migrations/NNNN-name.sql` in order, each applied once and remembered with a checksum in
 * `schema_migrations`. Statements of a file end in `;` at the end of a line, are of the forms that schema-layout.ts knows, and are
 * written so that a repetition does no harm (IF NOT EXISTS): after a crash in the middle of a file the next run simply runs it again.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { Failure } from "../span/errors.ts";
import type { Log } from "../runtime/log.ts";
import type { SpanDatabase } from "./database.ts";
import { CLICKHOUSE_CODE, clickHouseCodeOf } from "./errors.ts";
import { withMigrationLock } from "./migration-lock.ts";
import { planRetention, type Retention } from "./retention.ts";
import { renderDatabases, renderLedger, renderStatement, type SchemaLayout } from "./schema-layout.ts";

const FOLDER = new URL("migrations/", import.meta.url);
const FILE_NAME = /^(\d{4})-([a-z0-9-]+)\.sql$/;

/**
 * Earlier forms of a migration, by its version, that a database may have been made with: all that this release asks, it answers as well.
 * 1: spans in the order of time alone; the questions that name a service read several times as much there.
 */
const EARLIER_CHECKSUMS: ReadonlyMap<number, readonly string[]> = new Map([
  [1, ["a446b4a496ff326e6eb8ee9aef1c85d52375fdef302184343119d76d0292d8e2"]],
]);

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly statements: readonly string[];
}

export interface SchemaOptions extends Partial<SchemaLayout> {
  /** How long spans are kept; left out, it stays as it is. */
  readonly retention?: Retention;
}

/** Parts that a statement rewrites may have to wait for merges of hours; what is asked meanwhile is answered all the same. */
const IN_BACKGROUND = { mutations_sync: 0 };

/** One step of a migration, with the statements that make it. */
export interface Step {
  readonly title: string;
  readonly statements: readonly string[];
  /** The migration that is noted as applied after the step; null for what belongs to none. */
  readonly migration: Migration | null;
}

/**
 * What `migrate` would do, without doing it; empty where there is nothing to do. The database's own name is not needed at its URL: every
 * statement names it. Rejects as `migrate` does.
 */
export async function planMigration(database: SpanDatabase, options: SchemaOptions = {}): Promise<readonly Step[]> {
  const layout = layoutOf(options);
  const migrations = await listMigrations();
  const hasLedger = await exists(database, layout);
  const applied = hasLedger ? await listApplied(database, layout.database) : new Map<number, string>();
  refuseStrangers(applied, migrations);
  const steps: Step[] = [];
  if (!hasLedger) {
    const statements = [...renderDatabases(layout), renderLedger(layout)];
    steps.push({ title: `database ${layout.database}`, statements, migration: null });
  }
  for (const migration of migrations) {
    if (applied.has(migration.version)) continue;
    steps.push({
      title: `migration ${migration.version}, ${migration.name}`,
      statements: migration.statements.flatMap((statement) => renderStatement(statement, layout)),
      migration,
    });
  }
  const kept = options.retention === undefined ? [] : await planRetention(database, layout, options.retention);
  if (kept.length > 0) steps.push({ title: "retention", statements: kept, migration: null });
  return steps;
}

/**
 * Brings the database to the newest schema; a second run changes nothing, and of two at once on one server the second waits for the
 * first. Resolves with the steps taken. Rejects with Failure "internal" where the database was written by a newer release or where an
 * applied migration differs from the file of that version; with the SpanDatabase's own failures otherwise.
 */
export async function migrate(database: SpanDatabase, logger: Log, options: SchemaOptions = {}): Promise<readonly Step[]> {
  const { database: name } = layoutOf(options);
  return await withMigrationLock(database, name, logger, async (assertHeld) => {
    const steps = await planMigration(database, options);
    for (const { title, statements, migration } of steps) {
      for (const statement of statements) {
        assertHeld();
        await database.command(statement, { settings: IN_BACKGROUND });
      }
      if (migration !== null) await noteApplied(database, name, migration);
      logger.info({ step: title }, "the schema has taken a step");
    }
    return steps;
  });
}

/**
 * Resolves when the database that the connection names holds every migration of this release; a newer schema is fine, migrations only
 * add. Rejects with Failure "unavailable" naming what is missing and the mend.
 */
export async function requireSchema(database: SpanDatabase, timeoutMs = 5000): Promise<void> {
  const migrations = await listMigrations();
  let found: ReadonlySet<number>;
  try {
    const { rows } = await database.query<{ version: number }>("SELECT DISTINCT version FROM schema_migrations", { timeoutMs });
    found = new Set(rows.map((row) => row.version));
  } catch (error) {
    const code = clickHouseCodeOf(error);
    if (code !== CLICKHOUSE_CODE.unknownTable && code !== CLICKHOUSE_CODE.unknownDatabase) throw error;
    found = new Set();
  }
  const missing = migrations.filter(({ version }) => !found.has(version));
  if (missing.length === 0) return;
  const names = missing.map(({ version, name }) => `${version} (${name})`).join(", ");
  throw new Failure("unavailable", `the database lacks schema migrations ${names}: run callchain migrate`);
}

function layoutOf({ database = "default", cluster = null }: SchemaOptions): SchemaLayout {
  return { database, cluster };
}

async function exists(database: SpanDatabase, layout: SchemaLayout): Promise<boolean> {
  const { rows } = await database.query<{ n: string }>(
    "SELECT count() AS n FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'",
    { params: { database: layout.database } },
  );
  return rows[0]?.n !== "0";
}

async function noteApplied(database: SpanDatabase, name: string, migration: Migration): Promise<void> {
  await database.command(
    `INSERT INTO ${name}.schema_migrations (version, name, checksum) SELECT {version:UInt32}, {name:String}, {checksum:String}`,
    { params: { version: migration.version, name: migration.name, checksum: migration.checksum } },
  );
}

async function listApplied(database: SpanDatabase, name: string): Promise<Map<number, string>> {
  const { rows } = await database.query<{ version: number; checksum: string }>(
    `SELECT version, any(checksum) AS checksum FROM ${name}.schema_migrations GROUP BY version ORDER BY version`,
  );
  return new Map(rows.map((row) => [row.version, row.checksum]));
}

function refuseStrangers(applied: ReadonlyMap<number, string>, migrations: readonly Migration[]): void {
  const known = new Map(migrations.map((migration) => [migration.version, migration]));
  for (const [version, checksum] of applied) {
    const migration = known.get(version);
    if (migration === undefined) {
      throw new Failure(
        "internal",
        `the database holds schema version ${version}, this release knows up to ${migrations.at(-1)?.version ?? 0}: run a newer release`,
      );
    }
    if (migration.checksum !== checksum && EARLIER_CHECKSUMS.get(version)?.includes(checksum) !== true) {
      throw new Failure(
        "internal",
        `schema migration ${version} (${migration.name}) was applied in another form than this release carries: run the release that wrote the data, or start with an empty data directory`,
      );
    }
  }
}

/** Every migration this release carries, oldest first. */
export async function listMigrations(): Promise<readonly Migration[]> {
  const migrations: Migration[] = [];
  for (const file of (await readdir(FOLDER)).sort()) {
    const match = FILE_NAME.exec(file);
    if (match?.[1] === undefined || match[2] === undefined) {
      throw new Failure("internal", `schemas/clickhouse/migrations/${file}: expected a name such as 0001-spans.sql`);
    }
    const text = await readFile(new URL(file, FOLDER), "utf8");
    migrations.push({
      version: Number(match[1]),
      name: match[2],
      checksum: createHash("sha256").update(text).digest("hex"),
      statements: splitStatements(text),
    });
  }
  return migrations;
}

/** Splits at `;` at the end of a line; lines that are only a comment are left out. */
export function splitStatements(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => !line.trimStart().startsWith("--"))
    .join("\n")
    .split(/;[ \t]*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== "");
}
