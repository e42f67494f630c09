import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { TimeAxis } from "./axis.ts";
import { barOf, buildDensity, labelSpot, mergeBars } from "./bars.ts";
import { buildSelfTimes, buildStatistics, percentileOf } from "./statistics.ts";
import { buildModel } from "./testing.ts";

describe("self time", () => {
  it("is what no child covers, with overlaps counted once", () => {
    const model = buildModel([
      { duration: 100 },
      { parent: 0, start: 10, duration: 30 },
      { parent: 0, start: 20, duration: 40 },
      { parent: 2, start: 20, duration: 10 },
      { parent: 0, start: 90, duration: 50 },
    ]);
    assert.deepEqual([...buildSelfTimes(model)], [40, 30, 30, 10, 50]);
  });
});

describe("statistics", () => {
  const model = buildModel([
    { duration: 100, service: "web", name: "GET /" },
    { parent: 0, start: 0, duration: 10, service: "db", name: "SELECT" },
    { parent: 0, start: 20, duration: 30, service: "db", name: "SELECT", error: true },
    { parent: 0, start: 60, duration: 20, service: "db", name: "INSERT" },
  ]);

  it("sum up by span name, largest self time first", () => {
    const rows = buildStatistics(model, "name").map(({ service, name, count, errorCount, totalNano, selfNano, p95Nano }) => [
      service,
      name,
      count,
      errorCount,
      totalNano,
      selfNano,
      p95Nano,
    ]);
    assert.deepEqual(rows, [
      ["web", "GET /", 1, 0, 100, 40, 100],
      ["db", "SELECT", 2, 1, 40, 40, 30],
      ["db", "INSERT", 1, 0, 20, 20, 20],
    ]);
  });

  it("sum up by service, and self times add up to what ran", () => {
    const rows = buildStatistics(model, "service");
    assert.deepEqual(
      rows.map(({ service, name, count, selfNano, longestRow }) => [service, name, count, selfNano, longestRow]),
      [
        ["db", null, 3, 60, 2],
        ["web", null, 1, 40, 0],
      ],
    );
  });

  it("give percentiles by nearest rank", () => {
    const sorted = Float64Array.from({ length: 100 }, (_, at) => at + 1);
    assert.equal(percentileOf(sorted, 0.5), 50);
    assert.equal(percentileOf(sorted, 0.95), 95);
    assert.equal(percentileOf(Float64Array.of(7), 0.95), 7);
    assert.equal(percentileOf(new Float64Array(0), 0.5), 0);
  });
});

describe("bars", () => {
  const window = { t0: 100, t1: 200 };

  it("are clipped to the pane and never thinner than can be seen", () => {
    assert.deepEqual(barOf(50, 100, window, 1000), { x0: 0, x1: 500 });
    assert.deepEqual(barOf(150, 0, window, 1000), { x0: 500, x1: 502 });
    assert.deepEqual(barOf(200, 5, window, 1000), { x0: 998, x1: 1000 });
    assert.equal(barOf(10, 20, window, 1000), null);
    assert.equal(barOf(210, 20, window, 1000), null);
  });

  it("of a group join where they touch", () => {
    const model = buildModel([0, 1, 2, 150, 170, 300].map((start) => ({ start, duration: start === 0 ? 110 : 1 })));
    const members = Int32Array.from([0, 1, 2, 3, 4, 5]);
    assert.deepEqual(mergeBars(model, members, new TimeAxis(model.endNano), window, 100), [
      { x0: 0, x1: 10 },
      { x0: 50, x1: 52 },
      { x0: 70, x1: 72 },
    ]);
  });

  it("of the minimap count what is in progress", () => {
    const model = buildModel([{ duration: 100 }, { parent: 0, start: 50, duration: 49, error: true }]);
    const { counts, countMax, errors } = buildDensity(model, new TimeAxis(model.endNano), 4);
    assert.deepEqual([...counts], [1, 1, 2, 2]);
    assert.equal(countMax, 2);
    assert.deepEqual([...errors], [0, 0, 1, 0]);
  });

  it("have their label where it covers none of them, or nowhere", () => {
    const edges = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(edges, fc.integer({ min: 1, max: 200 }), (cuts, needed) => {
        const sorted = cuts.toSorted((a, b) => a - b);
        const bars = Array.from({ length: sorted.length >> 1 }, (_, at) => ({
          x0: sorted[2 * at] ?? 0,
          x1: sorted[2 * at + 1] ?? 0,
        }));
        const spot = labelSpot(bars, needed, 400);
        if (spot === null) return;
        assert.ok(spot >= 0 && spot + needed <= 400);
        for (const { x0, x1 } of bars) assert.ok(spot + needed <= x0 || spot >= x1);
      }),
    );
  });
});
