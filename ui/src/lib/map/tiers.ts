/**
 * What part a node plays, from the calls it takes and makes. Kinds and attributes of spans made the nodes' kinds and say which services
 * begin traces: with a server span, a request came in from outside; with any other, somebody or something acted there.
 */
import type { MapGraph, MapNode } from "./graph.ts";

export type Tier = "edge" | "gateway" | "service" | "dataStore" | "queue" | "external";

/** A gateway passes calls on to at least so many services. */
const GATEWAY_CALLEES_MIN = 3;

/** Who calls and is called, services only; a topic counts as a caller: who consumes from it is not the edge. */
class Calls {
  readonly callers = new Map<string, Set<string>>();
  readonly callees = new Map<string, Set<string>>();
  readonly callCounts = new Map<string, number>();

  constructor({ nodes, edges }: MapGraph) {
    const services = new Set(nodes.filter(isService).map(({ id }) => id));
    for (const { caller, callee, callCount } of edges) {
      if (caller === callee) continue;
      this.callers.set(callee, (this.callers.get(callee) ?? new Set()).add(caller));
      this.callCounts.set(callee, (this.callCounts.get(callee) ?? 0) + callCount);
      if (services.has(callee)) this.callees.set(caller, (this.callees.get(caller) ?? new Set()).add(callee));
    }
  }

  calleeCount(id: string): number {
    return this.callees.get(id)?.size ?? 0;
  }
}

function isService({ kind }: MapNode): boolean {
  return kind === "service" || kind === "group";
}

/** Whether more of its work begins here than comes from others. Parents that were lost make roots of called services, too. */
function beginsTraces({ id, serverRootCount, otherRootCount }: MapNode, calls: Calls): boolean {
  const rootCount = serverRootCount + otherRootCount;
  return !calls.callers.has(id) || rootCount > (calls.callCounts.get(id) ?? 0);
}

/**
 * gateway: takes what comes from outside or from the edge, and passes it on to three services or more; edge: begins traces otherwise, and
 * calls services; databases, topics and external peers by their kind; everything else is a service.
 */
export function tiersOf(graph: MapGraph): Map<string, Tier> {
  const calls = new Calls(graph);
  const begin = new Set(graph.nodes.filter((node) => isService(node) && beginsTraces(node, calls)).map(({ id }) => id));
  const isGateway = (node: MapNode): boolean => {
    if (calls.calleeCount(node.id) < GATEWAY_CALLEES_MIN) return false;
    // What begins traces by itself is a program that people use, however much it calls.
    if (begin.has(node.id)) return node.otherRootCount <= node.serverRootCount;
    return [...(calls.callers.get(node.id) ?? [])].every((id) => begin.has(id));
  };
  const tierOf = (node: MapNode): Tier => {
    if (node.kind === "database") return "dataStore";
    if (node.kind === "messaging") return "queue";
    if (node.kind === "external") return "external";
    if (isGateway(node)) return "gateway";
    return begin.has(node.id) && calls.calleeCount(node.id) > 0 ? "edge" : "service";
  };
  return new Map(graph.nodes.map((node) => [node.id, tierOf(node)]));
}
