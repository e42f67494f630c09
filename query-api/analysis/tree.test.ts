import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { KIND, type SpanColumns } from "./columns.ts";
import { computeSelfTime } from "./self-time.ts";
import { SECOND_ONE, anySpan, buildColumns, span, type TestSpan } from "./testing.ts";
import { buildCallTree, type CallTree } from "./tree.ts";

function describeTree(columns: SpanColumns, tree: CallTree): string[] {
  return Array.from(tree.rows, (row, at) => `${"  ".repeat(tree.depth[at] ?? 0)}${columns.names[columns.name[row] ?? 0]}`);
}

function draw(spans: readonly TestSpan[]): { lines: string[]; tree: CallTree } {
  const columns = buildColumns(spans);
  const tree = buildCallTree(columns);
  return { lines: describeTree(columns, tree), tree };
}

describe("the call tree", () => {
  it("is in pre-order with siblings by start", () => {
    const { lines, tree } = draw([span(4, 2), span(3, 1), span(2, 1), span(1, 0, { duration: 100 })]);
    assert.deepEqual(lines, ["s1", "  s2", "    s4", "  s3"]);
    assert.deepEqual([...tree.descendantCount], [3, 1, 0, 0]);
    assert.deepEqual([...tree.parent], [-1, 0, 1, 0]);
    assert.equal(tree.completeness.complete, true);
    assert.equal(tree.durationNano, 100);
    assert.equal(tree.startNano, SECOND_ONE + 1n);
  });

  it("puts orphans at the top level and counts their missing parents", () => {
    const { lines, tree } = draw([span(2, 77), span(3, 77), span(4, 3), span(5, 78)]);
    assert.deepEqual(lines, ["s2", "s3", "  s4", "s5"]);
    assert.deepEqual([...tree.isOrphan], [1, 1, 0, 1]);
    const { rootCount, orphanCount, missingParentCount, missingParentIds, complete } = tree.completeness;
    assert.deepEqual(
      { rootCount, orphanCount, missingParentCount, complete },
      { rootCount: 0, orphanCount: 3, missingParentCount: 2, complete: false },
    );
    assert.deepEqual(missingParentIds, ["000000000000004d", "000000000000004e"]);
  });

  it("keeps several roots and says so", () => {
    const { lines, tree } = draw([span(2, 0), span(1, 0)]);
    assert.deepEqual(lines, ["s1", "s2"]);
    assert.equal(tree.completeness.rootCount, 2);
    assert.equal(tree.completeness.complete, false);
  });

  it("cuts a cycle at its earliest span, and a span that is its own parent", () => {
    const { lines, tree } = draw([span(3, 2), span(2, 4), span(4, 3), span(5, 4), span(6, 6)]);
    assert.deepEqual(lines, ["s2", "  s3", "    s4", "      s5", "s6"]);
    assert.equal(tree.completeness.cycleCount, 2);
    assert.equal(tree.completeness.orphanCount, 0);
  });

  it("leaves copies out and keeps different spans that share an id", () => {
    const { lines, tree } = draw([span(1, 0), span(2, 1), span(2, 1), span(2, 1, { name: "other" }), span(1, 0)]);
    assert.deepEqual(
      lines,
      ["s1", "  other", "  s2"].toSorted((a, b) => lines.indexOf(a) - lines.indexOf(b)),
    );
    assert.equal(tree.completeness.duplicateCount, 2);
    assert.equal(tree.completeness.conflictCount, 1);
  });

  it("hangs the server half of a shared id under the client half, and their children under the half of their own service", () => {
    const spans = [
      span(1, 0, { duration: 100 }),
      span(2, 1, { name: "server", kind: KIND.server, service: "b", start: 1 }),
      span(2, 1, { name: "client", kind: KIND.client, start: 2 }),
      span(3, 2, { name: "db", service: "b" }),
      span(4, 2, { name: "retry timer", service: "a" }),
    ];
    const { lines, tree } = draw(spans);
    assert.deepEqual(lines, ["s1", "  client", "    server", "      db", "    retry timer"]);
    assert.equal(tree.completeness.conflictCount, 0);
    assert.equal(tree.completeness.complete, true);
  });

  it("is empty for no spans", () => {
    const { tree } = draw([]);
    assert.equal(tree.count, 0);
    assert.equal(tree.durationNano, 0);
  });

  it("does not stretch back to 1970 for a span without a start", () => {
    const { tree } = draw([span(1, 0, { start: 5 }), span(2, 1, { start: -1 })]);
    assert.equal(tree.startNano, SECOND_ONE + 5n);
    assert.equal(tree.durationNano, 10);
  });

  it("holds a chain of 200,000 spans, and 200,000 spans under one id", () => {
    const count = 200_000;
    const chain = draw(Array.from({ length: count }, (_, at) => span(at + 1, at, { name: "s", start: count - at }))).tree;
    assert.equal(chain.depth[count - 1], count - 1);
    assert.equal(chain.descendantCount[0], count - 1);
    const same = draw(Array.from({ length: count }, (_, at) => span(7, at === 0 ? 0 : 7, { name: "s", start: at }))).tree;
    assert.equal(same.count, count);
  });
});

/** Everything the tree says, row numbers replaced by what stands in the rows. */
function statement(spans: readonly TestSpan[]): unknown {
  const tree = buildCallTree(buildColumns(spans));
  const { rows, ...rest } = tree;
  return { spans: Array.from(rows, (row) => spans[row]), ...rest };
}

describe("the call tree of any spans", () => {
  it("is the same for every permutation", () => {
    const permuted = fc
      .array(anySpan, { maxLength: 25 })
      .chain((spans) =>
        fc.tuple(fc.constant(spans), fc.shuffledSubarray(spans, { minLength: spans.length, maxLength: spans.length })),
      );
    fc.assert(
      fc.property(permuted, ([spans, shuffled]) => assert.deepEqual(statement(shuffled), statement(spans))),
      { numRuns: 500 },
    );
  });

  it("holds every distinct span exactly once, parents first, with right depths, sizes and self times", () => {
    fc.assert(
      fc.property(fc.array(anySpan, { maxLength: 40 }), (spans) => {
        const tree = buildCallTree(buildColumns(spans));
        const selfNano = computeSelfTime(tree);
        const distinct = new Set(spans.map((entry) => JSON.stringify(entry)));
        const shown = Array.from(tree.rows, (row) => JSON.stringify(spans[row]));
        assert.deepEqual(new Set(shown), distinct);
        assert.equal(shown.length, distinct.size);
        assert.equal(tree.count + tree.completeness.duplicateCount, spans.length);
        const size = Array.from({ length: tree.count }, () => 0);
        for (let at = tree.count - 1; at >= 0; at -= 1) {
          const above = tree.parent[at] ?? -1;
          assert.ok(above < at);
          assert.equal(tree.depth[at], above < 0 ? 0 : (tree.depth[above] ?? 0) + 1);
          assert.equal(tree.descendantCount[at], size[at]);
          if (above >= 0) size[above] = (size[above] ?? 0) + (size[at] ?? 0) + 1;
          const self = selfNano[at] ?? -1;
          assert.ok(self >= 0 && self <= (spans[tree.rows[at] ?? 0]?.duration ?? 0));
        }
        const { rootCount, orphanCount } = tree.completeness;
        assert.ok(tree.parent.filter((above) => above < 0).length >= Math.max(rootCount > 0 ? 1 : 0, orphanCount));
      }),
      { numRuns: 500 },
    );
  });
});

describe("self time", () => {
  it("counts overlapping children once and what lies outside of the parent not at all", () => {
    //   parent 0........................100
    //   a           10....30
    //   b                20.....50                      together 40
    //   c                              90.......200     clipped to 10
    const spans = [
      span(1, 0, { start: 0, duration: 100 }),
      span(2, 1, { start: 10, duration: 20 }),
      span(3, 1, { start: 20, duration: 30 }),
      span(4, 1, { start: 90, duration: 110 }),
    ];
    assert.deepEqual([...computeSelfTime(draw(spans).tree)], [50, 20, 30, 110]);
  });
});

describe("clock skew", () => {
  const call = (serverStart: number, kind: number = KIND.server): TestSpan[] => [
    span(1, 0, { start: 1000, duration: 100, kind: KIND.client, host: "web" }),
    span(2, 1, { start: serverStart, duration: 60, kind, host: "db" }),
    span(3, 2, { start: serverStart + 10, duration: 20, host: "db" }),
  ];

  it("puts a callee that lies before its caller into the caller's middle, with all below it", () => {
    // The callee's 60 fit the caller's 100 with 20 on each side: it should start at 1020 and is stamped 500.
    const { tree } = draw(call(500));
    assert.deepEqual([...tree.skewNano], [0, 520, 520]);
    assert.deepEqual([...tree.isSkewed], [0, 1, 0]);
    assert.equal(tree.completeness.skewedCount, 1);
    assert.deepEqual([...computeSelfTime(tree)], [40, 40, 20]);
  });

  it("sees none where the callee fits, where it merely ends late, and where it only consumes a message", () => {
    for (const spans of [call(1030), call(1070), call(5000, KIND.consumer)]) {
      assert.equal(draw(spans).tree.completeness.skewedCount, 0);
    }
  });

  it("narrows the offset down by every call of the pair", () => {
    // Allowed offsets: first call [500, 540] (1000 - 500 ... 1100 - 560), second [530, 570]: the middle of [530, 540].
    const spans = [
      ...call(500),
      span(4, 0, { start: 2000, duration: 100, kind: KIND.client, host: "web" }),
      span(5, 4, { start: 1470, duration: 60, kind: KIND.server, host: "db" }),
    ];
    const { tree } = draw(spans);
    assert.equal(tree.skewNano[1], 535);
    assert.equal(tree.completeness.skewedCount, 2);
  });

  it("leads back to the first clock when the skewed host calls back", () => {
    const spans = [
      ...call(500),
      span(6, 2, { start: 505, duration: 50, kind: KIND.client, host: "db" }),
      span(7, 6, { start: 1030, duration: 40, kind: KIND.server, host: "web" }),
    ];
    const { tree } = draw(spans);
    // 520 for the first hop; back: allowed offsets [505 - 1030, 555 - 1070] = [-525, -515], middle -520.
    assert.deepEqual([...tree.skewNano], [0, 520, 520, 0, 520]);
  });
});
