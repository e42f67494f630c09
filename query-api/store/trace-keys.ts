/** Where a trace stands among those of a search. */

export const TRACE_SORTS = ["newest", "slowest"] as const;
export type TraceSort = (typeof TRACE_SORTS)[number];

/** Where a trace stands in the answer: the newest start or the longest duration among its matching spans, and its id. */
export interface TraceKey {
  readonly traceId: string;
  readonly key: bigint;
}

/** Sorts the best first; the id decides between equals. */
export function compareKeys(a: TraceKey, b: TraceKey): number {
  if (a.key !== b.key) return a.key < b.key ? 1 : -1;
  return a.traceId === b.traceId ? 0 : a.traceId < b.traceId ? 1 : -1;
}
