import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { countCrossings, orderLayers, type Layered } from "./order-layers.ts";

/** Nodes in a few layers, with edges between neighbouring ones. */
const anyLayered: fc.Arbitrary<Layered> = fc
  .record({
    layers: fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 24 }),
    pairs: fc.array(fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 4 })), { maxLength: 40 }),
  })
  .map(({ layers, pairs }) => ({
    layers: Int32Array.from(layers),
    edges: pairs
      .map(([a, b, weight]): [number, number, number] => [a % layers.length, b % layers.length, weight])
      .filter(([from, to]) => (layers[from] ?? 0) + 1 === layers[to]),
  }));

function crossingsOf({ layers, edges }: Layered, places: Int32Array): number {
  let crossings = 0;
  for (const [at, [a, b, weight]] of edges.entries()) {
    for (const [c, d, other] of edges.slice(at + 1)) {
      if (layers[a] !== layers[c]) continue;
      const upper = (places[a] ?? 0) - (places[c] ?? 0);
      const lower = (places[b] ?? 0) - (places[d] ?? 0);
      if (upper * lower < 0) crossings += weight * other;
    }
  }
  return crossings;
}

describe("the order within layers", () => {
  it("gives each node of a layer a place of its own, from 0 on, and always the same", () => {
    fc.assert(
      fc.property(anyLayered, (graph) => {
        const places = orderLayers(graph);
        for (const layer of new Set(graph.layers)) {
          const taken = [...places].filter((_, node) => graph.layers[node] === layer).sort((a, b) => a - b);
          assert.deepEqual(taken, [...taken.keys()]);
        }
        assert.deepEqual(orderLayers(graph), places);
      }),
    );
  });

  it("counts crossings as comparing every pair of edges does", () => {
    fc.assert(
      fc.property(anyLayered, (graph) => {
        const places = orderLayers(graph);
        const count = Math.max(...graph.layers) + 1;
        const byLayer = Array.from({ length: count }, (_, layer) =>
          [...graph.layers.keys()]
            .filter((node) => graph.layers[node] === layer)
            .sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0)),
        );
        const down: [number, number][][] = Array.from(graph.layers, () => []);
        for (const [from, to, weight] of graph.edges) down[from]?.push([to, weight]);
        assert.equal(countCrossings(byLayer, places, down), crossingsOf(graph, places));
      }),
    );
  });

  it("draws what can be drawn without a crossing without one", () => {
    // A tree whose children are numbered the other way round.
    const layers = Int32Array.from([0, 1, 1, 1, 2, 2, 2]);
    const edges: Layered["edges"] = [
      [0, 1, 1],
      [0, 2, 1],
      [0, 3, 1],
      [1, 6, 1],
      [2, 5, 1],
      [3, 4, 1],
    ];
    assert.equal(crossingsOf({ layers, edges }, orderLayers({ layers, edges })), 0);
  });
});
