/** What is known of some spans: how many, how long, which failed, which stand for them. Pure. */
import type { Exemplar } from "@callchain/schemas/api/aggregates.ts";
import { DurationHistogram } from "./duration-histogram.ts";

/** Two of them add up to what is known of all their spans. */
export class SpanFigures {
  count = 0;
  errorCount = 0;
  /** Empty where only counts were asked for, and so are the examples. */
  readonly durations = new DurationHistogram();
  /** Server spans without a parent, and others but consumers, where they were asked for. */
  serverRootCount = 0;
  otherRootCount = 0;
  slowest: Exemplar | null = null;
  slowestError: Exemplar | null = null;
  /** When the last one began, where only counts were asked for. */
  lastNano = 0n;

  merge(other: SpanFigures): void {
    this.count += other.count;
    this.errorCount += other.errorCount;
    this.serverRootCount += other.serverRootCount;
    this.otherRootCount += other.otherRootCount;
    this.durations.merge(other.durations);
    this.slowest = slowerOf(this.slowest, other.slowest);
    this.slowestError = slowerOf(this.slowestError, other.slowestError);
    if (other.lastNano > this.lastNano) this.lastNano = other.lastNano;
  }
}

function slowerOf(a: Exemplar | null, b: Exemplar | null): Exemplar | null {
  return a === null || (b !== null && b.durationNano > a.durationNano) ? b : a;
}

export interface PointFigures {
  readonly by: string | null;
  /** Number of the step since the epoch; 0 where the whole range is one point. */
  readonly point: bigint;
  readonly figures: SpanFigures;
}

/** One entry per group and point, whatever number of parts they were counted in. */
export function mergePoints(parts: readonly PointFigures[]): PointFigures[] {
  const merged = new Map<string, PointFigures>();
  for (const part of parts) {
    const key = `${part.point} ${part.by === null ? "" : `=${part.by}`}`;
    const known = merged.get(key);
    if (known === undefined) merged.set(key, part);
    else known.figures.merge(part.figures);
  }
  return [...merged.values()];
}
