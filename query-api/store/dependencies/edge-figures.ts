/** What is known of the calls of an edge, from wherever they were counted. Pure. */
import type { Edge, EdgeCounts, EdgeRole } from "@callchain/schemas/clickhouse/edges/edge-series.ts";
import { durationsAt, type BucketCounts } from "../duration-histogram.ts";

interface Example {
  readonly durationNano: number;
  readonly traceId: string;
}

/** Two of the same edge add up. */
export class EdgeFigures {
  readonly edge: Edge;
  callCount = 0;
  errorCount = 0;
  /** Of the same bucket several may have counts. */
  readonly durations: BucketCounts[] = [];
  slowest: Example | null = null;
  slowestError: Example | null = null;

  constructor(edge: Edge) {
    this.edge = edge;
  }

  add(isError: boolean, durations: BucketCounts): void {
    let added = 0;
    for (let at = durations.from; at < durations.to; at += 1) added += durations.counts[at] ?? 0;
    this.durations.push(durations);
    this.callCount += added;
    if (isError) this.errorCount += added;
  }

  /** Whether a call of this length would be shown. */
  isSlower(isError: boolean, durationNano: number): boolean {
    return (
      durationNano > (this.slowest?.durationNano ?? -1) || (isError && durationNano > (this.slowestError?.durationNano ?? -1))
    );
  }

  show(isError: boolean, example: Example): void {
    this.slowest = slowerOf(this.slowest, example);
    if (isError) this.slowestError = slowerOf(this.slowestError, example);
  }

  exampleTraceIds(): string[] {
    return [...new Set([this.slowest, this.slowestError].flatMap((example) => (example === null ? [] : [example.traceId])))];
  }
}

const LEVELS = [0.5, 0.95, 0.99];

/**
 * p50, p95 and p99 in whole nanoseconds: of the duration at index floor(level * n) of the n sorted ones where its rank is in its bucket, though
 * that be beyond the longest call. Of what was taken back nobody knows whether it was the longest.
 */
export function percentilesOf(durations: readonly BucketCounts[]): number[] {
  return durationsAt(durations, LEVELS).map(Math.round);
}

function slowerOf(a: Example | null, b: Example): Example {
  return a === null || b.durationNano > a.durationNano ? b : a;
}

export class EdgeTable {
  readonly #edges = new Map<string, EdgeFigures>();

  of(edge: Edge): EdgeFigures {
    const key = JSON.stringify([edge.role, edge.caller, edge.callee, edge.system]);
    const known = this.#edges.get(key) ?? new EdgeFigures(edge);
    this.#edges.set(key, known);
    return known;
  }

  /** `every`: the counts are those of each n-th trace. */
  addCounts(counts: readonly EdgeCounts[], every: number): void {
    for (const { edge, isError, durations, slowest } of counts) {
      const figures = this.of(edge);
      const scaled = [...durations.values()].map((count) => count * every);
      figures.add(isError, { buckets: [...durations.keys()], counts: scaled, from: 0, to: scaled.length });
      if (slowest !== null) figures.show(isError, slowest);
    }
  }

  /** Those with calls, most calls first. */
  list(): EdgeFigures[] {
    return [...this.#edges.values()]
      .filter(({ callCount }) => callCount > 0)
      .toSorted((a, b) => b.callCount - a.callCount || ROLES.indexOf(a.edge.role) - ROLES.indexOf(b.edge.role));
  }
}

/** Of two nodes with as many calls of either role, the edge is of the first. */
const ROLES: readonly EdgeRole[] = ["call", "database", "publish", "consume", "named", "external", "handover"];
