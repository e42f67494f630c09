import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { COMPLETE } from "@callchain/schemas/api/testing.ts";
import type { TraceTreeAnswer, TreeSpan } from "@callchain/schemas/api/traces.ts";
import { clean, formatNano, formatTable } from "./format.ts";
import { renderTree } from "./tree.ts";

function buildSpan(rest: Partial<TreeSpan>): TreeSpan {
  return {
    spanId: "00f067aa0ba902b7",
    parentSpanId: null,
    parentIndex: -1,
    depth: 0,
    descendantCount: 0,
    service: "shop",
    name: "work",
    kind: "server",
    status: "unset",
    statusMessage: "",
    startNano: "1700000000000000000",
    durationNano: 1_000_000,
    selfNano: 0,
    orphan: false,
    skewNano: 0,
    ...rest,
  };
}

function buildTree(spans: TreeSpan[], rest: Partial<TraceTreeAnswer> = {}): TraceTreeAnswer {
  return {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    startNano: "1700000000000000000",
    durationNano: 4_000_000,
    spanCount: spans.length,
    errorCount: spans.filter(({ status }) => status === "error").length,
    serviceCount: 1,
    completeness: COMPLETE,
    spans,
    scan: { rows: 0, bytes: 0, elapsedMs: 0, partial: false, partialReason: null },
    ...rest,
  };
}
const plain = (_style: string, text: string): string => text;

describe("a call tree on a terminal", () => {
  it("is drawn with branches, bars where the spans lie, and errors", () => {
    const spans = [
      buildSpan({ name: "POST /checkout", durationNano: 4_000_000 }),
      buildSpan({ parentIndex: 0, depth: 1, name: "cart" }),
      buildSpan({ parentIndex: 1, depth: 2, name: "redis", durationNano: 0 }),
      buildSpan({
        parentIndex: 0,
        depth: 1,
        name: "pay",
        startNano: "1700000000002000000",
        durationNano: 2_000_000,
        status: "error",
        statusMessage: "declined",
      }),
      buildSpan({ parentIndex: 3, depth: 2, name: "bank", startNano: "1700000000003000000" }),
    ];
    assert.deepEqual(renderTree(buildTree(spans), plain), [
      "POST /checkout of shop: 4 ms, 5 spans, 1 error, 1 service",
      "2023-11-14 22:13:20.000 UTC, trace 0af7651916cd43dd8448eb211c80319c",
      "",
      "     4 ms │████████████████████████│ shop  POST /checkout",
      "     1 ms │██████                  │ ├─ shop  cart",
      "     0 ns │█                       │ │  └─ shop  redis",
      "     2 ms │            ████████████│ └─ shop  pay  !  declined",
      "     1 ms │                  ██████│    └─ shop  bank",
    ]);
  });

  it("says what is missing", () => {
    const tree = buildTree([buildSpan({ orphan: true }), buildSpan({})]);
    const lines = renderTree({ ...tree, completeness: { ...tree.completeness, rootCount: 2, missingParentCount: 1 } }, plain);
    assert.equal(lines[2], "Incomplete: 1 parent missing; 2 roots");
    assert.match(lines[4] ?? "", /its parent is missing/);
  });

  it("cannot be steered by what a span says", () => {
    const lines = renderTree(buildTree([buildSpan({ name: "a\u001b[2Jb\r\n\u202ec", service: "\u0007" })]), plain);
    assert.match(lines.at(-1) ?? "", /│ \uFFFD {2}a\uFFFD\[2Jb\uFFFD\uFFFD\uFFFDc$/);
    assert.equal(clean("日本語 🙂"), "日本語 🙂");
  });
});

describe("figures and tables", () => {
  it("show durations to three digits under their unit", () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, "0 ns"],
      [999, "999 ns"],
      [1_000, "1 µs"],
      [1_234_567, "1.23 ms"],
      [999_900, "1 ms"],
      [45_600_000, "45.6 ms"],
      [999_600_000, "1 s"],
      [3_600_000_000_000, "3600 s"],
    ];
    for (const [nano, text] of cases) assert.equal(formatNano(nano), text);
  });

  it("line up their columns", () => {
    assert.deepEqual(
      formatTable([
        ["A", "BB", "C"],
        ["aaa", "b", "c c"],
      ]),
      ["A    BB  C", "aaa  b   c c"],
    );
  });
});
