import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DependencyNode } from "@callchain/schemas/api/catalog.ts";
import * as fc from "fast-check";
import { compareGraphs, comparedRange, readComparison } from "./comparison.ts";
import { mapGraph, planMap, type MapChoice, type MapGraph } from "./graph.ts";
import { splitHubs } from "./hubs.ts";
import { layoutGraph, type LayoutRequest } from "./layout.ts";
import { StableRequests } from "./stable.ts";
import { tiersOf } from "./tiers.ts";

const WHOLE: MapChoice = { focus: null, depth: 1, showAll: false, openGroup: null };

type Call = readonly [caller: string, callee: string, callCount?: number];
/** Names with a colon are ids of other kinds than services. */
function graphOf(calls: readonly Call[], counts: Readonly<Record<string, Partial<DependencyNode>>> = {}): MapGraph {
  const id = (name: string): string => (name.includes(":") ? name : `service:${name}`);
  const kindOf = (name: string): "service" | "database" | "messaging" | "external" => {
    const kind = id(name).split(":")[0];
    return kind === "database" || kind === "messaging" || kind === "external" ? kind : "service";
  };
  const names = [...new Set(calls.flatMap(([caller, callee]) => [caller, callee]))];
  return mapGraph({
    nodes: names.map((name) => ({
      id: id(name),
      name: id(name).split(":")[1] ?? "",
      kind: kindOf(name),
      spanCount: 1,
      errorCount: 0,
      namespace: null,
      serverRootCount: 0,
      otherRootCount: 0,
      ...counts[name],
    })),
    edges: calls.map(([caller, callee, callCount = 1]) => ({
      caller: id(caller),
      callee: id(callee),
      kind: "call",
      callCount,
      errorCount: 0,
      p50Nano: 1,
      p95Nano: 2,
      p99Nano: 3,
      exampleTraceIds: [],
    })),
  });
}

/** A shop of `count` services: three layers, a few hubs that nearly everyone calls, a database for every fifth. */
function largeShop(count: number): MapGraph {
  const name = (index: number): string => `team${index % 12}-svc${index}`;
  const calls: Call[] = [];
  for (let index = 1; index < count; index += 1) {
    calls.push([name(Math.floor((index - 1) / 4)), name(index), 1 + ((index * 7919) % 10_000)]);
    if (index % 3 === 0) calls.push([name(index), name((index * 31) % count), 1 + (index % 500)]);
    if (index % 2 === 0) calls.push([name(index), "config"]);
    if (index % 5 === 0) calls.push([name(index), `database:db${index}`, index]);
  }
  return graphOf(calls.filter(([caller, callee]) => caller !== callee));
}

describe("a larger graph", () => {
  it("shows calls to hubs as badges, and counts every edge that is not drawn", () => {
    const graph = largeShop(150);
    const plan = planMap(graph, WHOLE);
    assert.ok(graph.nodes.length > 60 && graph.nodes.length <= 200);
    assert.ok(!plan.isGrouped && plan.badgeEdgeCount > 60);
    assert.ok(plan.edges.every(({ callee }) => callee !== "service:config"));
    assert.equal(plan.edges.length + plan.hiddenEdgeCount + plan.badgeEdgeCount, graph.edges.length);
  });

  it("has no hubs where few call the same", () => {
    assert.equal(
      splitHubs(
        graphOf([
          ["a", "b"],
          ["b", "c"],
        ]),
      ).hubs.size,
      0,
    );
  });

  it("loses and doubles no edge when hubs are taken out, whatever the graph", () => {
    const calls = fc.array(fc.tuple(fc.nat({ max: 30 }), fc.nat({ max: 30 })), { maxLength: 200 });
    fc.assert(
      fc.property(calls, (pairs) => {
        const graph = graphOf(pairs.map(([a, b]) => [`s${a}`, `s${b}`]));
        const { badges, edges } = splitHubs(graph);
        const all = [...edges, ...[...badges.values()].flat()].map(({ id }) => id).sort();
        assert.deepEqual(all, graph.edges.map(({ id }) => id).sort());
      }),
    );
  });
});

describe("tiers", () => {
  it("are told from the calls", () => {
    const tiers = tiersOf(
      graphOf([
        ["web", "api"],
        ["api", "cart"],
        ["api", "pay"],
        ["api", "stock"],
        ["cart", "database:carts"],
        ["pay", "external:bank"],
        ["cart", "messaging:orders"],
        ["messaging:orders", "mail"],
      ]),
    );
    assert.deepEqual(Object.fromEntries(tiers), {
      "service:web": "edge",
      "service:api": "gateway",
      "service:cart": "service",
      "service:pay": "service",
      "service:stock": "service",
      "service:mail": "service",
      "database:carts": "dataStore",
      "external:bank": "external",
      "messaging:orders": "queue",
    });
  });
});

describe("a service that begins traces", () => {
  const fanOut: readonly Call[] = [
    ["front", "cart", 10],
    ["front", "pay", 10],
    ["front", "stock", 10],
    ["cart", "front", 3],
  ];
  const tierOf = (counts: Partial<DependencyNode>): string | undefined =>
    tiersOf(graphOf(fanOut, { front: counts })).get("service:front");

  it("is a gateway by server spans and an edge by any other, though others call it, too", () => {
    assert.equal(tierOf({ serverRootCount: 20 }), "gateway");
    assert.equal(tierOf({ otherRootCount: 20, serverRootCount: 2 }), "edge");
  });

  it("is no more than a service where most of its calls come from other services", () => {
    assert.equal(tierOf({ serverRootCount: 2 }), "service");
  });
});

describe("two time ranges", () => {
  it("are as long as each other, whichever is chosen", () => {
    const nowMs = 1_700_000_000_000;
    const range = { from: "now-1h", to: "now" };
    for (const choice of ["before", "1d", "1w"] as const) {
      const { compareFrom, compareTo } = comparedRange(range, choice, nowMs);
      assert.equal(BigInt(compareTo) - BigInt(compareFrom), 3_600_000_000_000n, choice);
    }
    assert.equal(comparedRange(range, "before", nowMs).compareTo, `${(nowMs - 3_600_000) * 1000}000`);
    assert.equal(readComparison("1d"), "1d");
    assert.equal(readComparison("2d"), null);
  });

  it("tell what is new and what is gone", () => {
    const comparison = compareGraphs(
      graphOf([
        ["a", "b"],
        ["b", "c"],
      ]),
      graphOf([
        ["a", "b", 5],
        ["a", "z"],
      ]),
      60,
    );
    assert.deepEqual([...comparison.before.keys()].length, 2);
    assert.deepEqual(
      comparison.gone.map(({ callee }) => callee),
      ["service:z"],
    );
    assert.equal(comparison.before.has("service:b|service:c|call"), false);
  });
});

function requestOf(graph: MapGraph, figures: number): LayoutRequest {
  return {
    nodes: graph.nodes.map(({ id }) => ({ id, width: 120 + (figures % 7), height: 40 })),
    edges: graph.edges.map(({ id, caller, callee }) => ({
      id,
      from: caller,
      to: callee,
      width: 60 + (figures % 3),
      height: 28,
      weight: 1 + (figures % 4),
    })),
  };
}

describe("positions", () => {
  it("stay while only the figures change", () => {
    const stable = new StableRequests();
    const graph = graphOf([
      ["web", "cart"],
      ["web", "pay"],
      ["cart", "stock"],
    ]);
    const first = stable.settle(requestOf(graph, 1));
    stable.remember(layoutGraph(first));
    const second = stable.settle(requestOf(graph, 6));
    stable.remember(layoutGraph(second));
    assert.deepEqual(layoutGraph(stable.settle(requestOf(graph, 3))).nodes, layoutGraph(second).nodes);
    assert.deepEqual(layoutGraph(second).nodes, layoutGraph(first).nodes);
  });
});

/** What is drawn of a graph is laid out without anything covering anything, labels included. */
function assertNothingOverlaps(graph: MapGraph): void {
  const plan = planMap(graph, WHOLE);
  const request = requestOf(plan, 0);
  const layout = layoutGraph(request);
  const boxes = [
    ...request.nodes.map(({ id, width, height }) => ({ at: layout.nodes.get(id), width, height })),
    ...request.edges.map(({ id, width, height }) => ({ at: layout.edges.get(id)?.label, width, height })),
  ].map(({ at, width, height }) => {
    assert.ok(at !== undefined && Number.isFinite(at.x) && Number.isFinite(at.y));
    return { left: at.x - width / 2, right: at.x + width / 2, top: at.y - height / 2, bottom: at.y + height / 2 };
  });
  // By the left end, so that only neighbours are compared.
  boxes.sort((a, b) => a.left - b.left);
  for (const [index, one] of boxes.entries()) {
    for (let next = index + 1; next < boxes.length; next += 1) {
      const other = boxes[next];
      if (other === undefined || other.left >= one.right - 0.01) break;
      assert.ok(other.top >= one.bottom - 0.01 || one.top >= other.bottom - 0.01, "two boxes overlap");
    }
  }
}

describe("the layout of a large graph", () => {
  for (const count of [165, 200, 500]) {
    it(`of ${count} services lets nothing cover anything`, () => assertNothingOverlaps(largeShop(count)));
  }
});
