/**
 * Hubs: nodes that a good part of the graph calls (authentication, configuration). Drawn as edges they would cover everything else, so in a
 * larger graph each such call becomes a badge on its caller.
 */
import type { MapEdge, MapGraph } from "./graph.ts";

const HUB_CALLERS_MIN = 6;
/** Of the nodes, the share that must call a hub. */
const HUB_CALLERS_SHARE = 0.15;
const HUBS_MAX = 8;

export interface HubSplit {
  readonly hubs: ReadonlySet<string>;
  /** Calls to hubs, by caller. */
  readonly badges: ReadonlyMap<string, readonly MapEdge[]>;
  /** Everything else, in its order. */
  readonly edges: readonly MapEdge[];
}

export function splitHubs({ nodes, edges }: MapGraph): HubSplit {
  const callers = new Map<string, Set<string>>();
  for (const { caller, callee } of edges) {
    if (caller !== callee) callers.set(callee, (callers.get(callee) ?? new Set()).add(caller));
  }
  const least = Math.max(HUB_CALLERS_MIN, nodes.length * HUB_CALLERS_SHARE);
  const hubs = new Set(
    [...callers]
      .filter(([, of]) => of.size >= least)
      .sort(([a, one], [b, other]) => other.size - one.size || (a < b ? -1 : 1))
      .slice(0, HUBS_MAX)
      .map(([id]) => id),
  );
  const isBadge = ({ caller, callee }: MapEdge): boolean => hubs.has(callee) && caller !== callee;
  return {
    hubs,
    badges: Map.groupBy(edges.filter(isBadge), ({ caller }) => caller),
    edges: edges.filter((edge) => !isBadge(edge)),
  };
}
