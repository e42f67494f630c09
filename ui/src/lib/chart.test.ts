import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { axisMax, axisTicks, columnsPath, linePath, stepAt, timeTicks } from "./chart.ts";

const same = (value: number): number => value;

describe("a chart", () => {
  it("has a round upper end above its largest value", () => {
    assert.deepEqual([0, 1, 87, 1234].map(axisMax), [1, 1, 100, 1500]);
    assert.deepEqual(axisTicks(100), [0, 20, 40, 60, 80, 100]);
  });

  it("has few time ticks, on whole steps of the zone", () => {
    const day = Date.UTC(2026, 0, 31);
    assert.deepEqual(
      timeTicks(day, day + 3_600_000, 6),
      [0, 10, 20, 30, 40, 50, 60].map((minute) => day + minute * 60_000).slice(0, 7),
    );
    const offset = 8 * 3_600_000;
    const [first = 0] = timeTicks(day, day + 3 * 86_400_000, 4, offset);
    assert.equal((first + offset) % 86_400_000, 0);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e10 }), fc.integer({ min: 1, max: 12 }), (length, countMax) => {
        const ticks = timeTicks(day, day + length, countMax);
        assert.ok(ticks.length <= countMax + 1);
        for (const at of ticks) assert.ok(at >= day && at <= day + length);
      }),
    );
  });

  it("leaves a gap where nothing was measured and shows a lonely point", () => {
    const points = [1, 2, null, 4, null].map((value, atMs) => ({ atMs, value }));
    assert.equal(linePath(points, same, same), "M0,1L1,2M3,4ZM1.5,4h3");
    assert.equal(linePath([], same, same), "");
  });

  it("draws counts as columns up to the end of the last step", () => {
    const points = [3, 0].map((value, index) => ({ atMs: index * 10, value }));
    assert.equal(
      columnsPath(points, 10, same, (value) => 5 - value),
      "M0,2L10,2L10,5L20,5L20,5L20,5L20,5L10,5L10,5L0,5Z",
    );
    assert.equal(columnsPath([], 10, same, same), "");
  });

  it("finds the step that holds an instant", () => {
    const points = [
      { atMs: 100, value: 1 },
      { atMs: 110, value: 2 },
    ];
    assert.deepEqual(
      [99, 100, 109, 110, 119, 120].map((at) => stepAt(points, 10, at)),
      [-1, 0, 0, 1, 1, -1],
    );
    assert.equal(stepAt([], 10, 5), -1);
  });
});
