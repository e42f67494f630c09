/**
 * The spans of a trace merged by call path: service, span name and kind from the top level down. Nodes are numbered parents first:
 *
 *   spans  0 GET /cart > 1 SELECT, 2 SELECT, 3 render       nodes  0 GET /cart x1 > 1 SELECT x2, 2 render x1
 *
 * Self times add up, durations do not: a node's `busyNano` is the self time of all spans at and below it, so children always fit
 * into their parent, also where they ran beside each other.
 */
import { SKELETON_KIND_SHIFT } from "@callchain/schemas/api/skeleton.ts";
import { SPAN_KINDS, type SpanKind } from "@callchain/schemas/span/span.ts";
import type { TraceModel } from "./model.ts";
import { buildSelfTimes } from "./statistics.ts";

const KIND_MASK = 7;

export interface CallPath {
  readonly parent: number;
  readonly depth: number;
  readonly service: number;
  readonly name: number;
  readonly kind: SpanKind;
  /** The first span of this path. */
  readonly firstRow: number;
  longestRow: number;
  spanCount: number;
  errorCount: number;
  /** Sum of the durations. */
  totalNano: number;
  selfNano: number;
  /** Self time of the spans at and below it. */
  busyNano: number;
  /** Node numbers, by first appearance. */
  readonly children: number[];
}

export interface CallPaths {
  readonly nodes: readonly CallPath[];
  /** Nodes at the top level. */
  readonly roots: readonly number[];
  /** The node of each row. */
  readonly nodeOf: Int32Array;
  readonly busyNano: number;
}

export function buildCallPaths(model: TraceModel): CallPaths {
  const { rowCount, parent, service, name, flags } = model;
  const self = buildSelfTimes(model);
  const nodes: CallPath[] = [];
  const roots: number[] = [];
  const nodeOf = new Int32Array(rowCount);
  // Per node with children: these by service, name and kind in one number.
  const known = new Map<number, Map<number, number>>();
  const knownRoots = new Map<number, number>();
  const nameCount = Math.max(1, model.names.length);
  for (let row = 0; row < rowCount; row++) {
    const above = parent[row] ?? -1;
    const parentNode = above < 0 ? -1 : (nodeOf[above] ?? -1);
    let siblings = parentNode < 0 ? knownRoots : known.get(parentNode);
    if (siblings === undefined) {
      siblings = new Map();
      known.set(parentNode, siblings);
    }
    const kind = ((flags[row] ?? 0) >> SKELETON_KIND_SHIFT) & KIND_MASK;
    const key = ((service[row] ?? 0) * nameCount + (name[row] ?? 0)) * (KIND_MASK + 1) + kind;
    let node = siblings.get(key);
    if (node === undefined) {
      node = nodes.length;
      siblings.set(key, node);
      (nodes[parentNode]?.children ?? roots).push(node);
      nodes.push(openNode(model, row, parentNode, (nodes[parentNode]?.depth ?? -1) + 1, kind));
    }
    nodeOf[row] = node;
    const found = nodes[node];
    if (found !== undefined) addSpan(model, found, row, Math.max(0, self[row] ?? 0));
  }
  // Parents come before their children, so going back every node is whole before it is added to its parent.
  for (const node of nodes.toReversed()) {
    const above = nodes[node.parent];
    if (above !== undefined) above.busyNano += node.busyNano;
  }
  return { nodes, roots, nodeOf, busyNano: roots.reduce((sum, root) => sum + (nodes[root]?.busyNano ?? 0), 0) };
}

function openNode(model: TraceModel, row: number, parent: number, depth: number, kind: number): CallPath {
  return {
    parent,
    depth,
    service: model.service[row] ?? 0,
    name: model.name[row] ?? 0,
    kind: SPAN_KINDS[kind] ?? "unspecified",
    firstRow: row,
    longestRow: row,
    spanCount: 0,
    errorCount: 0,
    totalNano: 0,
    selfNano: 0,
    busyNano: 0,
    children: [],
  };
}

function addSpan(model: TraceModel, node: CallPath, row: number, selfNano: number): void {
  const duration = model.duration[row] ?? 0;
  node.spanCount++;
  if (model.isError(row)) node.errorCount++;
  if (duration > (model.duration[node.longestRow] ?? 0)) node.longestRow = row;
  node.totalNano += duration;
  node.selfNano += selfNano;
  node.busyNano += selfNano;
}
