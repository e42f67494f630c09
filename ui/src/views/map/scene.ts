/** The graph as it is to be drawn: texts cut to size and measured, so that the layout leaves room for them. */
import { formatCountShort, formatDuration, formatPercent, formatRate } from "../../lib/format.ts";
import { edgeWidths, errorTint, fitText } from "../../lib/map/edge-style.ts";
import type { MapEdge, MapGraph, MapNode } from "../../lib/map/graph.ts";
import type { LayoutRequest } from "../../lib/map/layout.ts";

interface SceneNode {
  readonly node: MapNode;
  readonly title: string;
  readonly detail: string;
  readonly width: number;
  readonly height: number;
}
interface SceneEdge {
  readonly edge: MapEdge;
  readonly rate: string;
  /** Drawn in red beneath, with a glyph; "" without errors. */
  readonly errors: string;
  readonly p95: string;
  /** 0: no errors, 1: as red as it gets. */
  readonly tint: number;
  readonly strokeWidth: number;
  readonly labelWidth: number;
  readonly labelHeight: number;
}
export interface Scene {
  /** Whether edges and nodes carry their figures; a large graph shows an edge's when it is pointed at or selected. */
  readonly isLabelled: boolean;
  readonly nodes: readonly SceneNode[];
  readonly edges: readonly SceneEdge[];
}

/** Above this many edges labels would take most of the room. */
const LABELLED_EDGES_MAX = 90;
const NODE_HEIGHT = 42;
const NODE_HEIGHT_BARE = 28;
const NODE_TEXT_MAX = 170;
/** Icon, stripe and padding beside a node's text. */
const NODE_FRAME = 44;
/** Lines of a label are this far apart. */
export const LINE_HEIGHT = 13;
const LABEL_PADDING = 4;

type Measure = (text: string, font: string) => number;

let context: CanvasRenderingContext2D | null = null;

/** The width in pixels of a text in the page's font. */
function measureText(text: string, font: string): number {
  context ??= document.createElement("canvas").getContext("2d");
  if (context === null) return text.length * 7;
  context.font = `${font} ${getComputedStyle(document.documentElement).getPropertyValue("--font")}`;
  return context.measureText(text).width;
}

/** `seconds` is the length of the time range; `membersText` words the size of a group. */
export function buildScene(
  graph: MapGraph,
  seconds: number,
  membersText: (count: number) => string,
  measure: Measure = measureText,
): Scene {
  const widthOf = edgeWidths(graph.edges.map(({ callCount }) => callCount));
  const isLabelled = graph.edges.length <= LABELLED_EDGES_MAX;
  return {
    isLabelled,
    nodes: graph.nodes.map((node) => sceneNode(node, isLabelled, membersText, measure)),
    edges: graph.edges.map((edge) => sceneEdge(edge, seconds, widthOf(edge.callCount), measure)),
  };
}

function sceneNode(node: MapNode, isLabelled: boolean, membersText: (count: number) => string, measure: Measure): SceneNode {
  const title = fitText(node.name === "" ? "–" : node.name, NODE_TEXT_MAX, (text) => measure(text, "600 12px"));
  const errors = node.errorCount > 0 ? ` · ⚠ ${formatPercent(node.errorCount / Math.max(1, node.spanCount), 2)}` : "";
  const figures = node.kind === "group" ? membersText(node.memberCount) : `${formatCountShort(node.spanCount)}${errors}`;
  const detail = isLabelled || node.kind === "group" ? figures : "";
  const textWidth = Math.max(measure(title, "600 12px"), measure(detail, "11px"));
  return {
    node,
    title,
    detail,
    width: Math.ceil(textWidth) + NODE_FRAME,
    height: detail === "" ? NODE_HEIGHT_BARE : NODE_HEIGHT,
  };
}

function sceneEdge(edge: MapEdge, seconds: number, strokeWidth: number, measure: Measure): SceneEdge {
  const rate = formatRate(edge.callCount, seconds);
  const errors = edge.errorCount > 0 ? `⚠ ${formatPercent(edge.errorCount / edge.callCount, 2)}` : "";
  const p95 = `p95 ${formatDuration(edge.p95Nano)}`;
  return {
    edge,
    rate,
    errors,
    p95,
    tint: errorTint(edge),
    strokeWidth,
    labelWidth: Math.ceil(Math.max(measure(rate, "11px"), measure(p95, "11px"), measure(errors, "600 11px"))) + LABEL_PADDING,
    labelHeight: LABEL_PADDING + LINE_HEIGHT * (errors === "" ? 2 : 3),
  };
}

export function layoutRequest(scene: Scene): LayoutRequest {
  return {
    nodes: scene.nodes.map(({ node, width, height }) => ({ id: node.id, width, height })),
    edges: scene.edges.map(({ edge, labelWidth, labelHeight }) => ({
      id: edge.id,
      from: edge.caller,
      to: edge.callee,
      width: scene.isLabelled ? labelWidth : 0,
      height: scene.isLabelled ? labelHeight : 0,
      // Busy calls are drawn straighter.
      weight: 1 + Math.round(Math.log10(Math.max(1, edge.callCount))),
    })),
  };
}
