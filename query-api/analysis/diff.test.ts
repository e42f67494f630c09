import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { STATUS_ERROR } from "./columns.ts";
import { CallPaths, type Side } from "./diff.ts";
import { anySpan, buildColumns, span, type TestSpan } from "./testing.ts";
import { buildCallTree } from "./tree.ts";

function merge(sides: Readonly<Record<Side, readonly (readonly TestSpan[])[]>>): ReturnType<CallPaths["list"]> {
  const paths = new CallPaths();
  for (const side of ["a", "b"] as const) {
    for (const spans of sides[side]) {
      const columns = buildColumns(spans);
      paths.add(side, columns, buildCallTree(columns));
    }
  }
  return paths.list(1000);
}

const page = span(1, 0, { start: 0, duration: 100, name: "page" });
const query = (id: number, rest: Partial<TestSpan> = {}): TestSpan =>
  span(id, 1, { start: 10 * id, duration: 10, name: "query", ...rest });

describe("two traces by call path", () => {
  it("show what is called more often, what is missing and what is new", () => {
    const a = [page, query(2), query(3), span(4, 1, { start: 60, duration: 5, name: "mail" })];
    const b = [page, query(2), query(3), query(4), span(5, 4, { start: 42, duration: 5, name: "lock" })];
    const { nodes, changedCount } = merge({ a: [a], b: [b] });
    assert.deepEqual(
      nodes.map(({ name, depth, parentIndex, change, perTrace }) => [
        name,
        depth,
        parentIndex,
        change,
        perTrace.spanCount,
        perTrace.totalNano,
      ]),
      [
        ["page", 0, -1, "same", 0, 0],
        ["query", 1, 0, "changed", 1, 10],
        ["lock", 2, 1, "onlyB", 1, 5],
        ["mail", 1, 0, "onlyA", -1, -5],
      ],
    );
    assert.equal(changedCount, 3);
    // 20 of queries and 5 of mail within the page, against 30.
    assert.deepEqual([nodes[0]?.a?.selfNano, nodes[0]?.b?.selfNano, nodes[1]?.perTrace.selfNano], [75, 70, 5]);
  });

  it("are divided by the traces of their side", () => {
    const failing = [page, query(2, { status: STATUS_ERROR })];
    const { nodes } = merge({ a: [failing, [page], [page], [page]], b: [failing, [page]] });
    const node = nodes.find(({ name }) => name === "query");
    assert.deepEqual(node?.a, { spanCount: 1, errorCount: 1, totalNano: 10, selfNano: 10, traceCount: 1 });
    assert.deepEqual(node?.perTrace, { spanCount: 0.25, errorCount: 0.25, totalNano: 2.5, selfNano: 2.5 });
    assert.equal(node?.change, "changed");
  });

  it("keep the paths with most time, and their ancestors, where there are too many", () => {
    const paths = new CallPaths();
    const spans = [
      page,
      ...Array.from({ length: 50 }, (_, at) => span(at + 2, 1, { start: at, duration: at + 1, name: `n${at}` })),
    ];
    const columns = buildColumns(spans);
    paths.add("a", columns, buildCallTree(columns));
    const { nodes, pathCount } = paths.list(4);
    assert.equal(pathCount, 51);
    assert.deepEqual(
      nodes.map(({ name }) => name).toSorted((x, y) => (x < y ? -1 : 1)),
      ["n47", "n48", "n49", "page"],
    );
  });
});

describe("any traces by call path", () => {
  const anyTraces = fc.array(fc.array(anySpan, { minLength: 1, maxLength: 15 }), { maxLength: 5 });

  it("do not differ from themselves", () => {
    fc.assert(
      fc.property(anyTraces, (traces) => {
        const { nodes, changedCount } = merge({ a: traces, b: traces });
        assert.equal(changedCount, 0);
        for (const { perTrace } of nodes) assert.ok(Object.values(perTrace).every((delta) => delta === 0));
      }),
    );
  });

  it("have every span on some path, and the other way round are the opposite", () => {
    fc.assert(
      fc.property(anyTraces, anyTraces, (a, b) => {
        const there = merge({ a, b });
        const back = merge({ a: b, b: a });
        const spanCount = a.reduce((sum, spans) => sum + buildCallTree(buildColumns(spans)).count, 0);
        assert.equal(
          there.nodes.reduce((sum, node) => sum + (node.a?.spanCount ?? 0), 0),
          spanCount,
        );
        const sum = (nodes: typeof there.nodes): number => nodes.reduce((total, { perTrace }) => total + perTrace.spanCount, 0);
        assert.ok(Math.abs(sum(there.nodes) + sum(back.nodes)) < 1e-6);
        assert.equal(there.changedCount, back.changedCount);
      }),
    );
  });
});
