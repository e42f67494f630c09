/** The sizes of the call graph's boxes and labels. */
import type { LayoutRequest } from "../../lib/map/layout.ts";
import type { CallGraph } from "../../lib/trace/call-graph.ts";

export const NODE_WIDTH = 190;
export const NODE_HEIGHT = 52;
const LABEL_HEIGHT = 16;
const LABEL_CHAR_WIDTH = 7;

/** What stands on an edge. */
export function edgeText(callCount: number, format: (count: number) => string): string {
  return `×${format(callCount)}`;
}

export function layoutRequestOf(graph: CallGraph): LayoutRequest {
  return {
    nodes: graph.nodes.map(({ id }) => ({ id, width: NODE_WIDTH, height: NODE_HEIGHT })),
    edges: graph.edges.map(({ id, from, to, callCount }) => ({
      id,
      from,
      to,
      width: LABEL_CHAR_WIDTH * (edgeText(callCount, String).length + 2),
      height: LABEL_HEIGHT,
      weight: 1 + Math.round(Math.log10(Math.max(1, callCount))),
    })),
  };
}
