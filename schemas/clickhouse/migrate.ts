/**
 * Versioned migrations: `migrations/NNNN-name.sql` in order, each applied once and remembered with a checksum in
 * `schema_migrations`. Statements of a file end in `;` at the end of a line and are written so that a repetition does no harm
 * (IF NOT EXISTS): after a crash in the middle of a file the next start simply runs it again.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { Failure } from "../span/errors.ts";
import type { Log } from "../runtime/log.ts";
import type { SpanDatabase } from "./database.ts";

const FOLDER = new URL("migrations/", import.meta.url);
const FILE_NAME = /^(\d{4})-([a-z0-9-]+)\.sql$/;

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly statements: readonly string[];
}

const CREATE_LEDGER = `
  CREATE TABLE IF NOT EXISTS schema_migrations
  (version UInt32, name String, checksum String, applied_at DateTime64(3) DEFAULT now64(3))
  ENGINE = MergeTree ORDER BY version`;

/**
 * Brings the database to the newest schema; a second run changes nothing. Rejects with Failure "internal" where the database was
 * written by a newer release or where an applied migration differs from the file of that version; with the SpanDatabase's own
 * failures otherwise.
 */
export async function migrate(database: SpanDatabase, logger: Log): Promise<void> {
  const migrations = await listMigrations();
  await database.command(CREATE_LEDGER);
  const applied = await listApplied(database);
  refuseStrangers(applied, migrations);
  for (const migration of migrations) {
    if (applied.has(migration.version)) continue;
    for (const statement of migration.statements) await database.command(statement);
    await database.command(
      "INSERT INTO schema_migrations (version, name, checksum) SELECT {version:UInt32}, {name:String}, {checksum:String}",
      { params: { version: migration.version, name: migration.name, checksum: migration.checksum } },
    );
    logger.info({ version: migration.version, name: migration.name }, "applied a schema migration");
  }
}

async function listApplied(database: SpanDatabase): Promise<Map<number, string>> {
  const { rows } = await database.query<{ version: number; checksum: string }>(
    "SELECT version, any(checksum) AS checksum FROM schema_migrations GROUP BY version ORDER BY version",
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
    if (migration.checksum !== checksum) {
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
