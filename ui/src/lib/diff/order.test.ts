import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { DiffNode } from "@callchain/schemas/api/analysis.ts";
import * as fc from "fast-check";
import { buildChangeTree, changeOf, DIFF_BY, listChanges } from "./order.ts";

function node(parentIndex: number, depth: number, delta: number, change: DiffNode["change"]): DiffNode {
  const perTrace = { spanCount: delta, errorCount: 0, totalNano: delta, selfNano: delta };
  return { parentIndex, depth, service: "s", name: "n", kind: "server", change, a: null, b: null, perTrace };
}

/** Any merged tree in pre-order. */
const anyNodes = fc
  .array(
    fc.record({
      climb: fc.nat(4),
      delta: fc.integer({ min: -50, max: 50 }),
      change: fc.constantFrom("same", "changed", "onlyB"),
    }),
    {
      maxLength: 40,
    },
  )
  .map((seeds) => {
    const nodes: DiffNode[] = [];
    seeds.forEach(({ climb, delta, change }, index) => {
      let parent = index - 1;
      for (let step = 0; step < climb && parent >= 0; step++) parent = nodes[parent]?.parentIndex ?? -1;
      nodes.push(node(parent, (nodes[parent]?.depth ?? -1) + 1, delta, change));
    });
    return nodes;
  });

describe("changes", () => {
  it("as a list come largest first, each once", () => {
    fc.assert(
      fc.property(anyNodes, fc.constantFrom(...DIFF_BY), fc.boolean(), (nodes, by, changedOnly) => {
        const rows = listChanges(nodes, by, changedOnly);
        assert.equal(rows.length, nodes.filter(({ change }) => !changedOnly || change !== "same").length);
        rows.forEach((row, at) => {
          const before = rows[at - 1];
          if (before !== undefined) assert.ok(changeOf(before.node, by) >= changeOf(row.node, by));
        });
      }),
    );
  });

  it("as a tree stand below their callers, and none is lost", () => {
    fc.assert(
      fc.property(anyNodes, fc.boolean(), (nodes, changedOnly) => {
        const rows = buildChangeTree(nodes, "totalNano", changedOnly, new Set());
        const placeOf = new Map(rows.map(({ index }, at) => [index, at]));
        assert.equal(placeOf.size, rows.length);
        for (const [at, { node, depth }] of rows.entries()) {
          if (node.parentIndex >= 0) assert.ok((placeOf.get(node.parentIndex) ?? Infinity) < at);
          assert.ok(depth <= (rows[at - 1]?.depth ?? -1) + 1);
        }
        nodes.forEach(({ change }, index) => {
          if (!changedOnly || change !== "same") assert.ok(placeOf.has(index));
        });
      }),
    );
  });

  it("below a folded path are left out", () => {
    const nodes = [node(-1, 0, 1, "same"), node(0, 1, 5, "changed"), node(1, 2, 9, "onlyB"), node(0, 1, 7, "changed")];
    assert.deepEqual(
      buildChangeTree(nodes, "totalNano", true, new Set()).map(({ index }) => index),
      [0, 1, 2, 3],
    );
    assert.deepEqual(
      buildChangeTree(nodes, "totalNano", true, new Set([1])).map(({ index }) => index),
      [0, 1, 3],
    );
  });
});
