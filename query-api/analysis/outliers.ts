/**
 * What sets some spans - the selection - apart from the rest: for every value of every field, how much larger its share is in the
 * selection than in the rest, less what chance alone could make of samples of this size:
 *
 *   score = |p - r| - 1.96 sqrt(p (1 - p) / n + r (1 - r) / m) - (1 / n + 1 / m) / 2      p = share among the n selected, r among the m others
 *
 * with the sign of p - r, and 0 where the margin is larger (the interval for a difference of proportions, with Yates' correction for
 * continuity). An id that never repeats has shares near 0 on both sides and scores nothing, however many values its field has;
 * that is why the measure is no entropy or lift, which such fields would head. A field's score is its best value's. Numbers are asked for
 * the bound that parts the two sides best (as the Kolmogorov-Smirnov statistic does) where they have many values.
 */
import type { OutlierField, OutlierValue } from "@callchain/schemas/api/analysis.ts";

/** Spans of each side. */
export interface SideCounts {
  readonly selection: number;
  readonly rest: number;
}

export interface CountedValue extends SideCounts {
  readonly value: string;
  readonly condition: string | null;
}

const VALUE_COUNT_MAX = 10;
const Z_95 = 1.96;

function shareOf(count: number, total: number): number {
  return total === 0 ? 0 : Math.min(1, count / total);
}

/** From -1 (all of the rest has it, none of the selection) to 1. */
export function scoreCounts(counts: SideCounts, totals: SideCounts): number {
  if (totals.selection === 0 || totals.rest === 0) return 0;
  const p = shareOf(counts.selection, totals.selection);
  const r = shareOf(counts.rest, totals.rest);
  const spread = Math.sqrt((p * (1 - p)) / totals.selection + (r * (1 - r)) / totals.rest);
  const margin = Z_95 * spread + (1 / totals.selection + 1 / totals.rest) / 2;
  return Math.sign(p - r) * Math.max(0, Math.abs(p - r) - margin);
}

/** A field whose values were counted. `coverage` counts the spans that have it at all. */
export function buildField(
  field: Pick<OutlierField, "field" | "type" | "valueCount">,
  coverage: SideCounts,
  values: readonly CountedValue[],
  totals: SideCounts,
): OutlierField {
  const side = (counts: SideCounts, which: keyof SideCounts): OutlierValue["selection"] => ({
    spanCount: counts[which],
    share: shareOf(counts[which], totals[which]),
  });
  const scored = values
    .map((counted): OutlierValue => ({
      value: counted.value,
      condition: counted.condition,
      selection: side(counted, "selection"),
      rest: side(counted, "rest"),
      score: scoreCounts(counted, totals),
    }))
    .toSorted(
      (a, b) => Math.abs(b.score) - Math.abs(a.score) || b.score - a.score || b.selection.spanCount - a.selection.spanCount,
    )
    .slice(0, VALUE_COUNT_MAX);
  return {
    ...field,
    score: Math.abs(scored[0]?.score ?? 0),
    selection: side(coverage, "selection"),
    rest: side(coverage, "rest"),
    values: scored.toSorted((a, b) => b.score - a.score),
  };
}

/** Numbers from `edge` up to the next bucket's. */
export interface NumberBucket extends SideCounts {
  readonly edge: number;
}

export interface Bound extends SideCounts {
  readonly comparison: ">=" | "<";
  readonly edge: number;
}

/** The bound that the selection is furthest above the rest at, and the one below; only those that part anything. */
export function findBounds(buckets: readonly NumberBucket[], totals: SideCounts): Bound[] {
  const sorted = buckets.toSorted((a, b) => a.edge - b.edge);
  const all = sumCounts(sorted);
  const bounds: Bound[] = [];
  let below: SideCounts = { selection: 0, rest: 0 };
  for (const { edge, selection, rest } of sorted) {
    if (below.selection + below.rest > 0) {
      bounds.push({ comparison: "<", edge, ...below });
      bounds.push({ comparison: ">=", edge, selection: all.selection - below.selection, rest: all.rest - below.rest });
    }
    below = { selection: below.selection + selection, rest: below.rest + rest };
  }
  const best = (comparison: Bound["comparison"]): Bound[] =>
    bounds
      .filter((bound) => bound.comparison === comparison)
      .toSorted((a, b) => scoreCounts(b, totals) - scoreCounts(a, totals))
      .slice(0, 1);
  return [...best(">="), ...best("<")];
}

export function sumCounts(counts: readonly SideCounts[]): SideCounts {
  return counts.reduce<SideCounts>(
    (sum, { selection, rest }) => ({ selection: sum.selection + selection, rest: sum.rest + rest }),
    { selection: 0, rest: 0 },
  );
}

/** Highest score first; of equals the field with fewer values, which says more with one of them. */
export function rankFields(fields: readonly OutlierField[]): OutlierField[] {
  return fields.toSorted(
    (a, b) => b.score - a.score || a.valueCount - b.valueCount || (a.field < b.field ? -1 : a.field > b.field ? 1 : 0),
  );
}
