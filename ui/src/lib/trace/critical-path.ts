/**
 * The chain of work that the trace's duration hangs on: shorten a span anywhere else and the trace takes as long as before.
 *
 * From the end of the root backwards: the child that ended last, at or before the cursor, is what its parent was waiting for. The time
 * between that child's end and the cursor is the parent's own; then the child is walked the same way, and the cursor moves to
 * the child's start. (As in Jaeger's critical path and Uber's CRISP, "Critical Path Analysis of Large-Scale Microservice
 * Architectures", USENIX ATC 2022.)
 *
 *   root  |aaaa|--------|bb|---|cc|        a child that outlives its parent counts up to the parent's end
 *   A          |========|                  a consumer under a producer runs on its own and is not waited for
 *   B           |====|                     B ran beside A and ended before it: not on the path
 *   C                      |===|           path: c, C, b, A, a
 */
import type { TraceModel } from "./model.ts";

export interface PathSegment {
  readonly row: number;
  readonly startNano: number;
  readonly endNano: number;
}

interface Frame {
  readonly row: number;
  readonly startNano: number;
  /** Where the walk of this span began: its end, or where its parent's walk stood. */
  readonly endNano: number;
  /** Children that may be waited for, the one that ends last at the end. */
  readonly waiting: number[];
  cursor: number;
}

/** The top-level row that the path starts from: the longest, the first of equals; -1 in an empty trace. */
export function mainRootOf(model: TraceModel): number {
  let best = -1;
  for (let row = 0; row < model.rowCount; row += model.size[row] ?? 1) {
    if (best < 0 || (model.duration[row] ?? 0) > (model.duration[best] ?? 0)) best = row;
  }
  return best;
}

/** Segments from late to early; they touch without gaps and cover the root from end to start. */
export function buildCriticalPath(model: TraceModel, root: number = mainRootOf(model)): PathSegment[] {
  if (root < 0) return [];
  const segments: PathSegment[] = [];
  const stack: Frame[] = [openFrame(model, root, endOf(model, root))];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const child = nextWaited(model, frame);
    if (child < 0) {
      pushSegment(segments, frame.row, frame.startNano, frame.cursor);
      stack.pop();
      continue;
    }
    const childEnd = Math.min(endOf(model, child), frame.cursor);
    pushSegment(segments, frame.row, childEnd, frame.cursor);
    const inner = openFrame(model, child, childEnd, frame.startNano);
    frame.cursor = inner.startNano;
    stack.push(inner);
  }
  return segments;
}

/** Time on the path per row of the trace: row to nanoseconds. */
export function sumByRow(segments: readonly PathSegment[]): Map<number, number> {
  const sums = new Map<number, number>();
  for (const { row, startNano, endNano } of segments) sums.set(row, (sums.get(row) ?? 0) + endNano - startNano);
  return sums;
}

export interface PathShare {
  /** Index into the model's services. */
  readonly service: number;
  readonly pathNano: number;
  /** Of the whole path. */
  readonly share: number;
}

/** Who holds how much of the path, most first. */
export function sharePathByService(model: TraceModel, segments: readonly PathSegment[]): PathShare[] {
  const sums = new Map<number, number>();
  let total = 0;
  for (const { row, startNano, endNano } of segments) {
    const service = model.service[row] ?? 0;
    sums.set(service, (sums.get(service) ?? 0) + endNano - startNano);
    total += endNano - startNano;
  }
  return [...sums]
    .map(([service, pathNano]) => ({ service, pathNano, share: total === 0 ? 0 : pathNano / total }))
    .sort((a, b) => b.pathNano - a.pathNano);
}

function endOf(model: TraceModel, row: number): number {
  return (model.start[row] ?? 0) + (model.duration[row] ?? 0);
}

/** A child that starts before its parent (its clock is off) counts from the parent's start. */
function openFrame(model: TraceModel, row: number, cursor: number, startMin = -Infinity): Frame {
  const startNano = Math.min(cursor, Math.max(startMin, model.start[row] ?? 0));
  const waiting: number[] = [];
  for (const child of model.children(row)) {
    const isAsync = model.kind(child) === "consumer" && model.kind(row) === "producer";
    if (!isAsync && (model.start[child] ?? 0) < cursor && endOf(model, child) > startNano) waiting.push(child);
  }
  // Of two that end together the longer one is popped first.
  waiting.sort((a, b) => Math.min(cursor, endOf(model, a)) - Math.min(cursor, endOf(model, b)) || b - a);
  return { row, startNano, endNano: cursor, waiting, cursor };
}

/** The child that ended last, at or before the cursor; what is still running at the cursor ran beside a later one. -1: none. */
function nextWaited(model: TraceModel, frame: Frame): number {
  for (let child = frame.waiting.pop(); child !== undefined; child = frame.waiting.pop()) {
    const end = Math.min(endOf(model, child), frame.endNano);
    if (end <= frame.cursor && (model.start[child] ?? 0) < frame.cursor) return child;
  }
  return -1;
}

function pushSegment(segments: PathSegment[], row: number, startNano: number, endNano: number): void {
  if (endNano > startNano) segments.push({ row, startNano, endNano });
}
