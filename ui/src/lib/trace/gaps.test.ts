import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { findGaps } from "./gaps.ts";
import { anyRows, buildModel } from "./testing.ts";

describe("gaps", () => {
  it("are the stretches between a span's children", () => {
    const model = buildModel([
      { duration: 100 },
      { parent: 0, start: 10, duration: 20 },
      { parent: 0, start: 20, duration: 30 },
      { parent: 0, start: 90, duration: 50 },
    ]);
    assert.deepEqual(findGaps(model, 0), [
      { startNano: 0, endNano: 10 },
      { startNano: 50, endNano: 90 },
    ]);
    assert.deepEqual(findGaps(model, 1), []);
  });

  it("and the children that lie within a span fill it, in any tree", () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const model = buildModel(rows);
        for (let row = 0; row < model.rowCount; row++) {
          const gaps = findGaps(model, row, 0);
          const isInGap = (nano: number): boolean => gaps.some(({ startNano, endNano }) => nano > startNano && nano < endNano);
          const children = [...model.children(row)];
          const from = model.start[row] ?? 0;
          for (let nano = from + 0.5; nano < from + (model.duration[row] ?? 0); nano++) {
            const isCovered = children.some(
              (child) => (model.start[child] ?? 0) < nano && (model.start[child] ?? 0) + (model.duration[child] ?? 0) > nano,
            );
            assert.equal(isInGap(nano), children.length > 0 && !isCovered);
          }
        }
      }),
    );
  });
});
