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
import type { SpanKind } from "./span.ts";

/** A call tree in pre-order: a parent before its children, siblings by start. The page and the server each have one. */
export interface PathTree {
  readonly rowCount: number;
  /** Nanoseconds on one clock, by row. */
  readonly start: ArrayLike<number>;
  readonly duration: ArrayLike<number>;
  /** Rows of the subtree, the row itself included. */
  readonly size: ArrayLike<number>;
  kind(row: number): SpanKind;
}

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
export function mainRootOf(tree: PathTree): number {
  let best = -1;
  for (let row = 0; row < tree.rowCount; row += tree.size[row] ?? 1) {
    if (best < 0 || (tree.duration[row] ?? 0) > (tree.duration[best] ?? 0)) best = row;
  }
  return best;
}

/** Segments from late to early; they touch without gaps and cover the root from end to start. */
export function buildCriticalPath(tree: PathTree, root: number = mainRootOf(tree)): PathSegment[] {
  if (root < 0) return [];
  const segments: PathSegment[] = [];
  const stack: Frame[] = [openFrame(tree, root, endOf(tree, root))];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const child = nextWaited(tree, frame);
    if (child < 0) {
      pushSegment(segments, frame.row, frame.startNano, frame.cursor);
      stack.pop();
      continue;
    }
    const childEnd = Math.min(endOf(tree, child), frame.cursor);
    pushSegment(segments, frame.row, childEnd, frame.cursor);
    const inner = openFrame(tree, child, childEnd, frame.startNano);
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

function endOf(tree: PathTree, row: number): number {
  return (tree.start[row] ?? 0) + (tree.duration[row] ?? 0);
}

/** A child that starts before its parent (its clock is off) counts from the parent's start. */
function openFrame(tree: PathTree, row: number, cursor: number, startMin = -Infinity): Frame {
  const startNano = Math.min(cursor, Math.max(startMin, tree.start[row] ?? 0));
  const waiting: number[] = [];
  const end = row + (tree.size[row] ?? 1);
  for (let child = row + 1; child < end; child += tree.size[child] ?? 1) {
    const isAsync = tree.kind(child) === "consumer" && tree.kind(row) === "producer";
    if (!isAsync && (tree.start[child] ?? 0) < cursor && endOf(tree, child) > startNano) waiting.push(child);
  }
  // Of two that end together the longer one is popped first.
  waiting.sort((a, b) => Math.min(cursor, endOf(tree, a)) - Math.min(cursor, endOf(tree, b)) || b - a);
  return { row, startNano, endNano: cursor, waiting, cursor };
}

/** The child that ended last, at or before the cursor; what is still running at the cursor ran beside a later one. -1: none. */
function nextWaited(tree: PathTree, frame: Frame): number {
  for (let child = frame.waiting.pop(); child !== undefined; child = frame.waiting.pop()) {
    const end = Math.min(endOf(tree, child), frame.endNano);
    if (end <= frame.cursor && (tree.start[child] ?? 0) < frame.cursor) return child;
  }
  return -1;
}

function pushSegment(segments: PathSegment[], row: number, startNano: number, endNano: number): void {
  if (endNano > startNano) segments.push({ row, startNano, endNano });
}
