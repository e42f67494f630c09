/**
 * Layered left-to-right layout by dagre. Labels of edges are laid out as boxes of their own, so they overlap neither each other nor
 * nodes. The input's order decides ties, so the same graph is always laid out the same.
 */
import { Graph, layout, type EdgeLabel, type GraphLabel, type NodeLabel } from "@dagrejs/dagre";
import { orderLayers } from "./order-layers.ts";

export interface LayoutRequest {
  readonly nodes: readonly { readonly id: string; readonly width: number; readonly height: number }[];
  /** Width and height are those of the label. */
  readonly edges: readonly {
    readonly id: string;
    readonly from: string;
    readonly to: string;
    readonly width: number;
    readonly height: number;
    readonly weight: number;
  }[];
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Coordinates are centres, in the units of the request, from (0, 0). */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly nodes: ReadonlyMap<string, Point>;
  readonly edges: ReadonlyMap<string, { readonly points: readonly Point[]; readonly label: Point }>;
}

const NODE_GAP = 20;
const EDGE_GAP = 10;
/** On both sides of a label. */
const LAYER_GAP = 14;
/** Between layers without labels, where many edges must find their way. */
const BARE_LAYER_GAP = 40;
const MARGIN = 16;
/** Exact ranking and dagre's own ordering take too long above this many edges; the tight tree and ours are nearly as good. */
const EXACT_EDGES_MAX = 150;

export function layoutGraph(request: LayoutRequest): Layout {
  const isBare = request.edges.every(({ width }) => width === 0);
  const graph = new Graph<GraphLabel, NodeLabel, EdgeLabel>({ multigraph: true });
  graph.setGraph({
    rankdir: "LR",
    nodesep: NODE_GAP,
    edgesep: EDGE_GAP,
    ranksep: isBare ? BARE_LAYER_GAP : LAYER_GAP,
    marginx: MARGIN,
    marginy: MARGIN,
    acyclicer: "greedy",
    ranker: request.edges.length > EXACT_EDGES_MAX ? "tight-tree" : "network-simplex",
  });
  for (const { id, width, height } of request.nodes) graph.setNode(id, { width, height });
  for (const { id, from, to, width, height, weight } of request.edges) {
    graph.setEdge(from, to, { width, height, weight, minlen: 1, labelpos: "c" }, id);
  }
  if (request.edges.length > EXACT_EDGES_MAX) layout(graph, { customOrder: orderNodes });
  else layout(graph);
  const nodes = new Map<string, Point>();
  for (const { id } of request.nodes) {
    const { x = 0, y = 0 } = graph.node(id);
    nodes.set(id, { x, y });
  }
  const edges = new Map<string, { points: readonly Point[]; label: Point }>();
  for (const { id, from, to } of request.edges) {
    const { points = [], x, y } = graph.edge(from, to, id);
    // What has no room of its own is shown on the edge's middle, when it is pointed at.
    const middle = points[points.length >> 1];
    const label = { x: x ?? middle?.x ?? 0, y: y ?? middle?.y ?? 0 };
    edges.set(id, { points: points.map((point) => ({ x: point.x, y: point.y })), label });
  }
  const { width = 0, height = 0 } = graph.graph();
  return { width, height, nodes, edges };
}

/** In place of dagre's ordering: sets each node's place within its rank, those of the bends of long edges included. */
function orderNodes(graph: Graph<GraphLabel, NodeLabel, EdgeLabel>): void {
  const ids = graph.nodes().filter((id) => graph.node(id).rank !== undefined);
  const numbers = new Map(ids.map((id, number) => [id, number]));
  const layers = Int32Array.from(ids, (id) => graph.node(id).rank ?? 0);
  const edges = graph.edges().flatMap((edge): [number, number, number][] => {
    const [from, to] = [numbers.get(edge.v), numbers.get(edge.w)];
    return from === undefined || to === undefined ? [] : [[from, to, graph.edge(edge).weight ?? 1]];
  });
  const places = orderLayers({ layers, edges });
  for (const [number, id] of ids.entries()) graph.node(id).order = places[number] ?? 0;
}
