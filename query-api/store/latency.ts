/** Percentiles, counts and errors of spans over time, as a whole or by one field. */
import type { LatencyAnswer, LatencyGroup } from "@callchain/schemas/api/catalog.ts";
import { NANO_PER_MILLI, NANO_PER_SECOND } from "@callchain/schemas/span/time.ts";
import type { z } from "zod";
import { Bindings } from "../search/bindings.ts";
import { compileQuery } from "../search/compile.ts";
import { formatQuery, type Query } from "../search/query.ts";
import { compileGroupField, type GroupField } from "./group-by.ts";
import {
  IN_RANGE,
  buildScan,
  countSpans,
  quantilesSql,
  rangeParams,
  readPercentiles,
  type Asking,
  type TimeRange,
} from "./range.ts";

export interface LatencyQuestion {
  readonly range: TimeRange;
  readonly query: Query;
  /** null: steps of a round length, 60 to 120 of them where the range allows. */
  readonly stepNano: bigint | null;
  /** Above 0, below 100. */
  readonly percentiles: readonly number[];
  readonly by: { readonly text: string; readonly field: GroupField } | null;
  readonly groupCountMax: number;
}

export const LATENCY_POINT_COUNT_MAX = 2_000;
const POINT_COUNT_GOAL = 120n;

const ROUND_STEPS_NANO: readonly bigint[] = [
  ...[1n, 2n, 5n, 10n, 20n, 50n, 100n, 200n, 500n].map((ms) => ms * NANO_PER_MILLI),
  ...[1n, 2n, 5n, 10n, 15n, 30n, 60n, 120n, 300n, 600n, 900n, 1800n, 3600n, 7200n, 10_800n, 21_600n, 43_200n].map(
    (seconds) => seconds * NANO_PER_SECOND,
  ),
];
const DAY_NANO = 86_400n * NANO_PER_SECOND;

/** The shortest round step that covers the range with at most 120 points; whole days beyond 60 days. */
export function chooseStepNano({ from, to }: TimeRange): bigint {
  const length = to - from;
  const round = ROUND_STEPS_NANO.find((step) => length <= step * POINT_COUNT_GOAL);
  if (round !== undefined) return round;
  const dayCount = (length + DAY_NANO * POINT_COUNT_GOAL - 1n) / (DAY_NANO * POINT_COUNT_GOAL);
  return dayCount * DAY_NANO;
}

/** Steps begin at multiples of their length since the epoch, so that two questions share them; the first and last may be cut by the range. */
export function countPoints({ from, to }: TimeRange, stepNano: bigint): number {
  return Number((to - 1n) / stepNano - from / stepNano) + 1;
}

interface TotalRow {
  readonly by: string | null;
  readonly calls: string;
  readonly errors: string;
  readonly percentiles: (string | number | null)[];
}
type PointRow = TotalRow & { readonly point: string };

type Totals = z.infer<typeof LatencyGroup>["total"];

function buildTotals(row: TotalRow): Totals {
  const count = Number(row.calls);
  return { count, errorCount: Number(row.errors), percentilesNano: readPercentiles(row.percentiles, count) };
}

/**
 * Two statements: the groups by size, then the points of those shown. Throws Failure "timeout" or "overloaded" where the range is too
 * much for the limits in force.
 */
export async function getLatency(question: LatencyQuestion, asking: Asking): Promise<LatencyAnswer> {
  const startedMs = performance.now();
  const { range, by, percentiles } = question;
  const stepNano = question.stepNano ?? chooseStepNano(range);
  const bindings = new Bindings("g");
  const bySql = by === null ? "CAST(NULL, 'Nullable(String)')" : compileGroupField(by.field, bindings);
  const compiled = compileQuery(question.query, { traceScope: IN_RANGE });
  const where = `${IN_RANGE} AND (${compiled.where})`;
  const params = { ...rangeParams(range), ...compiled.params, ...bindings.params };
  const { database, signal } = asking;
  const counted = await countSpans(range, asking);
  const levels = percentiles.map((percentile) => String(percentile / 100)).join(", ");
  const columns = `count() AS calls, countIf(status = 2) AS errors, ${quantilesSql(counted.count)}(${levels})(duration_nano) AS percentiles`;

  const totals = await database.query<TotalRow>(
    `SELECT ${bySql} AS by, ${columns} FROM spans WHERE ${where}
     GROUP BY by ORDER BY calls DESC, by LIMIT ${question.groupCountMax + 1}`,
    { params, signal },
  );
  const shown = totals.rows.slice(0, question.groupCountMax);
  const isCut = totals.rows.length > shown.length;
  const points = await database.query<PointRow>(
    `SELECT ${bySql} AS by, intDiv(toUnixTimestamp64Nano(start), {step:Int64}) AS point, ${columns} FROM spans
     WHERE ${where}${isCut ? " AND (has({shown:Array(String)}, by) OR (by IS NULL AND {showsNull:UInt8} = 1))" : ""}
     GROUP BY by, point`,
    {
      params: {
        ...params,
        step: stepNano.toString(),
        shown: shown.flatMap((row) => (row.by === null ? [] : [row.by])),
        showsNull: shown.some((row) => row.by === null) ? 1 : 0,
      },
      signal,
    },
  );
  return {
    fromNano: range.from.toString(),
    toNano: range.to.toString(),
    stepSeconds: Number(stepNano) / 1e9,
    percentiles: [...percentiles],
    by: by?.text ?? null,
    query: formatQuery(question.query),
    groups: buildGroups(question, stepNano, shown, points.rows),
    scan: buildScan(
      [counted.scan, totals.scan, points.scan],
      startedMs,
      isCut ? [`The ${question.groupCountMax} largest groups are shown; there are more: narrow the query or raise groups.`] : [],
    ),
  };
}

function buildGroups(
  question: LatencyQuestion,
  stepNano: bigint,
  totals: readonly TotalRow[],
  points: readonly PointRow[],
): z.infer<typeof LatencyGroup>[] {
  const { range, percentiles } = question;
  const first = range.from / stepNano;
  const pointCount = countPoints(range, stepNano);
  const nothing: Totals = { count: 0, errorCount: 0, percentilesNano: percentiles.map(() => null) };
  const byGroup = Map.groupBy(points, (row) => row.by);
  const shown =
    totals.length > 0 || question.by !== null
      ? totals.map((row) => ({ by: row.by, total: buildTotals(row) }))
      : [{ by: null, total: nothing }];
  return shown.map(({ by, total }) => {
    const found = new Map((byGroup.get(by) ?? []).map((row) => [BigInt(row.point), buildTotals(row)]));
    return {
      by,
      total,
      points: Array.from({ length: pointCount }, (_, index) => {
        const point = first + BigInt(index);
        return { timeNano: (point * stepNano).toString(), ...(found.get(point) ?? nothing) };
      }),
    };
  });
}
