/** Edges by role, and the spans of services -> the service graph. Pure. */
import type { DependencyEdge, DependencyNode } from "@callchain/schemas/api/catalog.ts";
import type { BucketCounts } from "../duration-histogram.ts";
import { percentilesOf, type EdgeFigures } from "./edge-figures.ts";

export interface GraphRows {
  readonly services: readonly ServiceFigures[];
  /** Most calls first. */
  readonly edges: readonly EdgeFigures[];
}

export interface ServiceFigures {
  readonly service: string;
  readonly spanCount: number;
  readonly errorCount: number;
  /** null where none is known. */
  readonly namespace: string | null;
  readonly serverRootCount: number;
  readonly otherRootCount: number;
}

export interface Graph {
  readonly nodes: DependencyNode[];
  readonly edges: DependencyEdge[];
}

type NodeKind = DependencyNode["kind"];
type EdgeKind = DependencyEdge["kind"];

/** An edge between two nodes, from all that was counted between them. */
interface GrowingEdge {
  readonly edge: Omit<DependencyEdge, "p50Nano" | "p95Nano" | "p99Nano">;
  readonly durations: BucketCounts[];
}

const NOTHING_COUNTED = { spanCount: 0, errorCount: 0, namespace: null, serverRootCount: 0, otherRootCount: 0 };

class GraphBuilder {
  readonly #nodes = new Map<string, DependencyNode>();
  readonly #edges = new Map<string, GrowingEdge>();

  node(kind: NodeKind, name: string): string {
    const id = `${kind}:${name}`;
    if (!this.#nodes.has(id)) this.#nodes.set(id, { id, name, kind, ...NOTHING_COUNTED });
    return id;
  }

  service({ service, ...figures }: ServiceFigures): void {
    const id = `service:${service}`;
    this.#nodes.set(id, { id, name: service, kind: "service", ...figures });
  }

  has(kind: NodeKind, name: string): boolean {
    return this.#nodes.has(`${kind}:${name}`);
  }

  /**
   * Edges of the same two nodes become one, of the kind of the larger part. `peer` is the end that is no service: it is seen through its calls
   * only.
   */
  edge(kind: EdgeKind, caller: string, callee: string, figures: EdgeFigures, peer?: string): void {
    const { callCount, errorCount } = figures;
    const key = JSON.stringify([caller, callee]);
    const known = this.#edges.get(key);
    if (known === undefined) {
      const edge = { caller, callee, kind, callCount, errorCount, exampleTraceIds: figures.exampleTraceIds() };
      this.#edges.set(key, { edge, durations: [...figures.durations] });
    } else {
      mergeInto(known, figures);
    }
    const node = peer === undefined ? undefined : this.#nodes.get(peer);
    if (node === undefined) return;
    node.spanCount += callCount;
    node.errorCount += errorCount;
  }

  build(): Graph {
    const edges = [...this.#edges.values()].map(({ edge, durations }) => {
      const [p50Nano = 0, p95Nano = 0, p99Nano = 0] = percentilesOf(durations);
      return { ...edge, p50Nano, p95Nano, p99Nano };
    });
    return {
      nodes: [...this.#nodes.values()].toSorted((a, b) => b.spanCount - a.spanCount || compareTexts(a.id, b.id)),
      edges: edges.toSorted(
        (a, b) => b.callCount - a.callCount || compareTexts(a.caller, b.caller) || compareTexts(a.callee, b.callee),
      ),
    };
  }
}

function mergeInto({ edge, durations }: GrowingEdge, figures: EdgeFigures): void {
  edge.callCount += figures.callCount;
  edge.errorCount += figures.errorCount;
  edge.exampleTraceIds = [...new Set([...edge.exampleTraceIds, ...figures.exampleTraceIds()])].slice(0, 3);
  durations.push(...figures.durations);
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A database's name; where several systems share it, the system says which. */
function nameDatabases(edges: readonly EdgeFigures[]): (figures: EdgeFigures) => string {
  const systems = new Map<string, Set<string>>();
  for (const { edge } of edges) {
    if (edge.role === "database") systems.set(edge.callee, (systems.get(edge.callee) ?? new Set()).add(edge.system));
  }
  return ({ edge }) => ((systems.get(edge.callee)?.size ?? 0) > 1 ? `${edge.callee} (${edge.system})` : edge.callee);
}

/** Nodes and edges, largest first. Services without calls are nodes too. */
export function buildGraph({ services, edges }: GraphRows): Graph {
  const graph = new GraphBuilder();
  for (const figures of services) graph.service(figures);
  const isCall = ({ edge }: EdgeFigures): boolean => edge.role === "call" || edge.role === "handover";
  for (const { edge } of edges.filter(isCall)) for (const service of [edge.caller, edge.callee]) graph.node("service", service);
  const databaseName = nameDatabases(edges);
  for (const figures of edges) addEdge(graph, figures, databaseName);
  return graph.build();
}

function addEdge(graph: GraphBuilder, figures: EdgeFigures, databaseName: (figures: EdgeFigures) => string): void {
  const { role, caller, callee } = figures.edge;
  const toPeer = (edgeKind: EdgeKind, nodeKind: NodeKind, name: string): void => {
    const peer = graph.node(nodeKind, name);
    graph.edge(edgeKind, graph.node("service", caller), peer, figures, peer);
  };
  switch (role) {
    case "call":
    case "handover":
      graph.edge(role === "call" ? "call" : "consume", graph.node("service", caller), graph.node("service", callee), figures);
      return;
    case "database":
      toPeer("database", "database", databaseName(figures));
      return;
    case "publish":
      toPeer("publish", "messaging", callee);
      return;
    case "consume": {
      const topic = graph.node("messaging", caller);
      graph.edge("consume", topic, graph.node("service", callee), figures, topic);
      return;
    }
    case "named":
    case "external":
      if (role === "named" && callee === caller) return;
      // The callee is instrumented, its span is missing: lost, sampled away or not here yet.
      if (role === "named" && graph.has("service", callee)) {
        graph.edge("call", graph.node("service", caller), graph.node("service", callee), figures);
        return;
      }
      toPeer("external", "external", callee);
  }
}

/**
 * Ids of what lies within `depth` calls down from the focus or up from it, in all graphs taken together. The focus is a node's id or name;
 * one that is in no graph leaves nothing.
 */
export function nearFocus(graphs: readonly Graph[], focus: string, depth: number): ReadonlySet<string> {
  const nodes = graphs.flatMap((graph) => graph.nodes);
  const edges = graphs.flatMap((graph) => graph.edges);
  const start = nodes.filter((node) => node.id === focus || node.name === focus).map((node) => node.id);
  return new Set([
    ...reach(edges, start, depth, (edge) => [edge.caller, edge.callee]),
    ...reach(edges, start, depth, (edge) => [edge.callee, edge.caller]),
  ]);
}

/** These nodes and the edges between them. */
export function keepNodes(graph: Graph, kept: ReadonlySet<string>): Graph {
  return {
    nodes: graph.nodes.filter((node) => kept.has(node.id)),
    edges: graph.edges.filter((edge) => kept.has(edge.caller) && kept.has(edge.callee)),
  };
}

function reach(
  edges: readonly DependencyEdge[],
  start: readonly string[],
  depth: number,
  ends: (edge: DependencyEdge) => readonly [from: string, to: string],
): Set<string> {
  const next = new Map<string, string[]>();
  for (const edge of edges) {
    const [from, to] = ends(edge);
    const known = next.get(from);
    if (known === undefined) next.set(from, [to]);
    else known.push(to);
  }
  const reached = new Set(start);
  let rim: readonly string[] = start;
  for (let hop = 0; hop < depth && rim.length > 0; hop += 1) {
    rim = rim.flatMap((id) => next.get(id) ?? []).filter((id) => !reached.has(id));
    for (const id of rim) reached.add(id);
  }
  return reached;
}
