/** What part a node plays, from the calls it takes and makes: span kinds made the nodes' kinds, the graph tells the rest. */
import type { MapGraph } from "./graph.ts";

export type Tier = "edge" | "gateway" | "service" | "dataStore" | "queue" | "external";

/** A gateway passes calls on to at least so many services. */
const GATEWAY_CALLEES_MIN = 3;

/**
 * edge: a service that nothing calls and that calls services; gateway: called by nothing but the edge, passing on to three
 * services or more; databases, topics and external peers by their kind; everything else is a service.
 */
export function tiersOf({ nodes, edges }: MapGraph): Map<string, Tier> {
  const callers = new Map<string, Set<string>>();
  const callees = new Map<string, Set<string>>();
  const services = new Set(nodes.filter(({ kind }) => kind === "service" || kind === "group").map(({ id }) => id));
  for (const { caller, callee } of edges) {
    if (caller === callee) continue;
    // A topic counts as a caller: who consumes from it is not the edge.
    callers.set(callee, (callers.get(callee) ?? new Set()).add(caller));
    if (services.has(callee)) callees.set(caller, (callees.get(caller) ?? new Set()).add(callee));
  }
  const isEdge = (id: string): boolean => services.has(id) && !callers.has(id) && callees.has(id);
  const isGateway = (id: string): boolean =>
    (callees.get(id)?.size ?? 0) >= GATEWAY_CALLEES_MIN && [...(callers.get(id) ?? [])].every(isEdge);
  return new Map(
    nodes.map(({ id, kind }) => {
      if (kind === "database") return [id, "dataStore"];
      if (kind === "messaging") return [id, "queue"];
      if (kind === "external") return [id, "external"];
      return [id, isGateway(id) ? "gateway" : isEdge(id) ? "edge" : "service"];
    }),
  );
}
