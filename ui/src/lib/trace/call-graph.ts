/** Who calls whom within a trace: spans merged by service, by service and span name, or by call path, and the calls between them. */
import type { CallPaths } from "./call-paths.ts";

export const GRAPH_BY = ["name", "service", "path"] as const;
export type GraphBy = (typeof GRAPH_BY)[number];

export interface CallNode {
  readonly id: string;
  readonly service: number;
  /** -1 where a whole service is one node. */
  readonly name: number;
  spanCount: number;
  errorCount: number;
  totalNano: number;
  selfNano: number;
  /** Calls of itself. */
  selfCallCount: number;
  longestRow: number;
  /** Duration of that span. */
  longestNano: number;
}

export interface CallEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  callCount: number;
  errorCount: number;
  /** Sum of the callees' durations. */
  totalNano: number;
}

export interface CallGraph {
  readonly nodes: readonly CallNode[];
  readonly edges: readonly CallEdge[];
  /** Nodes that were left out because others hold more time, and their self time. */
  readonly hiddenCount: number;
  readonly hiddenSelfNano: number;
}

/** At most `nodeCountMax` nodes: those with most time. A call path is never shown without its callers. */
export function buildCallGraph(
  paths: CallPaths,
  durationOf: (row: number) => number,
  by: GraphBy,
  nodeCountMax: number,
): CallGraph {
  const nodes = new Map<string, CallNode>();
  const edges = new Map<string, CallEdge>();
  const weights = new Map<string, number>();
  const idOf = (at: number): string => {
    const { service = 0, name = 0 } = paths.nodes[at] ?? {};
    return by === "path" ? `${at}` : by === "service" ? `${service}` : `${service}:${name}`;
  };
  paths.nodes.forEach((path, at) => {
    const id = idOf(at);
    const longestNano = durationOf(path.longestRow);
    const node = nodes.get(id) ?? { ...EMPTY, id, service: path.service, name: by === "service" ? -1 : path.name };
    nodes.set(id, node);
    if (longestNano >= node.longestNano) Object.assign(node, { longestRow: path.longestRow, longestNano });
    node.spanCount += path.spanCount;
    node.errorCount += path.errorCount;
    node.totalNano += path.totalNano;
    node.selfNano += path.selfNano;
    weights.set(id, (weights.get(id) ?? 0) + (by === "path" ? path.busyNano : path.totalNano));
    if (path.parent < 0) return;
    const caller = idOf(path.parent);
    if (caller === id) {
      node.selfCallCount += path.spanCount;
      return;
    }
    const edgeId = `${caller}>${id}`;
    const edge = edges.get(edgeId) ?? { id: edgeId, from: caller, to: id, callCount: 0, errorCount: 0, totalNano: 0 };
    edges.set(edgeId, edge);
    edge.callCount += path.spanCount;
    edge.errorCount += path.errorCount;
    edge.totalNano += path.totalNano;
  });
  return cut([...nodes.values()], [...edges.values()], weights, nodeCountMax);
}

const EMPTY = {
  spanCount: 0,
  errorCount: 0,
  totalNano: 0,
  selfNano: 0,
  selfCallCount: 0,
  longestRow: 0,
  longestNano: -1,
};

/** Ties keep the order of appearance, in which callers come first. */
function cut(nodes: CallNode[], edges: CallEdge[], weights: ReadonlyMap<string, number>, nodeCountMax: number): CallGraph {
  const byWeight = nodes.toSorted((a, b) => (weights.get(b.id) ?? 0) - (weights.get(a.id) ?? 0));
  const kept = new Set(byWeight.slice(0, nodeCountMax).map(({ id }) => id));
  const hidden = byWeight.slice(nodeCountMax);
  return {
    nodes: nodes.filter(({ id }) => kept.has(id)),
    edges: edges.filter(({ from, to }) => kept.has(from) && kept.has(to)),
    hiddenCount: hidden.length,
    hiddenSelfNano: hidden.reduce((sum, { selfNano }) => sum + selfNano, 0),
  };
}
