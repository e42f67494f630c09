import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { mapGraph, type MapGraph } from "./graph.ts";
import { MAP_METRICS, matrixOrder, matrixShade, readMetric } from "./matrix.ts";

const UNCOUNTED = { spanCount: 1, errorCount: 0, namespace: null, serverRootCount: 0, otherRootCount: 0 };

function graphOf(
  calls: readonly (readonly [caller: string, callee: string, callCount?: number, errorCount?: number])[],
): MapGraph {
  const names = [...new Set(calls.flatMap(([caller, callee]) => [caller, callee]))];
  return mapGraph({
    nodes: names.map((name) => ({ id: `service:${name}`, name, kind: "service", ...UNCOUNTED })),
    edges: calls.map(([caller, callee, callCount = 1, errorCount = 0]) => ({
      caller: `service:${caller}`,
      callee: `service:${callee}`,
      kind: "call",
      callCount,
      errorCount,
      p50Nano: 1,
      p95Nano: callCount * 10,
      p99Nano: 3,
      exampleTraceIds: [],
    })),
  });
}
const pairs = fc.array(fc.tuple(fc.nat({ max: 12 }), fc.nat({ max: 12 })), { maxLength: 40 });

describe("the order of the matrix", () => {
  it("puts callers before their callees wherever there is no cycle", () => {
    fc.assert(
      fc.property(pairs, (calls) => {
        const graph = graphOf(calls.filter(([a, b]) => a < b).map(([a, b]) => [`s${a}`, `s${b}`]));
        const place = new Map(matrixOrder(graph).map((id, index) => [id, index]));
        for (const { caller, callee } of graph.edges) assert.ok((place.get(caller) ?? 0) < (place.get(callee) ?? 0));
      }),
    );
  });

  it("names every node once, cycles or not", () => {
    fc.assert(
      fc.property(pairs, (calls) => {
        const graph = graphOf(calls.map(([a, b]) => [`s${a}`, `s${b}`]));
        assert.deepEqual(matrixOrder(graph).sort(), graph.nodes.map(({ id }) => id).sort());
      }),
    );
  });
});

describe("a cell of the matrix", () => {
  it("is the darker the more it stands for, between just visible and full", () => {
    const { edges } = graphOf([
      ["a", "b", 1],
      ["a", "c", 50, 50],
      ["a", "d", 1000],
    ]);
    for (const metric of ["rate", "p95"] as const) {
      const [least = 0, middle = 0, most = 0] = edges.map(matrixShade(edges, metric));
      assert.ok(least > 0 && least < middle && middle < most && most === 1, metric);
    }
    assert.deepEqual(edges.map(matrixShade(edges, "errors")), [0, 1, 0]);
    assert.equal(matrixShade(edges.slice(0, 1), "rate")(edges[0] ?? assert.fail()), 1);
  });

  it("shows calls where the URL names no figure", () => {
    assert.deepEqual([...MAP_METRICS, "nonsense", null].map(readMetric), ["rate", "errors", "p95", "rate", "rate"]);
  });
});
