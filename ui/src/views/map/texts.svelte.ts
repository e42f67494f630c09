/** Words for nodes and edges of the map, in the chosen language. */
import { formatDuration, formatPercent, formatRate } from "../../lib/format.ts";
import type { MapEdge } from "../../lib/map/graph.ts";
import { t } from "../../state/settings.svelte.ts";

/** The name within a node's id: `cart` of `service:cart`. */
export function nameOfId(id: string): string {
  return id.slice(id.indexOf(":") + 1);
}

export function edgeText(edge: MapEdge, seconds: number): string {
  return t("map.edge", {
    caller: nameOfId(edge.caller),
    callee: nameOfId(edge.callee),
    rate: formatRate(edge.callCount, seconds),
    p95: formatDuration(edge.p95Nano),
    errors: formatPercent(edge.callCount === 0 ? 0 : edge.errorCount / edge.callCount),
  });
}
