/** Rows of the three questions -> the service graph. Pure. */
import type { DependencyEdge, DependencyNode } from "@callchain/schemas/api/catalog.ts";
import type { CallRow, MeasuresRow, PeerRow, ReceivedRow, ServiceCountRow } from "./sql.ts";

export interface GraphRows {
  readonly services: readonly ServiceCountRow[];
  readonly calls: readonly CallRow[];
  readonly peers: readonly PeerRow[];
  readonly received: readonly ReceivedRow[];
  /** Calls were counted in each n-th trace: counts are scaled up by it. */
  readonly every: number;
}

export interface Graph {
  readonly nodes: DependencyNode[];
  readonly edges: DependencyEdge[];
}

type NodeKind = DependencyNode["kind"];
type EdgeKind = DependencyEdge["kind"];

const NOTHING_COUNTED = { spanCount: 0, errorCount: 0, namespace: null, serverRootCount: 0, otherRootCount: 0 };
const NO_TRACE = "0".repeat(32);

class GraphBuilder {
  readonly #nodes = new Map<string, DependencyNode>();
  readonly #edges = new Map<string, DependencyEdge>();
  readonly #every: number;

  constructor(every: number) {
    this.#every = every;
  }

  node(kind: NodeKind, name: string, spanCount = 0, errorCount = 0): string {
    const id = `${kind}:${name}`;
    const known = this.#nodes.get(id) ?? { id, name, kind, ...NOTHING_COUNTED };
    known.spanCount += spanCount;
    known.errorCount += errorCount;
    this.#nodes.set(id, known);
    return id;
  }

  service(row: ServiceCountRow): void {
    const id = this.node("service", row.service, Number(row.spans), Number(row.errors));
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    node.namespace = row.namespace === "" ? null : row.namespace;
    node.serverRootCount = Number(row.serverRoots);
    node.otherRootCount = Number(row.otherRoots);
  }

  has(kind: NodeKind, name: string): boolean {
    return this.#nodes.has(`${kind}:${name}`);
  }

  /**
   * Edges of the same two nodes become one: counts add up, percentiles stay those of the larger part, since percentiles cannot be added.
   * `peer` is the end that is no service: it is seen through its calls only.
   */
  edge(kind: EdgeKind, caller: string, callee: string, row: MeasuresRow, peer?: string): void {
    const [p50Nano = 0, p95Nano = 0, p99Nano = 0] = row.percentiles.map(Number);
    const callCount = Number(row.calls) * this.#every;
    const errorCount = Number(row.errors) * this.#every;
    const exampleTraceIds = [...new Set(row.traceIds)].filter((id) => id !== NO_TRACE);
    const key = JSON.stringify([caller, callee]);
    const known = this.#edges.get(key);
    const added: DependencyEdge = { caller, callee, kind, callCount, errorCount, p50Nano, p95Nano, p99Nano, exampleTraceIds };
    this.#edges.set(key, known === undefined ? added : mergeEdges(known, added));
    const node = peer === undefined ? undefined : this.#nodes.get(peer);
    if (node === undefined) return;
    node.spanCount += callCount;
    node.errorCount += errorCount;
  }

  build(): Graph {
    return {
      nodes: [...this.#nodes.values()].toSorted((a, b) => b.spanCount - a.spanCount || compareTexts(a.id, b.id)),
      edges: [...this.#edges.values()].toSorted(
        (a, b) => b.callCount - a.callCount || compareTexts(a.caller, b.caller) || compareTexts(a.callee, b.callee),
      ),
    };
  }
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function mergeEdges(a: DependencyEdge, b: DependencyEdge): DependencyEdge {
  const larger = a.callCount >= b.callCount ? a : b;
  return {
    ...larger,
    callCount: a.callCount + b.callCount,
    errorCount: a.errorCount + b.errorCount,
    exampleTraceIds: [...new Set([...larger.exampleTraceIds, ...a.exampleTraceIds, ...b.exampleTraceIds])].slice(0, 3),
  };
}

/** A database's name; where several systems share it, the system says which. */
function nameDatabases(peers: readonly PeerRow[]): (row: PeerRow) => string {
  const systems = new Map<string, Set<string>>();
  for (const { role, name, system } of peers) {
    if (role === "database") systems.set(name, (systems.get(name) ?? new Set()).add(system));
  }
  return ({ name, system }) => ((systems.get(name)?.size ?? 0) > 1 ? `${name} (${system})` : name);
}

/** Nodes and edges, largest first. Services without calls are nodes too. */
export function buildGraph(rows: GraphRows): Graph {
  const graph = new GraphBuilder(rows.every);
  for (const row of rows.services) graph.service(row);
  for (const row of rows.calls) graph.edge("call", graph.node("service", row.caller), graph.node("service", row.callee), row);
  const databaseName = nameDatabases(rows.peers);
  for (const row of rows.peers) {
    const service = graph.node("service", row.service);
    switch (row.role) {
      case "database": {
        const database = graph.node("database", databaseName(row));
        graph.edge("database", service, database, row, database);
        break;
      }
      case "publish":
      case "consume": {
        const topic = graph.node("messaging", row.name);
        if (row.role === "publish") graph.edge("publish", service, topic, row, topic);
        else graph.edge("consume", topic, service, row, topic);
        break;
      }
      case "named":
      case "external": {
        if (row.name === row.service && row.role === "named") break;
        // The callee is instrumented, its span is missing: lost, sampled away or not here yet.
        if (row.role === "named" && graph.has("service", row.name)) {
          graph.edge("call", service, graph.node("service", row.name), row);
          break;
        }
        const external = graph.node("external", row.name);
        graph.edge("external", service, external, row, external);
        break;
      }
      case "unknown":
        break;
    }
  }
  for (const row of rows.received) {
    const callee = graph.node("service", row.callee);
    if (row.topic === "") {
      graph.edge("consume", graph.node("service", row.caller), callee, row);
      continue;
    }
    const topic = graph.node("messaging", row.topic);
    graph.edge("consume", topic, callee, row, topic);
  }
  return graph.build();
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
