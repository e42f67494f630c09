/** The graph as it is to be drawn: texts cut to size and measured, so that the layout leaves room for them. */
import { formatChange, formatCountShort, formatDuration, formatPercent, formatRate } from "../../lib/format.ts";
import { edgeWidths, errorTint, fitText } from "../../lib/map/edge-style.ts";
import type { MapEdge, MapNode, MapPlan } from "../../lib/map/graph.ts";
import type { LayoutRequest } from "../../lib/map/layout.ts";

interface SceneNode {
  readonly node: MapNode;
  readonly title: string;
  readonly detail: string;
  /** The hubs that it calls, drawn beneath; "" for none. */
  readonly badge: string;
  readonly width: number;
  readonly height: number;
}
interface SceneEdge {
  readonly edge: MapEdge;
  readonly rate: string;
  /** Drawn in red beneath, with a glyph; "" without errors. */
  readonly errors: string;
  readonly p95: string;
  /** Whether the range that is compared with had no such calls. */
  readonly isNew: boolean;
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
/** Where a node's text begins: right of its icon. */
export const NODE_TEXT_X = 31;
const NODE_FRAME = NODE_TEXT_X + 9;
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

/** What a scene says in words and figures. */
export interface SceneWords {
  /** Length of the time range. */
  readonly seconds: number;
  /** The size of a group. */
  readonly members: (count: number) => string;
  readonly isNew: string;
  /** The edges of the range that is compared with; null without one. */
  readonly before: ReadonlyMap<string, MapEdge> | null;
}

export function buildScene(plan: MapPlan, words: SceneWords, measure: Measure = measureText): Scene {
  const widthOf = edgeWidths(plan.edges.map(({ callCount }) => callCount));
  const isLabelled = plan.edges.length <= LABELLED_EDGES_MAX;
  const badges = badgeTexts(plan);
  return {
    isLabelled,
    nodes: plan.nodes.map((node) => sceneNode(node, isLabelled, badges.get(node.id) ?? "", words.members, measure)),
    edges: plan.edges.map((edge) => sceneEdge(edge, words, widthOf(edge.callCount), measure)),
  };
}

const BADGE_NAMES_MAX = 2;

/** `→ auth, config +1` on callers of hubs, `← 45` on the hubs. */
function badgeTexts({ badges, nodes }: MapPlan): Map<string, string> {
  const names = new Map(nodes.map(({ id, name }) => [id, name]));
  const texts = new Map<string, string>();
  const callers = new Map<string, number>();
  for (const [caller, edges] of badges) {
    const called = [...edges].sort((a, b) => b.callCount - a.callCount).map(({ callee }) => names.get(callee) ?? callee);
    const rest = called.length - BADGE_NAMES_MAX;
    texts.set(caller, `→ ${called.slice(0, BADGE_NAMES_MAX).join(", ")}${rest > 0 ? ` +${rest}` : ""}`);
    for (const { callee } of edges) callers.set(callee, (callers.get(callee) ?? 0) + 1);
  }
  for (const [hub, count] of callers) texts.set(hub, [`← ${count}`, texts.get(hub) ?? ""].join(" ").trim());
  return texts;
}

function sceneNode(
  node: MapNode,
  isLabelled: boolean,
  badgeWhole: string,
  membersText: (count: number) => string,
  measure: Measure,
): SceneNode {
  const title = fitText(node.name === "" ? "–" : node.name, NODE_TEXT_MAX, (text) => measure(text, "600 12px"));
  const errors = node.errorCount > 0 ? ` · ⚠ ${formatPercent(node.errorCount / Math.max(1, node.spanCount), 2)}` : "";
  const figures = node.kind === "group" ? membersText(node.memberCount) : `${formatCountShort(node.spanCount)}${errors}`;
  const detail = isLabelled || node.kind === "group" ? figures : "";
  const badge = fitText(badgeWhole, NODE_TEXT_MAX, (text) => measure(text, "11px"));
  const textWidth = Math.max(measure(title, "600 12px"), measure(detail, "11px"), measure(badge, "11px"));
  return {
    node,
    title,
    detail,
    badge,
    width: Math.ceil(textWidth) + NODE_FRAME,
    height: (detail === "" ? NODE_HEIGHT_BARE : NODE_HEIGHT) + (badge === "" ? 0 : LINE_HEIGHT),
  };
}

function sceneEdge(edge: MapEdge, words: SceneWords, strokeWidth: number, measure: Measure): SceneEdge {
  const other = words.before?.get(edge.id);
  const isNew = words.before !== null && other === undefined;
  const change = other === undefined ? null : formatChange(edge.p95Nano, other.p95Nano);
  const rate = `${formatRate(edge.callCount, words.seconds)}${isNew ? ` · ${words.isNew}` : ""}`;
  const errors = edge.errorCount > 0 ? `⚠ ${formatPercent(edge.errorCount / edge.callCount, 2)}` : "";
  const p95 = `${formatDuration(edge.p95Nano)}${change === null || change === "±0%" ? "" : ` ${change}`}`;
  return {
    edge,
    rate,
    errors,
    p95,
    isNew,
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
