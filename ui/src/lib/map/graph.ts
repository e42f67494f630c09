/**
 * Which part of the service graph is drawn. Up to 60 nodes everything; up to 200 the traffic backbone, with calls to hubs as badges; above
 * that services are grouped by namespace and one group is open at a time. Focus on a node always works. Every edge that is left out is counted.
 */
import type { DependencyEdge, DependencyNode } from "@callchain/schemas/api/catalog.ts";
import { splitHubs } from "./hubs.ts";

type MapNodeKind = DependencyNode["kind"] | "group";

export interface MapNode {
  readonly id: string;
  readonly name: string;
  readonly kind: MapNodeKind;
  readonly spanCount: number;
  readonly errorCount: number;
  readonly namespace: string | null;
  /** Spans that begin a trace: server spans, and others but consumers. */
  readonly serverRootCount: number;
  readonly otherRootCount: number;
  /** Services inside, for a group; otherwise 1. */
  readonly memberCount: number;
}

export interface MapEdge {
  /** `caller|callee|kind`, unique in a graph and the same from load to load. */
  readonly id: string;
  readonly caller: string;
  readonly callee: string;
  readonly kind: DependencyEdge["kind"];
  readonly callCount: number;
  readonly errorCount: number;
  readonly p50Nano: number;
  readonly p95Nano: number;
  readonly p99Nano: number;
  readonly exampleTraceIds: readonly string[];
  /** Edges of the whole graph that this one stands for. */
  readonly edgeCount: number;
}

export interface MapGraph {
  readonly nodes: readonly MapNode[];
  readonly edges: readonly MapEdge[];
}

export interface MapChoice {
  /** A node id, or null for the whole graph. */
  readonly focus: string | null;
  /** Hops around the focus. */
  readonly depth: number;
  /** Draw every edge of a large graph. */
  readonly showAll: boolean;
  /** The id of the group that is open. */
  readonly openGroup: string | null;
}

export interface MapPlan extends MapGraph {
  /** Edges of the graph (of the focus's neighbourhood, when there is one) that are not drawn, neither alone nor within another. */
  readonly hiddenEdgeCount: number;
  readonly isGrouped: boolean;
  /** Calls to hubs, by caller: drawn as badges instead of edges. */
  readonly badges: ReadonlyMap<string, readonly MapEdge[]>;
  readonly badgeEdgeCount: number;
}

const DRAW_ALL_NODES_MAX = 60;
const BACKBONE_NODES_MAX = 200;
/** Edges per node that a backbone keeps on average. */
const BACKBONE_EDGES_PER_NODE = 1.5;

function edgeId(caller: string, callee: string, kind: string): string {
  return `${caller}|${callee}|${kind}`;
}

/**
 * The answer's graph in a stable order: nodes by id, edges by id. Edges with an end that is no node are left out. An external peer that
 * bears the name of a service is that service, seen by callers whose calls left no span there: its calls go to the service.
 */
export function mapGraph(answer: {
  readonly nodes: readonly DependencyNode[];
  readonly edges: readonly DependencyEdge[];
}): MapGraph {
  const ids = new Set(answer.nodes.map(({ id }) => id));
  const services = new Map(answer.nodes.filter(({ kind }) => kind === "service").map(({ name, id }) => [name, id]));
  const standIn = new Map<string, string>();
  for (const { id, kind, name } of answer.nodes) {
    const service = kind === "external" ? services.get(name) : undefined;
    if (service !== undefined) standIn.set(id, service);
  }
  return {
    nodes: answer.nodes
      .filter(({ id }) => !standIn.has(id))
      .map((node) => ({ ...node, memberCount: 1 }))
      .sort(byId),
    edges: mergeEdges(
      answer.edges
        .filter(({ caller, callee }) => ids.has(caller) && ids.has(callee))
        .map((edge) => {
          const kind = standIn.has(edge.callee) ? "call" : edge.kind;
          return { ...edge, kind, id: edgeId(edge.caller, edge.callee, kind), edgeCount: 1 };
        }),
      standIn,
    ),
  };
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

export function planMap(graph: MapGraph, choice: MapChoice): MapPlan {
  const { focus, depth, showAll, openGroup } = choice;
  const whole = { hiddenEdgeCount: 0, isGrouped: false, badges: new Map<string, MapEdge[]>(), badgeEdgeCount: 0 };
  if (focus !== null && graph.nodes.some(({ id }) => id === focus)) return { ...neighbourhood(graph, focus, depth), ...whole };
  if (showAll || graph.nodes.length <= DRAW_ALL_NODES_MAX) return { ...graph, ...whole };
  const isGrouped = graph.nodes.length > BACKBONE_NODES_MAX;
  const part = isGrouped ? groupNodes(graph, openGroup) : graph;
  const { badges, edges: others } = splitHubs(part);
  const edges = backbone({ nodes: part.nodes, edges: others }, Math.ceil(part.nodes.length * BACKBONE_EDGES_PER_NODE));
  const drawn = new Set(edges.map(({ id }) => id));
  const countOf = (list: readonly MapEdge[]): number => list.reduce((sum, { edgeCount }) => sum + edgeCount, 0);
  return {
    nodes: part.nodes,
    edges,
    hiddenEdgeCount: countOf(others.filter(({ id }) => !drawn.has(id))),
    isGrouped,
    badges,
    badgeEdgeCount: countOf([...badges.values()].flat()),
  };
}

/** The nodes within `depth` hops of `focus`, either way along edges, and every edge between them. */
export function neighbourhood(graph: MapGraph, focus: string, depth: number): MapGraph {
  const neighbours = new Map<string, string[]>();
  const join = (from: string, to: string): void => {
    const list = neighbours.get(from);
    if (list === undefined) neighbours.set(from, [to]);
    else list.push(to);
  };
  for (const { caller, callee } of graph.edges) {
    join(caller, callee);
    join(callee, caller);
  }
  const reached = new Set([focus]);
  let border = [focus];
  for (let hop = 0; hop < depth; hop += 1) {
    border = [...new Set(border.flatMap((id) => neighbours.get(id) ?? []))].filter((id) => !reached.has(id));
    for (const id of border) reached.add(id);
  }
  return {
    nodes: graph.nodes.filter(({ id }) => reached.has(id)),
    edges: graph.edges.filter(({ caller, callee }) => reached.has(caller) && reached.has(callee)),
  };
}

/** For each node its busiest edge in and its busiest edge out, then the busiest of the rest, up to about `edgesMax`. Order is kept. */
export function backbone({ nodes, edges }: MapGraph, edgesMax: number): MapEdge[] {
  if (edges.length <= edgesMax) return [...edges];
  const byTraffic = [...edges].sort((a, b) => b.callCount - a.callCount || byId(a, b));
  const kept = new Set<string>();
  const hasIn = new Set<string>();
  const hasOut = new Set<string>();
  for (const { id, caller, callee } of byTraffic) {
    if (!hasIn.has(callee) || !hasOut.has(caller)) kept.add(id);
    hasIn.add(callee);
    hasOut.add(caller);
    if (hasIn.size === nodes.length && hasOut.size === nodes.length) break;
  }
  for (const { id } of byTraffic) {
    if (kept.size >= edgesMax) break;
    kept.add(id);
  }
  return edges.filter(({ id }) => kept.has(id));
}

/** The first word of a name: `payments` of `payments-api`, `payments.api` and `payments/api`. */
export function groupNameOf(name: string): string {
  return /^[^-./_: ]+/.exec(name)?.[0] ?? name;
}

/**
 * Services of one namespace become one node, except in the open group; edges between the same two ends become one. Where no namespace was
 * sent, or all services share one, the first word of the names takes its place.
 */
export function groupNodes(graph: MapGraph, openGroup: string | null): MapGraph {
  const members = new Map<string, MapNode[]>();
  const namespaces = new Set(graph.nodes.map(({ namespace }) => namespace).filter((namespace) => namespace !== null));
  const groupOfService = ({ name, namespace }: MapNode): string =>
    namespaces.size > 1 && namespace !== null ? namespace : groupNameOf(name);
  for (const node of graph.nodes) {
    const key = node.kind === "service" ? `group:${groupOfService(node)}` : node.id;
    const list = members.get(key);
    if (list === undefined) members.set(key, [node]);
    else list.push(node);
  }
  const standIn = new Map<string, string>();
  const nodes: MapNode[] = [];
  for (const [key, list] of members) {
    if (list.length === 1 || key === openGroup) nodes.push(...list);
    else nodes.push(groupOf(key, list));
    for (const { id } of list) standIn.set(id, list.length === 1 || key === openGroup ? id : key);
  }
  return { nodes: nodes.sort(byId), edges: mergeEdges(graph.edges, standIn) };
}

function groupOf(id: string, members: readonly MapNode[]): MapNode {
  const sum = (count: (node: MapNode) => number): number => members.reduce((total, node) => total + count(node), 0);
  return {
    id,
    name: id.slice("group:".length),
    kind: "group",
    spanCount: sum((node) => node.spanCount),
    errorCount: sum((node) => node.errorCount),
    namespace: null,
    serverRootCount: sum((node) => node.serverRootCount),
    otherRootCount: sum((node) => node.otherRootCount),
    memberCount: members.length,
  };
}

/** Edges within one group vanish; the percentiles of a merged edge are the largest of its parts, which is what stands out. */
function mergeEdges(edges: readonly MapEdge[], standIn: ReadonlyMap<string, string>): MapEdge[] {
  const merged = new Map<string, MapEdge>();
  for (const edge of edges) {
    const caller = standIn.get(edge.caller) ?? edge.caller;
    const callee = standIn.get(edge.callee) ?? edge.callee;
    if (caller === callee && edge.caller !== edge.callee) continue;
    const id = edgeId(caller, callee, edge.kind);
    const other = merged.get(id);
    merged.set(id, other === undefined ? { ...edge, id, caller, callee } : joinEdges(other, edge));
  }
  return [...merged.values()].sort(byId);
}

function joinEdges(one: MapEdge, other: MapEdge): MapEdge {
  return {
    ...one,
    callCount: one.callCount + other.callCount,
    errorCount: one.errorCount + other.errorCount,
    p50Nano: Math.max(one.p50Nano, other.p50Nano),
    p95Nano: Math.max(one.p95Nano, other.p95Nano),
    p99Nano: Math.max(one.p99Nano, other.p99Nano),
    exampleTraceIds: [...new Set([...one.exampleTraceIds, ...other.exampleTraceIds])].slice(0, 3),
    edgeCount: one.edgeCount + other.edgeCount,
  };
}
