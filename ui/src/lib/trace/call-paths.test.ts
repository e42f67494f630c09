import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { buildCallGraph, GRAPH_BY } from "./call-graph.ts";
import { buildCallPaths } from "./call-paths.ts";
import { layoutFlame } from "./flame.ts";
import { buildSelfTimes } from "./statistics.ts";
import { anyRows, buildModel } from "./testing.ts";

const shop = buildModel([
  { duration: 100, name: "GET /cart" },
  { parent: 0, start: 10, duration: 20, name: "SELECT", service: "db" },
  { parent: 0, start: 40, duration: 30, name: "SELECT", service: "db", error: true },
  { parent: 2, start: 50, duration: 5, name: "fsync", service: "db" },
  { parent: 0, start: 80, duration: 10, name: "render" },
]);

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

describe("call paths", () => {
  it("merge spans of the same service, name and kind below the same path", () => {
    const { nodes, roots, nodeOf, busyNano } = buildCallPaths(shop);
    assert.deepEqual([...nodeOf], [0, 1, 1, 2, 3]);
    assert.deepEqual(roots, [0]);
    const [root, select] = nodes;
    assert.deepEqual(root?.children, [1, 3]);
    assert.equal(select?.spanCount, 2);
    assert.equal(select?.errorCount, 1);
    assert.equal(select?.totalNano, 50);
    assert.equal(select?.selfNano, 45);
    assert.equal(select?.longestRow, 2);
    assert.equal(busyNano, 100);
  });

  it("keep every span and all self time, in any trace", () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const model = buildModel(rows);
        const { nodes, busyNano } = buildCallPaths(model);
        assert.equal(sum(nodes.map(({ spanCount }) => spanCount)), rows.length);
        const self = sum([...buildSelfTimes(model)].map((nano) => Math.max(0, nano)));
        assert.equal(sum(nodes.map(({ selfNano }) => selfNano)), self);
        assert.equal(busyNano, self);
        nodes.forEach(({ parent, depth }, at) => {
          assert.ok(parent < at);
          assert.equal(depth, parent < 0 ? 0 : (nodes[parent]?.depth ?? 0) + 1);
        });
      }),
    );
  });
});

describe("the flame graph", () => {
  it("puts every box within its caller's and beside its siblings, wherever it is zoomed to", () => {
    fc.assert(
      fc.property(anyRows, fc.integer({ min: -1, max: 59 }), (rows, wanted) => {
        const paths = buildCallPaths(buildModel(rows));
        const zoom = Math.min(wanted, paths.nodes.length - 1);
        const { boxes, hiddenCount } = layoutFlame(paths, zoom, 0);
        assert.equal(hiddenCount, 0);
        const byNode = new Map(boxes.map((box) => [box.node, box]));
        assert.equal(byNode.size, boxes.length);
        for (const box of boxes) {
          const above = byNode.get(paths.nodes[box.node]?.parent ?? -1);
          if (above !== undefined) assert.ok(box.from >= above.from - 1e-9 && box.to <= above.to + 1e-9);
          for (const other of boxes) {
            if (other === box || other.depth !== box.depth) continue;
            assert.ok(other.from >= box.to - 1e-9 || other.to <= box.from + 1e-9);
          }
        }
      }),
    );
  });

  it("leaves out what is too narrow, and counts it", () => {
    const { boxes, hiddenCount } = layoutFlame(buildCallPaths(shop), -1, 0.08);
    assert.equal(boxes.length, 3);
    assert.equal(hiddenCount, 1);
  });
});

describe("the call graph", () => {
  it("merges by name, by service or by path", () => {
    const paths = buildCallPaths(shop);
    const durationOf = (row: number): number => shop.duration[row] ?? 0;
    const counts = GRAPH_BY.map((by) => {
      const { nodes, edges } = buildCallGraph(paths, durationOf, by, 100);
      return [nodes.length, edges.length];
    });
    assert.deepEqual(counts, [
      [4, 3],
      [2, 1],
      [4, 3],
    ]);
    const [, db] = buildCallGraph(paths, durationOf, "service", 100).nodes;
    assert.equal(db?.selfCallCount, 1);
    assert.equal(db?.longestRow, 2);
  });

  it("counts every call once, and what it hides, in any trace", () => {
    fc.assert(
      fc.property(anyRows, fc.constantFrom(...GRAPH_BY), fc.integer({ min: 1, max: 20 }), (rows, by, most) => {
        const model = buildModel(rows);
        const paths = buildCallPaths(model);
        const durationOf = (row: number): number => model.duration[row] ?? 0;
        const all = buildCallGraph(paths, durationOf, by, Infinity);
        const topLevel = rows.filter(({ parent = -1 }) => parent < 0).length;
        const calls = sum(all.edges.map(({ callCount }) => callCount)) + sum(all.nodes.map(({ selfCallCount }) => selfCallCount));
        assert.equal(calls, rows.length - topLevel);
        const some = buildCallGraph(paths, durationOf, by, most);
        assert.equal(some.nodes.length + some.hiddenCount, all.nodes.length);
        const shown = new Set(some.nodes.map(({ id }) => id));
        for (const { from, to } of some.edges) assert.ok(shown.has(from) && shown.has(to));
      }),
    );
  });
});
