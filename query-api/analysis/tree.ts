/**
 * The call tree of a trace, rebuilt from whatever spans are here, in whatever order they came: the same tree for every permutation, and
 * every span in it exactly once. Columns and loops throughout: a chain of a million spans needs no call stack.
 *
 *   position  row  parent  depth  descendants
 *   0         2    -1      0      3             GET /checkout
 *   1         0    0       1      1               POST /pay
 *   2         3    1       2      0                 INSERT payments
 *   3         1    0       1      0               GET /cart
 */
import type { ClockOffset } from "@callchain/schemas/api/analysis.ts";
import type { Completeness } from "@callchain/schemas/api/traces.ts";
import { STATUS_ERROR, type SpanColumns } from "./columns.ts";
import { readIds } from "./ids.ts";
import { sortRows } from "./order.ts";
import { joinParents } from "./parents.ts";
import { addUp, pick } from "./rows.ts";
import { estimateSkew } from "./skew.ts";

/** Everything by pre-order position (a parent before its children, siblings by start), but for what is said otherwise. */
export interface CallTree {
  /** Spans in the tree; copies of a span are left out. */
  readonly count: number;
  /** Row of the columns that stands at the position. */
  readonly rows: Uint32Array;
  /** Position of the parent; -1 at the top level. */
  readonly parent: Int32Array;
  readonly depth: Int32Array;
  readonly descendantCount: Int32Array;
  /** Nanoseconds from `startNano`, as stamped; a span without a start stands at 0. */
  readonly start: Float64Array;
  /** Nanoseconds to add to the start so that the span fits its parent's clock. */
  readonly skewNano: Float64Array;
  /** The start with that added. */
  readonly adjustedStart: Float64Array;
  readonly duration: Float64Array;
  readonly isSkewed: Uint8Array;
  readonly isOrphan: Uint8Array;
  /** Earliest start, and from there to the latest end. */
  readonly startNano: bigint;
  readonly durationNano: number;
  readonly errorCount: number;
  readonly completeness: Completeness;
  /** Pairs of hosts whose calls tell about their clocks. */
  readonly clocks: readonly ClockOffset[];
}

export function buildCallTree(columns: SpanColumns): CallTree {
  const spanIds = readIds(columns.spanId);
  const parentIds = readIds(columns.parentId);
  const extent = measureExtent(columns);
  const { rows: sorted, duplicateCount } = sortRows(columns, extent.start, spanIds, parentIds);
  const edges = joinParents(columns, sorted, spanIds, parentIds);
  const { order, parent, depth, descendantCount } = buildPreOrder(edges.parent);
  const rows = pick(sorted, order, new Uint32Array(order.length));
  const isOrphan = pick(edges.isOrphan, order, new Uint8Array(order.length));
  const skew = estimateSkew({ columns, rows, parent, start: extent.start });
  const start = pick(extent.start, rows, new Float64Array(rows.length));
  return {
    count: rows.length,
    rows,
    parent,
    depth,
    descendantCount,
    start,
    skewNano: skew.offsetNano,
    adjustedStart: addUp(start, skew.offsetNano),
    duration: pick(columns.durationNano, rows, new Float64Array(rows.length)),
    isSkewed: skew.isSkewed,
    isOrphan,
    startNano: extent.startNano,
    durationNano: extent.durationNano,
    errorCount: countErrors(columns, rows),
    completeness: {
      complete: edges.rootCount === 1 && edges.orphanCount === 0 && edges.cycleCount === 0,
      rootCount: edges.rootCount,
      orphanCount: edges.orphanCount,
      missingParentIds: [...edges.missingParentIds],
      missingParentCount: edges.missingParentCount,
      cycleCount: edges.cycleCount,
      duplicateCount,
      conflictCount: edges.conflictCount,
      skewedCount: skew.skewedCount,
    },
    clocks: skew.clocks,
  };
}

interface PreOrder {
  /** Canonical position by pre-order position. */
  readonly order: Uint32Array;
  readonly parent: Int32Array;
  readonly depth: Int32Array;
  readonly descendantCount: Int32Array;
}

/** Walks by first child and next sibling, and back up by the parent: no stack. */
function buildPreOrder(parentOf: Int32Array): PreOrder {
  const count = parentOf.length;
  const firstChild = new Int32Array(count).fill(-1);
  const nextSibling = new Int32Array(count).fill(-1);
  let firstTop = -1;
  for (let at = count - 1; at >= 0; at -= 1) {
    const above = parentOf[at] ?? -1;
    nextSibling[at] = above < 0 ? firstTop : (firstChild[above] ?? -1);
    if (above < 0) firstTop = at;
    else firstChild[above] = at;
  }
  const order = new Uint32Array(count);
  const positionOf = new Int32Array(count);
  const parent = new Int32Array(count);
  const depth = new Int32Array(count);
  let position = 0;
  for (let at = firstTop; at >= 0;) {
    const above = parentOf[at] ?? -1;
    order[position] = at;
    positionOf[at] = position;
    parent[position] = above < 0 ? -1 : (positionOf[above] ?? -1);
    depth[position] = above < 0 ? 0 : (depth[positionOf[above] ?? 0] ?? 0) + 1;
    position += 1;
    let next = firstChild[at] ?? -1;
    for (let up = at; next < 0 && up >= 0; up = parentOf[up] ?? -1) next = nextSibling[up] ?? -1;
    at = next;
  }
  const descendantCount = new Int32Array(count);
  for (let at = count - 1; at >= 0; at -= 1) {
    const above = parent[at] ?? -1;
    if (above >= 0) descendantCount[above] = (descendantCount[above] ?? 0) + (descendantCount[at] ?? 0) + 1;
  }
  return { order, parent, depth, descendantCount };
}

interface Extent {
  readonly startNano: bigint;
  readonly durationNano: number;
  /** By row. */
  readonly start: Float64Array;
}

/** Spans without a start (0) do not stretch the trace back to 1970: they stand at its beginning. */
function measureExtent({ count, startNano, durationNano }: SpanColumns): Extent {
  let first = 0n;
  for (const value of startNano) if (value > 0n && (first === 0n || value < first)) first = value;
  const start = new Float64Array(count);
  let last = 0;
  for (let row = 0; row < count; row += 1) {
    const value = startNano[row] ?? 0n;
    start[row] = value <= 0n ? 0 : Number(value - first);
    last = Math.max(last, (start[row] ?? 0) + (durationNano[row] ?? 0));
  }
  return { startNano: first, durationNano: last, start };
}

function countErrors({ status }: SpanColumns, rows: Uint32Array): number {
  let errorCount = 0;
  for (const row of rows) if (status[row] === STATUS_ERROR) errorCount += 1;
  return errorCount;
}
