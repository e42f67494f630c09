import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { readZoom, writeZoom } from "./zoom.ts";

describe("the zoom of a drawing in the URL", () => {
  it("comes back as it was, to a unit and a thousandth", () => {
    const anyPlace = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(anyPlace, anyPlace, fc.double({ min: 0.08, max: 3, noNaN: true }), (x, y, scale) => {
        const read = readZoom(writeZoom({ x, y, scale }));
        assert.ok(read !== null);
        assert.ok(Math.abs(read.x - x) <= 0.5 && Math.abs(read.y - y) <= 0.5 && Math.abs(read.scale - scale) <= 0.0005);
      }),
    );
  });

  it("is nothing where the text is no zoom", () => {
    for (const text of [null, "", "1,2", "1,2,0", "a,b,c", "1e9,2,3", "1,2,3,4", "1,2,-1", "NaN,0,1"]) {
      assert.equal(readZoom(text), null);
    }
  });
});
