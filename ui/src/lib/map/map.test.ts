import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DependencyEdge, DependencyNode } from "@callchain/schemas/api/catalog.ts";
import * as fc from "fast-check";
import { arrowPath, edgePath, edgeWidths, errorTint, fitText } from "./edge-style.ts";
import { backbone, groupNameOf, groupNodes, mapGraph, neighbourhood, planMap, type MapChoice, type MapGraph } from "./graph.ts";
import { layoutGraph, type LayoutRequest } from "./layout.ts";

const node = (name: string, kind: DependencyNode["kind"] = "service"): DependencyNode => ({
  id: `${kind}:${name}`,
  name,
  kind,
  spanCount: 10,
  errorCount: 1,
  namespace: null,
  serverRootCount: 0,
  otherRootCount: 0,
});
const edge = (caller: string, callee: string, callCount = 1): DependencyEdge => ({
  caller: `service:${caller}`,
  callee: `service:${callee}`,
  kind: "call",
  callCount,
  errorCount: 0,
  p50Nano: 1,
  p95Nano: callCount,
  p99Nano: 3,
  exampleTraceIds: [`${caller}${callee}`],
});
const WHOLE: MapChoice = { focus: null, depth: 1, showAll: false, openGroup: null };
const names = (graph: MapGraph): string[] => graph.nodes.map(({ name }) => name);

/** web -> cart -> stock -> depot, and cart -> web again. */
const CHAIN = mapGraph({
  nodes: ["web", "stock", "cart", "depot"].map((name) => node(name)),
  edges: [
    edge("web", "cart", 9),
    edge("cart", "stock", 5),
    edge("stock", "depot", 1),
    edge("cart", "web", 2),
    edge("cart", "gone"),
  ],
});

/** A random graph of `count` services named by group, connected as a tree plus some more. */
function randomGraph(count: number, extra: number, groups = 8): MapGraph {
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed % below;
  };
  const name = (index: number): string => `g${index % groups}-s${index}`;
  const pairs = new Set<string>();
  for (let index = 1; index < count; index += 1) pairs.add(`${random(index)} ${index}`);
  while (pairs.size < count - 1 + extra) pairs.add(`${random(count)} ${random(count)}`);
  const edges = [...pairs].map((pair) => {
    const [caller = 0, callee = 0] = pair.split(" ").map(Number);
    return edge(name(caller), name(callee), 1 + random(10_000));
  });
  return mapGraph({ nodes: Array.from({ length: count }, (_, index) => node(name(index))), edges });
}

describe("the part of a graph that is drawn", () => {
  it("has one node for a service and for the external peer of its name, and one edge for both ways of seeing a call", () => {
    const external = { ...edge("shipping", "billing", 3), callee: "external:billing", kind: "external" as const };
    const other = { ...edge("shipping", "mail", 2), callee: "external:mail", kind: "external" as const };
    const graph = mapGraph({
      nodes: [
        node("shipping"),
        node("billing"),
        node("billing", "external"),
        node("mail", "external"),
        node("billing", "database"),
      ],
      edges: [edge("shipping", "billing", 5), external, other],
    });
    assert.deepEqual(
      graph.nodes.map(({ id }) => id),
      ["database:billing", "external:mail", "service:billing", "service:shipping"],
    );
    assert.deepEqual(
      graph.edges.map(({ callee, kind, callCount }) => ({ callee, kind, callCount })),
      [
        { callee: "external:mail", kind: "external", callCount: 2 },
        { callee: "service:billing", kind: "call", callCount: 8 },
      ],
    );
    assert.equal(graph.nodes.find(({ id }) => id === "service:billing")?.spanCount, 10);
  });

  it("is everything while there are few nodes, without edges to nowhere", () => {
    const plan = planMap(CHAIN, WHOLE);
    assert.deepEqual(names(plan), ["cart", "depot", "stock", "web"]);
    assert.equal(plan.edges.length, 4);
    assert.equal(plan.hiddenEdgeCount, 0);
  });

  it("has one edge for each pair of ends and kind, even when the answer says it twice", () => {
    const nodes = [node("web"), node("cart")];
    const { edges } = mapGraph({ nodes, edges: [edge("web", "cart", 3), edge("web", "cart", 4)] });
    assert.deepEqual(
      edges.map(({ callCount }) => callCount),
      [7],
    );
  });

  it("is what lies one or two hops around the focus, in both directions", () => {
    assert.deepEqual(names(neighbourhood(CHAIN, "service:stock", 1)), ["cart", "depot", "stock"]);
    assert.deepEqual(names(neighbourhood(CHAIN, "service:stock", 2)), ["cart", "depot", "stock", "web"]);
    assert.deepEqual(names(planMap(CHAIN, { ...WHOLE, focus: "service:depot" })), ["depot", "stock"]);
  });

  it("is the whole graph when the focus is not in it any more", () => {
    assert.equal(planMap(CHAIN, { ...WHOLE, focus: "service:gone" }).nodes.length, 4);
  });

  it("is the traffic backbone of a larger graph, which touches every node and counts what it hides", () => {
    const graph = randomGraph(120, 300);
    const plan = planMap(graph, WHOLE);
    assert.equal(plan.nodes.length, 120);
    assert.equal(plan.edges.length + plan.hiddenEdgeCount, graph.edges.length);
    assert.ok(plan.hiddenEdgeCount > 0);
    const touched = new Set(plan.edges.flatMap(({ caller, callee }) => [caller, callee]));
    assert.equal(touched.size, 120);
    assert.equal(planMap(graph, { ...WHOLE, showAll: true }).hiddenEdgeCount, 0);
  });

  it("keeps the busiest edges of a backbone", () => {
    const busiest = [...CHAIN.edges].sort((a, b) => b.callCount - a.callCount)[0];
    assert.ok(busiest !== undefined && backbone(CHAIN, 1).some(({ id }) => id === busiest.id));
  });

  it("is grouped above 200 nodes, one group open at a time, and no call is lost", () => {
    const graph = randomGraph(240, 300);
    const closed = planMap(graph, WHOLE);
    assert.equal(closed.isGrouped, true);
    assert.equal(closed.nodes.length, 8);
    const open = groupNodes(graph, "group:g3");
    assert.equal(open.nodes.length, 7 + 30);
    const within = graph.edges.filter(({ caller, callee }) => caller !== callee && sameClosedGroup(caller, callee, "g3"));
    const sum = (edges: MapGraph["edges"]): number => edges.reduce((total, { callCount }) => total + callCount, 0);
    assert.equal(sum(open.edges) + sum(within), sum(graph.edges));
  });

  function sameClosedGroup(caller: string, callee: string, open: string): boolean {
    const [one, other] = [caller, callee].map((id) => groupNameOf(id.slice("service:".length)));
    return one === other && one !== open;
  }

  it("groups by namespace where services have more than one, and by the first word of the name where none was sent", () => {
    const service = (name: string, namespace: string | null): DependencyNode => ({ ...node(name), namespace });
    const nodes = [
      service("a1", "shop"),
      service("b1", "shop"),
      service("c1", "bank"),
      service("d1", "bank"),
      service("x-1", null),
    ];
    const grouped = (of: DependencyNode[]): string[] => names(groupNodes(mapGraph({ nodes: of, edges: [] }), null));
    assert.deepEqual(grouped([...nodes, service("x-2", null)]), ["bank", "shop", "x"]);
    assert.deepEqual(grouped(nodes.map((each) => ({ ...each, namespace: "one" }))), ["a1", "b1", "c1", "d1", "x-1"]);
  });

  it("takes the first word of a name as its group", () => {
    assert.deepEqual(["pay-api", "pay.api", "pay/x", "pay", "-x", ""].map(groupNameOf), ["pay", "pay", "pay", "pay", "-x", ""]);
  });
});

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}
const overlap = (a: Box, b: Box): boolean =>
  a.left < b.right - 0.01 && b.left < a.right - 0.01 && a.top < b.bottom - 0.01 && b.top < a.bottom - 0.01;

function requestOf(graph: MapGraph): LayoutRequest {
  return {
    nodes: graph.nodes.map(({ id }) => ({ id, width: 140, height: 40 })),
    edges: graph.edges.map(({ id, caller, callee }) => ({ id, from: caller, to: callee, width: 90, height: 16, weight: 1 })),
  };
}

function boxes(request: LayoutRequest): Box[] {
  const { nodes, edges } = layoutGraph(request);
  const box = ({ x = Number.NaN, y = Number.NaN } = {}, width: number, height: number): Box => ({
    left: x - width / 2,
    right: x + width / 2,
    top: y - height / 2,
    bottom: y + height / 2,
  });
  return [
    ...request.nodes.map(({ id, width, height }) => box(nodes.get(id), width, height)),
    ...request.edges.map(({ id, width, height }) => box(edges.get(id)?.label, width, height)),
  ];
}

describe("the layout", () => {
  it("puts callees right of their callers", () => {
    const { nodes } = layoutGraph(
      requestOf({ nodes: CHAIN.nodes, edges: CHAIN.edges.filter(({ callee }) => callee !== "service:web") }),
    );
    const x = (name: string): number => nodes.get(`service:${name}`)?.x ?? Number.NaN;
    assert.ok(x("web") < x("cart") && x("cart") < x("stock") && x("stock") < x("depot"));
  });

  it("lets no node or label cover another, in any small graph with cycles, loops and lonely nodes", () => {
    const pairs = fc.uniqueArray(fc.tuple(fc.nat({ max: 7 }), fc.nat({ max: 7 })), {
      maxLength: 16,
      selector: (pair) => pair.join(),
    });
    fc.assert(
      fc.property(pairs, (edges) => {
        const graph = mapGraph({
          nodes: Array.from({ length: 8 }, (_, index) => node(`${index}`)),
          edges: edges.filter(([from, to]) => from !== to).map(([from, to]) => edge(`${from}`, `${to}`)),
        });
        const all = boxes(requestOf(graph));
        for (const [index, one] of all.entries()) {
          assert.ok(Number.isFinite(one.left));
          for (const other of all.slice(index + 1)) assert.ok(!overlap(one, other));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is the same every time", () => {
    const request = requestOf(randomGraph(40, 30));
    assert.deepEqual(layoutGraph(request), layoutGraph(request));
  });

  it("takes a graph without edges, and one without anything", () => {
    assert.equal(layoutGraph(requestOf({ nodes: CHAIN.nodes, edges: [] })).nodes.size, 4);
    assert.equal(layoutGraph({ nodes: [], edges: [] }).nodes.size, 0);
  });
});

describe("an edge", () => {
  it("is the wider the more it is used", () => {
    const width = edgeWidths([1, 100, 10_000]);
    assert.deepEqual(
      [1, 100, 10_000].map((count) => Math.round(width(count) * 100) / 100),
      [1.25, 4.13, 7],
    );
    assert.ok(Number.isFinite(edgeWidths([5])(5)) && Number.isFinite(edgeWidths([])(5)));
  });

  it("is the redder the more of its calls fail, from 5% on wholly", () => {
    const tint = (callCount: number, errorCount: number): number => errorTint({ callCount, errorCount });
    assert.deepEqual([tint(100, 0), tint(0, 0), tint(100, 5), tint(100, 80)], [0, 0, 1, 1]);
    assert.ok(tint(1e6, 1) >= 0.15 && tint(1e6, 1) < tint(1000, 2) && tint(1000, 2) < tint(100, 2) && tint(100, 2) < 1);
  });

  it("ends in an arrow that points the way it goes", () => {
    assert.equal(
      arrowPath(
        [
          { x: 0, y: 0 },
          { x: 20, y: 5 },
        ],
        2,
      ),
      "M20,5l-7,-4v8Z",
    );
    assert.equal(
      arrowPath(
        [
          { x: 20, y: 0 },
          { x: 0, y: 5 },
        ],
        2,
      ),
      "M0,5l7,-4v8Z",
    );
    assert.equal(arrowPath([], 2), "");
  });

  it("goes through its points", () => {
    assert.equal(
      edgePath([
        { x: 0, y: 0 },
        { x: 10, y: 4 },
      ]),
      "M0,0C5,0 5,4 10,4",
    );
    assert.equal(edgePath([]), "");
  });

  it("has names cut where they do not fit, by whole characters", () => {
    const measure = (text: string): number => Array.from(text).length;
    assert.equal(fitText("checkout", 8, measure), "checkout");
    assert.equal(fitText("checkout", 5, measure), "chec…");
    assert.equal(fitText("😀😀😀", 2, measure), "😀…");
    assert.equal(fitText("abc", 0, measure), "…");
  });
});
