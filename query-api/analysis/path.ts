/** The critical path (schemas/span/critical-path.ts) of a rebuilt call tree, on adjusted clocks. */
import { buildCriticalPath, mainRootOf, type PathSegment, type PathTree } from "@callchain/schemas/span/critical-path.ts";
import { SPAN_KINDS } from "@callchain/schemas/span/span.ts";
import type { SpanColumns } from "./columns.ts";
import type { CallTree } from "./tree.ts";

export interface TracePath {
  /** Position of the top-level span that the path covers; -1 in an empty trace. */
  readonly root: number;
  /** Early to late; `row` is a position of the tree, times are nanoseconds from the trace's start. */
  readonly segments: readonly PathSegment[];
  /** Nanoseconds on the path by position. */
  readonly pathNano: ReadonlyMap<number, number>;
  /** Of the whole path: the duration of its root. */
  readonly totalNano: number;
}

/**
 * Where a call's parent is missing, it stands at the top level, and the path covers the longest span there. Spans outside of that span's
 * subtree, and consumers of its messages, are not waited for and so not on the path.
 */
export function findPath(columns: SpanColumns, tree: CallTree): TracePath {
  const path = pathTreeOf(columns, tree);
  const root = mainRootOf(path);
  const segments = buildCriticalPath(path, root).reverse();
  const pathNano = new Map<number, number>();
  let totalNano = 0;
  for (const { row, startNano, endNano } of segments) {
    pathNano.set(row, (pathNano.get(row) ?? 0) + endNano - startNano);
    totalNano += endNano - startNano;
  }
  return { root, segments, pathNano, totalNano };
}

function pathTreeOf(columns: SpanColumns, tree: CallTree): PathTree {
  const size = new Uint32Array(tree.count);
  for (let at = 0; at < tree.count; at += 1) size[at] = (tree.descendantCount[at] ?? 0) + 1;
  return {
    rowCount: tree.count,
    start: tree.adjustedStart,
    duration: tree.duration,
    size,
    kind: (at) => SPAN_KINDS[columns.kind[tree.rows[at] ?? 0] ?? 0] ?? "unspecified",
  };
}
