import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { buildCriticalPath, mainRootOf, sumByRow } from "./critical-path.ts";
import { anyRows, buildModel } from "./testing.ts";

const pathOf = (rows: Parameters<typeof buildModel>[0]): number[][] =>
  buildCriticalPath(buildModel(rows)).map(({ row, startNano, endNano }) => [row, startNano, endNano]);

describe("the critical path", () => {
  it("is the span itself where it calls nothing", () => {
    assert.deepEqual(pathOf([{ duration: 10 }]), [[0, 0, 10]]);
  });

  it("goes through calls one after the other, with the parent's own time between", () => {
    const rows = [{ duration: 100 }, { parent: 0, start: 10, duration: 30 }, { parent: 0, start: 50, duration: 40 }];
    assert.deepEqual(pathOf(rows), [
      [0, 90, 100],
      [2, 50, 90],
      [0, 40, 50],
      [1, 10, 40],
      [0, 0, 10],
    ]);
  });

  it("takes of calls side by side the one that ended last", () => {
    const rows = [{ duration: 100 }, { parent: 0, start: 10, duration: 80 }, { parent: 0, start: 20, duration: 30 }];
    assert.deepEqual(pathOf(rows), [
      [0, 90, 100],
      [1, 10, 90],
      [0, 0, 10],
    ]);
  });

  it("goes down into what was waited for", () => {
    const rows = [{ duration: 100 }, { parent: 0, start: 10, duration: 80 }, { parent: 1, start: 30, duration: 20 }];
    assert.deepEqual(pathOf(rows), [
      [0, 90, 100],
      [1, 50, 90],
      [2, 30, 50],
      [1, 10, 30],
      [0, 0, 10],
    ]);
  });

  it("counts a child that outlives its parent up to the parent's end", () => {
    assert.deepEqual(pathOf([{ duration: 100 }, { parent: 0, start: 60, duration: 90 }]), [
      [1, 60, 100],
      [0, 0, 60],
    ]);
  });

  it("does not wait for a consumer under a producer", () => {
    const rows = [
      { duration: 100 },
      { parent: 0, start: 10, duration: 20, kind: "producer" as const },
      { parent: 1, start: 15, duration: 80, kind: "consumer" as const },
    ];
    assert.deepEqual(pathOf(rows), [
      [0, 30, 100],
      [1, 10, 30],
      [0, 0, 10],
    ]);
  });

  it("starts from the longest of several roots", () => {
    assert.equal(mainRootOf(buildModel([{ duration: 5 }, { start: 10, duration: 50 }, { parent: 1 }, { duration: 50 }])), 1);
    assert.deepEqual(buildCriticalPath(buildModel([])), []);
  });

  it("covers the root from end to start without gap or overlap, whatever the tree", () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        const model = buildModel(rows);
        const segments = buildCriticalPath(model);
        const root = mainRootOf(model);
        if (root < 0) return;
        let cursor = (model.start[root] ?? 0) + (model.duration[root] ?? 0);
        for (const { startNano, endNano } of segments) {
          assert.equal(endNano, cursor);
          cursor = startNano;
        }
        const sum = [...sumByRow(segments).values()].reduce((a, b) => a + b, 0);
        assert.equal(sum, model.duration[root]);
      }),
    );
  });
});
