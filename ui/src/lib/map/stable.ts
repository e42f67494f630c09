/**
 * Keeps positions from load to load: figures change with every refresh, and with them the sizes of labels, but a layout depends on what it
 * is asked for alone. So sizes and weights once given are kept (sizes may grow), and nodes are named in the order they had.
 */
import type { Layout, LayoutRequest } from "./layout.ts";

/** Sizes are rounded up to this, so that one more digit moves nothing. */
const GRID = 16;

export class StableRequests {
  readonly #nodes = new Map<string, { width: number; height: number }>();
  readonly #edges = new Map<string, { width: number; height: number; weight: number }>();
  #order = new Map<string, number>();

  /** The request to lay out in place of the given one: equal to the one before while the graph has the same nodes and edges. */
  settle(request: LayoutRequest): LayoutRequest {
    const nodes = request.nodes.map((node) => {
      const kept = this.#nodes.get(node.id);
      const size = { width: grown(node.width, kept?.width), height: Math.max(node.height, kept?.height ?? 0) };
      this.#nodes.set(node.id, size);
      return { ...node, ...size };
    });
    const edges = request.edges.map((edge) => {
      const kept = this.#edges.get(edge.id);
      const isBare = edge.width === 0;
      const size = {
        width: isBare ? 0 : grown(edge.width, kept?.width),
        height: isBare ? 0 : Math.max(edge.height, kept?.height ?? 0),
        weight: kept?.weight ?? edge.weight,
      };
      if (!isBare || kept === undefined) this.#edges.set(edge.id, size);
      return { ...edge, ...size };
    });
    const place = (id: string): number => this.#order.get(id) ?? Number.MAX_SAFE_INTEGER;
    return { nodes: nodes.toSorted((a, b) => place(a.id) - place(b.id) || (a.id < b.id ? -1 : 1)), edges };
  }

  /** Nodes are named from top to bottom next time; ties in a layout are decided by that. */
  remember({ nodes }: Layout): void {
    const ids = [...nodes].sort(([a, one], [b, other]) => one.y - other.y || (a < b ? -1 : 1)).map(([id]) => id);
    // Those that are not drawn now keep their place for when they are again.
    if (ids.some((id) => !this.#order.has(id))) this.#order = new Map(ids.map((id, index) => [id, index]));
  }
}

function grown(size: number, kept = 0): number {
  return Math.max(Math.ceil(size / GRID) * GRID, kept);
}
