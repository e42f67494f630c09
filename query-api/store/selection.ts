/** What is counted, as SQL over the rollups and over the raw spans that they do not hold. */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { startsIn } from "@callchain/schemas/clickhouse/edges/scope.ts";
import { Bindings } from "../search/bindings.ts";
import { compileQuery } from "../search/compile.ts";
import type { GroupField, Query } from "../search/query.ts";
import { compileInRange } from "./compile-in-range.ts";
import { compileGroupField } from "./group-by.ts";
import { IN_RANGE, IS_ENTRY, IS_ENTRY_COUNTED, rangeParams, type Asking, type TimeRange } from "./range.ts";
import { outsideOf, planRollup, type PointsOf, type RollupPlan } from "./rollup-plan.ts";

export interface Selection {
  readonly range: TimeRange;
  /** null: the whole range is one point. */
  readonly stepNano: bigint | null;
  readonly query: Query;
  /** null: no groups, all under null. */
  readonly by: GroupField | null;
  /** Only the spans through which work enters a service. */
  readonly isEntry: boolean;
  /** Only these groups; null: all. */
  readonly groups: readonly (string | null)[] | null;
}

/** Without groups both are empty: a column of NULLs among the keys makes them texts, and counting half as fast. */
interface Group {
  /** ", ... AS by" of a SELECT. */
  readonly column: string;
  /** ", by" of a GROUP BY. */
  readonly key: string;
}

export interface RollupSql {
  readonly point: string;
  readonly by: string | null;
  readonly where: string;
}

/** What a statement needs of a selection, for both tables. */
export interface CompiledSelection {
  readonly group: Group;
  readonly rollup: RollupSql | null;
  readonly raw: { readonly point: string; readonly source: (tail: string) => string };
  readonly params: Readonly<Record<string, unknown>>;
  /** Of what had to be asked first. */
  readonly scans: readonly ScanFigures[];
}

export function pointsOf({ stepNano }: Pick<Selection, "stepNano">): PointsOf {
  return stepNano === null ? { kind: "all" } : { kind: "step", nano: stepNano };
}

/** Of nanoseconds since 1970 in SQL, the number of the point. */
function pointSql(points: PointsOf, nano: string): string {
  if (points.kind === "step") return `intDiv(${nano}, {step:Int64})`;
  return points.kind === "split" ? `toInt64(${nano} >= {splitAt:Int64})` : "toInt64(0)";
}

export async function compileSelection(
  { range, query, by, isEntry, groups }: Omit<Selection, "stepNano">,
  points: PointsOf,
  asking: Asking,
): Promise<CompiledSelection> {
  const plan = planRollup(range, points, query, by);
  const bindings = new Bindings("g");
  const bySql = by === null ? "CAST(NULL, 'Nullable(String)')" : compileGroupField(by, bindings);
  const group = by === null ? { column: "", key: "" } : { column: `, ${bySql} AS by`, key: ", by" };
  // The rollups know services, kinds and statuses alone.
  const { where, params, scans } =
    plan === null ? await compileInRange(query, range, asking) : { ...compileQuery(query, { traceScope: IN_RANGE }), scans: [] };
  const both = `(${where})${groups === null ? "" : ` AND (has({groups:Array(String)}, ${bySql}) OR (${bySql} IS NULL AND {hasNull:UInt8} = 1))`}`;
  return {
    scans,
    group,
    rollup:
      plan === null
        ? null
        : {
            by: by === null ? null : bySql,
            point: pointSql(points, "toInt64(minute) * 60000000000"),
            where: `${plan.tiers} AND ${both}${isEntry ? ` AND ${IS_ENTRY_COUNTED}` : ""}`,
          },
    raw: {
      point: pointSql(points, "toUnixTimestamp64Nano(start)"),
      source: (tail) => rawSource(plan, range, tail, `${both}${isEntry ? ` AND ${IS_ENTRY}` : ""}`),
    },
    params: {
      ...rangeParams(range),
      ...params,
      ...bindings.params,
      ...(points.kind === "step" ? { step: points.nano.toString() } : {}),
      ...(points.kind === "split" ? { splitAt: points.at.toString() } : {}),
      groups: groups?.filter((group) => group !== null) ?? [],
      hasNull: groups?.includes(null) === true ? 1 : 0,
    },
  };
}

/** All that is asked of spans that the rollups could tell: of every column the server would take 10 ms to plan a statement. */
const COUNTED_COLUMNS = "trace_id, span_id, parent_span_id, start, duration_nano, service, kind, status";

/** Two selects, not one with OR: an index on log positions says nothing of a row that its start alone may let in. */
function rawSource(plan: RollupPlan | null, range: TimeRange, tail: string, where: string): string {
  if (plan === null) return `spans WHERE ${IN_RANGE} AND ${where}`;
  const uncounted = `spans WHERE ${startsIn(plan.minutes)} AND ${tail} AND ${where}`;
  const outside = outsideOf(plan, range);
  if (outside.length === 0) return uncounted;
  return `(SELECT ${COUNTED_COLUMNS} FROM spans WHERE ${startsIn(outside)} AND ${where}
    UNION ALL SELECT ${COUNTED_COLUMNS} FROM ${uncounted})`;
}
