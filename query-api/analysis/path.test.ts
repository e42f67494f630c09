import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { KIND } from "./columns.ts";
import { sumPath } from "./path-sums.ts";
import { findPath } from "./path.ts";
import { anySpan, buildColumns, span, type TestSpan } from "./testing.ts";
import { buildCallTree } from "./tree.ts";

/** Segments as [name, from, to], early to late. */
function pathOf(spans: readonly TestSpan[]): [string, number, number][] {
  const columns = buildColumns(spans);
  const tree = buildCallTree(columns);
  const { segments } = findPath(columns, tree);
  return segments.map(({ row, startNano, endNano }) => [spans[tree.rows[row] ?? -1]?.name ?? "", startNano, endNano]);
}

const root = span(1, 0, { start: 0, duration: 100, name: "root" });

describe("the critical path of a rebuilt trace", () => {
  it("goes through what was waited for and leaves out what ran beside it", () => {
    const spans = [
      root,
      span(2, 1, { start: 10, duration: 30, name: "first" }),
      span(3, 1, { start: 15, duration: 10, name: "beside" }),
      span(4, 1, { start: 50, duration: 40, name: "second" }),
      span(5, 4, { start: 60, duration: 20, name: "query" }),
    ];
    assert.deepEqual(pathOf(spans), [
      ["root", 0, 10],
      ["first", 10, 40],
      ["root", 40, 50],
      ["second", 50, 60],
      ["query", 60, 80],
      ["second", 80, 90],
      ["root", 90, 100],
    ]);
  });

  it("does not wait for what consumes a message of the trace", () => {
    const spans = [
      root,
      span(2, 1, { start: 20, duration: 5, name: "send", kind: KIND.producer }),
      span(3, 2, { start: 22, duration: 500, name: "process", kind: KIND.consumer }),
    ];
    assert.deepEqual(pathOf(spans), [
      ["root", 0, 20],
      ["send", 20, 25],
      ["root", 25, 100],
    ]);
  });

  it("puts a callee whose clock is off back into its caller", () => {
    // The callee's 60 fit the call's 80 with 10 on each side.
    const spans = [
      root,
      span(2, 1, { start: 10, duration: 80, name: "call", kind: KIND.client }),
      span(3, 2, { start: 5000, duration: 60, name: "serve", kind: KIND.server, host: "behind" }),
    ];
    assert.deepEqual(pathOf(spans), [
      ["root", 0, 10],
      ["call", 10, 20],
      ["serve", 20, 80],
      ["call", 80, 90],
      ["root", 90, 100],
    ]);
  });

  it("covers the longest span that has no parent here", () => {
    const spans = [
      span(2, 77, { start: 0, duration: 10, name: "orphan" }),
      span(3, 78, { start: 20, duration: 30, name: "longer orphan" }),
      span(4, 3, { start: 25, duration: 10, name: "work" }),
    ];
    assert.deepEqual(pathOf(spans), [
      ["longer orphan", 20, 25],
      ["work", 25, 35],
      ["longer orphan", 35, 50],
    ]);
    assert.deepEqual(pathOf([]), []);
  });

  it("adds up to the root's duration, as a whole, by service and by span name, whatever the trace", () => {
    fc.assert(
      fc.property(fc.array(anySpan, { minLength: 1, maxLength: 25 }), (spans) => {
        const columns = buildColumns(spans);
        const tree = buildCallTree(columns);
        const path = findPath(columns, tree);
        const rootDuration = columns.durationNano[tree.rows[path.root] ?? -1];
        assert.equal(path.totalNano, rootDuration);
        const sums = sumPath(path, (at) => ({ service: `s${at % 2}`, name: `n${at % 3}`, kind: "internal" }));
        for (const list of [sums.services, sums.names])
          assert.equal(
            list.reduce((sum, { pathNano }) => sum + pathNano, 0),
            rootDuration,
          );
        path.segments.forEach(({ startNano }, at) => {
          if (at > 0) assert.equal(startNano, path.segments[at - 1]?.endNano);
        });
      }),
      { numRuns: 300 },
    );
  });
});
