/** Time within a span that none of its children covers: the span's own work, or calls that nobody instrumented. */
import type { TraceModel } from "./model.ts";

export interface Gap {
  readonly startNano: number;
  readonly endNano: number;
}

/**
 * The stretches of a span without a child, early to late; none for a span without children, of which nothing is known to be missing.
 * Those shorter than `shareMin` of the span are left out.
 */
export function findGaps(model: TraceModel, row: number, shareMin = 0.01): Gap[] {
  if (!model.hasChildren(row)) return [];
  const { start, duration } = model;
  const from = start[row] ?? 0;
  const end = from + (duration[row] ?? 0);
  const leastNano = (end - from) * shareMin;
  const gaps: Gap[] = [];
  const take = (startNano: number, endNano: number): void => {
    if (endNano > startNano && endNano - startNano >= leastNano) gaps.push({ startNano, endNano });
  };
  let covered = from;
  for (const child of childrenByStart(model, row)) {
    const childStart = start[child] ?? 0;
    take(covered, Math.min(end, childStart));
    covered = Math.max(covered, childStart + (duration[child] ?? 0));
    if (covered >= end) return gaps;
  }
  take(covered, end);
  return gaps;
}

/** Siblings come by start, unless their clocks were adjusted. */
function childrenByStart(model: TraceModel, row: number): number[] {
  const children = [...model.children(row)];
  const { start } = model;
  const isSorted = children.every((child, at) => at === 0 || (start[children[at - 1] ?? 0] ?? 0) <= (start[child] ?? 0));
  return isSorted ? children : children.sort((a, b) => (start[a] ?? 0) - (start[b] ?? 0));
}
