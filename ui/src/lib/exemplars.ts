/** Which example spans a chart shows: enough to choose from, few enough to be told apart. */
import type { LatencyAnswer } from "@callchain/schemas/api/catalog.ts";

type Point = LatencyAnswer["groups"][number]["points"][number];

export interface ChartExemplar {
  /** Start of its step. */
  readonly atMs: number;
  readonly durationNano: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly isError: boolean;
}

/** Of each of at most `countMax` equal parts of the series one: the longest that failed, or else the longest. Early to late. */
export function pickExemplars(points: readonly Point[], countMax: number): ChartExemplar[] {
  const size = Math.max(1, Math.ceil(points.length / Math.max(1, countMax)));
  const picked: ChartExemplar[] = [];
  for (let from = 0; from < points.length; from += size) {
    const part = points.slice(from, from + size);
    const best = longest(part, true) ?? longest(part, false);
    if (best !== null) picked.push(best);
  }
  return picked;
}

function longest(points: readonly Point[], isError: boolean): ChartExemplar | null {
  let best: ChartExemplar | null = null;
  for (const { timeNano, slowest, slowestError } of points) {
    const span = isError ? slowestError : slowest;
    if (span === null || (best !== null && best.durationNano >= span.durationNano)) continue;
    best = { atMs: Number(BigInt(timeNano) / 1_000_000n), ...span, isError };
  }
  return best;
}
