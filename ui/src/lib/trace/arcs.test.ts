import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { buildArcs, linesOfArcs, waitOf } from "./arcs.ts";
import { AlikeSiblings } from "./groups.ts";
import { buildVisibleRows, FoldState } from "./rows.ts";
import { anyRows, buildModel } from "./testing.ts";

const end = (spanId: string, traceId = "t") => ({ traceId, spanId, span: null });
const link = (source: string, target: string, targetTrace = "t") => ({
  source: end(source),
  target: end(target, targetTrace),
  attributes: [],
  waitNano: null,
});
const idOf = (row: number): string => (row + 1).toString(16).padStart(16, "0");

describe("arcs", () => {
  const model = buildModel([
    { duration: 100 },
    { parent: 0, start: 10, duration: 5, kind: "producer" },
    { parent: 1, start: 40, duration: 10, kind: "consumer" },
    { parent: 0, start: 60, duration: 10 },
  ]);

  it("are the links within the trace, and consumers below their producers", () => {
    assert.deepEqual(buildArcs(model, [link(idOf(3), idOf(1)), link(idOf(3), idOf(1), "other"), link(idOf(3), "ff".repeat(8))]), [
      { from: 1, to: 3 },
      { from: 1, to: 2 },
    ]);
  });

  it("wait from the producer's end to the consumer's start", () => {
    assert.equal(waitOf(model, { from: 1, to: 2 }), 25);
    assert.equal(waitOf(model, { from: 3, to: 1 }), -60);
  });

  it("end at lines that are shown, whatever is folded", () => {
    fc.assert(
      fc.property(anyRows, fc.array(fc.tuple(fc.nat(59), fc.nat(59))), fc.integer({ min: 1, max: 4 }), (rows, pairs, level) => {
        const model = buildModel(rows);
        const alike = new AlikeSiblings(model);
        alike.update();
        const folds = new FoldState();
        folds.foldTo(level);
        const visible = buildVisibleRows(model, alike, folds);
        const arcs = pairs.filter(([from, to]) => from < rows.length && to < rows.length).map(([from, to]) => ({ from, to }));
        const lines = linesOfArcs(model, visible, (row) => alike.kinOf(row), arcs);
        for (const { from, to } of arcs) {
          for (const row of [from, to]) {
            const index = lines.get(row);
            assert.ok(index !== undefined && index < visible.count);
            if (visible.lines.subarray(0, visible.count).includes(row)) assert.equal(visible.lines[index], row);
          }
        }
      }),
    );
  });
});
