/** Words for nodes and edges of the map, in the chosen language. */
import { formatDuration, formatPercent, formatRate } from "../../lib/format.ts";
import type { MapEdge } from "../../lib/map/graph.ts";
import { t } from "../../state/settings.svelte.ts";

const NAMED_KINDS = ["database", "messaging", "external", "group"] as const;

/** The name within a node's id: `cart` of `service:cart`. */
export function nameOfId(id: string): string {
  return id.slice(id.indexOf(":") + 1);
}

/** The name of a node with what it is, unless it is a service: `cart`, `orders (database)`. */
export function labelOfId(id: string): string {
  const kind = NAMED_KINDS.find((candidate) => id.startsWith(`${candidate}:`));
  return kind === undefined ? nameOfId(id) : `${nameOfId(id)} (${t(`map.kind.${kind}`)})`;
}

/** `web → cart`. */
export function edgeNames({ caller, callee }: MapEdge): string {
  return `${labelOfId(caller)} → ${labelOfId(callee)}`;
}

export function edgeText(edge: MapEdge, seconds: number): string {
  return t("map.edge", {
    caller: labelOfId(edge.caller),
    callee: labelOfId(edge.callee),
    rate: formatRate(edge.callCount, seconds),
    p95: formatDuration(edge.p95Nano),
    errors: formatPercent(edge.callCount === 0 ? 0 : edge.errorCount / edge.callCount),
  });
}
