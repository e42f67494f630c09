import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sparklinePaths } from "./sparkline.ts";

describe("a sparkline", () => {
  it("spans the box, with the largest value at the top", () => {
    assert.deepEqual(sparklinePaths([0, 4, 2], 100, 21), {
      line: "M0,21L50,1L100,11",
      area: "M0,21L0,21L50,1L100,11L100,21Z",
    });
  });

  it("is flat along the bottom without calls, level for one step and empty for none", () => {
    assert.equal(sparklinePaths([0, 0], 10, 5).line, "M0,5L10,5");
    assert.equal(sparklinePaths([3], 10, 5).line, "M0,1L10,1");
    assert.equal(sparklinePaths([], 10, 5).line, "");
  });
});
