/** The adjacency matrix of the service graph: in which order, and how dark. */
import type { MapEdge, MapGraph } from "./graph.ts";

export const MAP_METRICS = ["rate", "errors", "p95"] as const;
export type MapMetric = (typeof MAP_METRICS)[number];

export function readMetric(text: string | null): MapMetric {
  return MAP_METRICS.find((metric) => metric === text) ?? "rate";
}

/**
 * Ids so that callers come before their callees as far as cycles allow: calls then lie above the diagonal, and what lies below it leads back.
 * The same graph always has the same order.
 */
export function matrixOrder({ nodes, edges }: MapGraph): string[] {
  const callers = new Map<string, Set<string>>(nodes.map(({ id }) => [id, new Set<string>()]));
  for (const { caller, callee } of edges) if (caller !== callee) callers.get(callee)?.add(caller);
  const order: string[] = [];
  const waiting = new Set(nodes.map(({ id }) => id));
  while (waiting.size > 0) {
    // Of those that wait for the fewest callers, the first by id: 0 unless a cycle has to be cut.
    let next: string | undefined;
    let fewest = Infinity;
    for (const id of waiting) {
      const count = [...(callers.get(id) ?? [])].filter((caller) => waiting.has(caller)).length;
      if (count < fewest || (count === fewest && next !== undefined && id < next)) [next, fewest] = [id, count];
    }
    if (next === undefined) break;
    order.push(next);
    waiting.delete(next);
  }
  return order;
}

const SHADE_LEAST = 0.12;

/** 0 to 1 by the chosen figure: calls and durations by their logarithm between the least and the most, errors by their share. */
export function matrixShade(edges: readonly MapEdge[], metric: MapMetric): (edge: MapEdge) => number {
  if (metric === "errors") return ({ callCount, errorCount }) => (callCount === 0 ? 0 : Math.sqrt(errorCount / callCount));
  const figure = (edge: MapEdge): number => Math.log(Math.max(1, metric === "rate" ? edge.callCount : edge.p95Nano));
  const figures = edges.map(figure);
  const least = Math.min(...figures);
  const span = Math.max(...figures) - least;
  return (edge) => (span <= 0 ? 1 : SHADE_LEAST + (1 - SHADE_LEAST) * ((figure(edge) - least) / span));
}
