import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { TraceModel } from "./model.ts";
import { anyRows, buildChunks, buildModel, buildStart } from "./testing.ts";

describe("the trace model", () => {
  it("knows depths and subtree sizes", () => {
    const model = buildModel([{}, { parent: 0 }, { parent: 1 }, { parent: 1 }, { parent: 0 }, {}]);
    assert.deepEqual(Array.from(model.depth.subarray(0, 6)), [0, 1, 2, 2, 1, 0]);
    assert.deepEqual(Array.from(model.size.subarray(0, 6)), [5, 3, 1, 1, 1, 1]);
    assert.deepEqual([...model.children(0)], [1, 4]);
    assert.equal(model.topLevelCount, 2);
  });

  it("is the same however the rows are cut into chunks", () => {
    fc.assert(
      fc.property(anyRows, fc.integer({ min: 1, max: 9 }), (rows, chunkRows) => {
        const whole = buildModel(rows);
        const parts = buildModel(rows, chunkRows);
        const n = rows.length;
        for (const column of ["depth", "size", "parent", "start"] as const) {
          assert.deepEqual(parts[column].slice(0, n), whole[column].slice(0, n), column);
        }
        for (let row = 0; row < n; row++) assert.equal(parts.spanName(row), whole.spanName(row));
      }),
    );
  });

  it("takes more rows than the head announced", () => {
    const rows = Array.from({ length: 100 }, (_, row) => ({ parent: row - 1 }));
    const model = new TraceModel({ ...buildStart(rows), spanCount: 1 });
    for (const chunk of buildChunks(rows, 7)) model.append(chunk);
    assert.equal(model.size[0], 100);
    assert.equal(model.depthMax, 99);
  });

  it("refuses rows that are not in pre-order", () => {
    assert.throws(() => buildModel([{}, { parent: 1 }]), /row 1 names row 1/);
    assert.throws(() => buildModel([{}, { parent: 0 }, {}, { parent: 1 }]), /row 3 names row 1 as its parent, which is closed/);
  });

  it("reads flags, kinds and ids", () => {
    const model = buildModel([{ error: true, kind: "client" }]);
    assert.equal(model.isError(0), true);
    assert.equal(model.kind(0), "client");
    assert.equal(model.spanIdOf(0), "0000000000000001");
    assert.equal(model.errorCount, 1);
  });
});
