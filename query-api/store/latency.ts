/** Percentiles, counts, errors and examples of spans over time, as a whole or by one field. */
import type { LatencyAnswer, LatencyGroup } from "@callchain/schemas/api/catalog.ts";
import type { z } from "zod";
import { formatQuery, type GroupField, type Query } from "../search/query.ts";
import { chooseStep } from "./choose-step.ts";
import { countCalls, countDurations } from "./count-spans.ts";
import { buildScan, type Asking, type TimeRange } from "./range.ts";
import { SpanFigures, type PointFigures } from "./span-figures.ts";
import { countPoints } from "./steps.ts";

export interface LatencyQuestion {
  readonly range: TimeRange;
  readonly query: Query;
  /** null: chooseStep's. */
  readonly stepNano: bigint | null;
  /** Above 0, below 100. */
  readonly percentiles: readonly number[];
  readonly by: { readonly text: string; readonly field: GroupField } | null;
  readonly groupCountMax: number;
}

/**
 * First which groups are the largest, then their points. Every stored span counts, copies that an exporter sent
 * again too. Throws Failure "timeout" or "overloaded" where the range is too much for the limits in force.
 */
export async function getLatency(question: LatencyQuestion, asking: Asking): Promise<LatencyAnswer> {
  const startedMs = performance.now();
  const { range, by, percentiles, query, groupCountMax } = question;
  const selection = { range, query, by: by?.field ?? null, isEntry: false, groups: null };
  const { stepNano, scans } = await chooseStep({ ...selection, stepNano: question.stepNano }, asking);
  const sizes = by === null ? null : await countCalls({ ...selection, stepNano: null }, groupCountMax + 1, asking);
  const largest = sizes?.found.toSorted((a, b) => b.figures.count - a.figures.count || compareGroups(a.by, b.by)) ?? [];
  const shown = sizes === null ? [null] : largest.slice(0, groupCountMax).map((group) => group.by);
  const isCut = largest.length > groupCountMax;
  const counted = await countDurations({ ...selection, stepNano, groups: isCut ? shown : null }, asking);
  return {
    fromNano: range.from.toString(),
    toNano: range.to.toString(),
    stepSeconds: Number(stepNano) / 1e9,
    percentiles: [...percentiles],
    by: by?.text ?? null,
    query: formatQuery(query),
    groups: buildGroups(question, stepNano, shown, counted.found),
    scan: buildScan(
      [...scans, ...(sizes?.scans ?? []), ...counted.scans],
      startedMs,
      isCut ? [`The ${groupCountMax} largest groups are shown; there are more: narrow the query or raise groups.`] : [],
    ),
  };
}

/** Where the attribute is absent comes last. */
function compareGroups(a: string | null, b: string | null): number {
  if (a === b) return 0;
  return a === null || (b !== null && a > b) ? 1 : -1;
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
