/**
 * How long rows are kept: a TTL per table, changed by `migrate` when another is asked for. Rows of a part have one day of arrival, so
 * whole parts expire together and are dropped without being rewritten.
 *
 * Rows also say how far the log was read (insert-spans.ts). Keep them longer than the log keeps its records, or a partition that was idle
 * for longer than the retention is read again from the log's beginning.
 */
import type { SpanDatabase } from "./database.ts";
import { renderStatement, type SchemaLayout } from "./schema-layout.ts";

/** Whole days since arrival, or no end. */
export type Retention = { readonly days: number } | "forever";

/** The tables that end, and the day their rows count from. */
const RETAINED: readonly { readonly table: string; readonly day: string }[] = [
  { table: "spans", day: "ingest_day" },
  // What earlier releases counted (migrations 0007 and 0009).
  { table: "span_rollups", day: "ingest_day" },
  { table: "resource_rollups", day: "ingest_day" },
  { table: "service_rollups", day: "ingest_day" },
  { table: "resource_counts", day: "ingest_day" },
  { table: "edge_rollups", day: "ingest_day" },
];

const TTL_DAYS = /\bTTL (\w+) \+ toIntervalDay\((\d+)\)/;

/** The statements that bring every table to this retention; none where they have it. */
export async function planRetention(database: SpanDatabase, layout: SchemaLayout, retention: Retention): Promise<string[]> {
  const { rows } = await database.query<{ name: string; engine_full: string }>(
    "SELECT name, engine_full FROM system.tables WHERE database = {database:String}",
    { params: { database: layout.database } },
  );
  const engines = new Map(rows.map((row) => [row.name, row.engine_full]));
  const wanted = retention === "forever" ? null : retention.days;
  return RETAINED.flatMap(({ table, day }) => {
    const found = TTL_DAYS.exec(engines.get(table) ?? "");
    const days = found?.[2] === undefined ? null : Number(found[2]);
    if (days === wanted) return [];
    const changes =
      wanted === null
        ? [`ALTER TABLE ${table} REMOVE TTL`]
        : [
            `ALTER TABLE ${table} MODIFY SETTING ttl_only_drop_parts = 1, materialize_ttl_recalculate_only = 1`,
            `ALTER TABLE ${table} MODIFY TTL ${day} + INTERVAL ${wanted} DAY`,
          ];
    return changes.flatMap((statement) => renderStatement(statement, layout));
  });
}
