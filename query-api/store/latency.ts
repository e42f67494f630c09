/** Percentiles, counts, errors and examples of spans over time, as a whole or by one field. */
import type { LatencyAnswer, LatencyGroup } from "@callchain/schemas/api/catalog.ts";
import type { z } from "zod";
import { Bindings } from "../search/bindings.ts";
import { compileQuery } from "../search/compile.ts";
import { formatQuery, type Query } from "../search/query.ts";
import { compileGroupField, type GroupField } from "./group-by.ts";
import { IN_RANGE, buildScan, rangeParams, type Asking, type TimeRange } from "./range.ts";
import { SpanFigures, countSpansByPoint, type PointFigures } from "./span-histograms.ts";
import { chooseStepNano, countPoints } from "./steps.ts";

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

/**
 * Two statements where there are groups: which are the largest, then their points. Every stored span counts, copies that an exporter sent
 * again too. Throws Failure "timeout" or "overloaded" where the range is too much for the limits in force.
 */
export async function getLatency(question: LatencyQuestion, asking: Asking): Promise<LatencyAnswer> {
  const startedMs = performance.now();
  const { range, by, percentiles } = question;
  const stepNano = question.stepNano ?? chooseStepNano(range);
  const bindings = new Bindings("g");
  const bySql = by === null ? "CAST(NULL, 'Nullable(String)')" : compileGroupField(by.field, bindings);
  const compiled = compileQuery(question.query, { traceScope: IN_RANGE });
  const where = `${IN_RANGE} AND (${compiled.where})`;
  const params = { ...rangeParams(range), ...compiled.params, ...bindings.params, step: stepNano.toString() };
  const { database, signal } = asking;

  const sizes =
    by === null
      ? null
      : await database.query<{ by: string | null }>(
          `SELECT ${bySql} AS by, count() AS calls FROM spans WHERE ${where}
           GROUP BY by ORDER BY calls DESC, by LIMIT ${question.groupCountMax + 1}`,
          { params, signal },
        );
  const shown = sizes?.rows.slice(0, question.groupCountMax).map((row) => row.by) ?? [null];
  const isCut = sizes !== null && sizes.rows.length > shown.length;
  const { points, scan } = await countSpansByPoint(
    {
      where: `${where}${isCut ? " AND (has({shown:Array(String)}, by) OR (by IS NULL AND {showsNull:UInt8} = 1))" : ""}`,
      by: bySql,
      params: { ...params, shown: shown.filter((value) => value !== null), showsNull: shown.includes(null) ? 1 : 0 },
    },
    asking,
  );
  return {
    fromNano: range.from.toString(),
    toNano: range.to.toString(),
    stepSeconds: Number(stepNano) / 1e9,
    percentiles: [...percentiles],
    by: by?.text ?? null,
    query: formatQuery(question.query),
    groups: buildGroups(question, stepNano, shown, points),
    scan: buildScan(
      sizes === null ? [scan] : [sizes.scan, scan],
      startedMs,
      isCut ? [`The ${question.groupCountMax} largest groups are shown; there are more: narrow the query or raise groups.`] : [],
    ),
  };
}

function buildGroups(
  { range, percentiles }: LatencyQuestion,
  stepNano: bigint,
  shown: readonly (string | null)[],
  points: readonly PointFigures[],
): z.infer<typeof LatencyGroup>[] {
  const first = range.from / stepNano;
  const pointCount = countPoints(range, stepNano);
  const nothing = new SpanFigures();
  const byGroup = Map.groupBy(points, (point) => point.by);
  return shown.map((by) => {
    const found = new Map((byGroup.get(by) ?? []).map(({ point, figures }) => [point, figures]));
    const total = new SpanFigures();
    for (const figures of found.values()) total.merge(figures);
    return {
      by,
      total: buildFigures(total, percentiles),
      points: Array.from({ length: pointCount }, (_, index) => {
        const point = first + BigInt(index);
        return { timeNano: (point * stepNano).toString(), ...buildFigures(found.get(point) ?? nothing, percentiles) };
      }),
    };
  });
}

function buildFigures(figures: SpanFigures, percentiles: readonly number[]): z.infer<typeof LatencyGroup>["total"] {
  const { count, errorCount, slowest, slowestError } = figures;
  return { count, errorCount, percentilesNano: figures.durations.percentiles(percentiles), slowest, slowestError };
}
