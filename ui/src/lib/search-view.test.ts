import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { changePick, readBrush, readPicks, readShown, readView, SHOWN_MAX, writeBrush } from "./search-view.ts";

const A = "a".repeat(32);
const B = "b".repeat(32);
const C = "c".repeat(32);
const params = (query: string): URLSearchParams => new URLSearchParams(query);

describe("the view of a search in the URL", () => {
  it("falls back to the traces", () => {
    assert.equal(readView(params("view=aggregates")), "aggregates");
    assert.equal(readView(params("view=nonsense")), "traces");
    assert.equal(readView(params("")), "traces");
  });

  it("keeps any brush to the nanosecond", () => {
    const nano = fc.bigInt({ min: 0n, max: 2n ** 63n - 2n });
    fc.assert(
      fc.property(nano, nano, nano, nano, (a, b, c, d) => {
        fc.pre(a !== b && c !== d);
        const brush = {
          fromNano: a < b ? a : b,
          toNano: a < b ? b : a,
          minNano: c < d ? c : d,
          maxNano: c < d ? d : c,
        };
        assert.deepEqual(readBrush(params(`brush=${writeBrush(brush)}`)), brush);
      }),
    );
  });

  it("takes nothing that is no brush", () => {
    for (const text of ["", "1,2,3", "2,1,1,2", "1,2,2,2", "a,b,c,d", "1,2,3,4,5", "-1,2,3,4"]) {
      assert.equal(readBrush(params(`brush=${text}`)), null, text);
    }
    fc.assert(fc.property(fc.string(), (text) => void readBrush(new URLSearchParams({ brush: text }))));
  });

  it("picks two traces, the newest two of three", () => {
    assert.deepEqual(changePick([], A), [A]);
    assert.deepEqual(changePick([A, B], C), [B, C]);
    assert.deepEqual(changePick([A, B], A), [B]);
    assert.deepEqual(readPicks(params(`pick=${A},x,${B},${C}`)), [A, B]);
  });

  it("shows between a page and the most", () => {
    assert.equal(readShown(params("shown=60"), 20), 60);
    assert.equal(readShown(params("shown=99999999"), 20), SHOWN_MAX);
    for (const text of ["", "5", "-1", "1e999", "abc", "20.5"]) assert.equal(readShown(params(`shown=${text}`), 20), 20, text);
  });
});
