import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { levelEnds, sparklinePaths } from "./sparkline.ts";

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

  it("shows steps that the range cuts as if they were whole, and leaves out what is too little of one", () => {
    const ends = (from: number, to: number): { fromNano: string; toNano: string } => ({
      fromNano: `${from * 1_000_000_000}`,
      toNano: `${to * 1_000_000_000}`,
    });
    assert.deepEqual(levelEnds([30, 60, 60, 15], ends(90, 255), 60), [60, 60, 60, 60]);
    assert.deepEqual(levelEnds([60, 60, 60], ends(60, 240), 60), [60, 60, 60]);
    assert.deepEqual(levelEnds([1, 60, 2], ends(118, 182), 60), [60]);
    assert.deepEqual(levelEnds([5, 7], ends(90, 130), 60), [5, 7]);
  });
});
