import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { HeatmapAnswer } from "@callchain/schemas/api/aggregates.ts";
import {
  brushOfRegion,
  cellShade,
  countWithin,
  durationTicks,
  firstRegion,
  heatmapSize,
  moveRegion,
  regionBetween,
  regionOfBrush,
  type CellRegion,
} from "./heatmap.ts";

/** Columns of a minute from 12:00:30 on, so that the first and the last are cut; rows double. */
function answerOf(columnCount: number, rowCount: number): HeatmapAnswer {
  const firstNano = 1_700_000_000_000_000_000n;
  const stepNano = 60_000_000_000n;
  return {
    fromNano: `${firstNano + stepNano / 2n}`,
    toNano: `${firstNano + stepNano * BigInt(columnCount) - stepNano / 2n}`,
    stepSeconds: 60,
    timesNano: Array.from({ length: columnCount }, (_, index) => `${firstNano + stepNano * BigInt(index)}`),
    durationBoundsNano: Array.from({ length: rowCount + 1 }, (_, row) => 1000 * 2 ** row),
    cells: [],
    query: "{ }",
    scan: { rows: 0, bytes: 0, elapsedMs: 0, partial: false, partialReason: null },
  };
}

const sizes = fc.record({ columnCount: fc.integer({ min: 2, max: 120 }), rowCount: fc.integer({ min: 1, max: 40 }) });
const withRegion = sizes.chain((size) =>
  fc
    .tuple(fc.nat(size.columnCount - 1), fc.nat(size.columnCount - 1), fc.nat(size.rowCount - 1), fc.nat(size.rowCount - 1))
    .map(([a, b, c, d]) => ({ size, region: regionBetween({ column: a, row: c }, { column: b, row: d }) })),
);

function assertWithin(region: CellRegion, { columnCount, rowCount }: { columnCount: number; rowCount: number }): void {
  assert.ok(region.left >= 0 && region.left < region.right && region.right <= columnCount);
  assert.ok(region.low >= 0 && region.low < region.high && region.high <= rowCount);
}

describe("a region of the heatmap", () => {
  it("is the same again when it is read back from its times and durations", () => {
    fc.assert(
      fc.property(withRegion, ({ size, region }) => {
        const answer = answerOf(size.columnCount, size.rowCount);
        assert.deepEqual(regionOfBrush(brushOfRegion(region, answer), answer), region);
      }),
    );
  });

  it("is cut to the range that was asked for", () => {
    const answer = answerOf(5, 4);
    const brush = brushOfRegion({ left: 0, right: 5, low: 0, high: 4 }, answer);
    assert.equal(brush.fromNano, BigInt(answer.fromNano));
    assert.equal(brush.toNano, BigInt(answer.toNano));
    assert.equal(brush.minNano, 1000n);
    assert.equal(brush.maxNano, 16_000n);
  });

  it("is gone where the heatmap does not reach it", () => {
    const answer = answerOf(5, 4);
    const brush = brushOfRegion({ left: 1, right: 2, low: 1, high: 2 }, answer);
    assert.equal(regionOfBrush({ ...brush, fromNano: 1n, toNano: 2n }, answer), null);
    assert.equal(regionOfBrush({ ...brush, minNano: 10n ** 15n, maxNano: 10n ** 16n }, answer), null);
  });

  it("stays within the heatmap and never becomes empty, however it is moved", () => {
    fc.assert(
      fc.property(
        withRegion,
        fc.integer({ min: -200, max: 200 }),
        fc.integer({ min: -80, max: 80 }),
        fc.boolean(),
        (it, x, y, resize) => {
          const moved = moveRegion(it.region, { columns: x, rows: y }, resize, it.size);
          assertWithin(moved, it.size);
          if (!resize) assert.equal(moved.right - moved.left, it.region.right - it.region.left);
          assertWithin(firstRegion(it.size), it.size);
        },
      ),
    );
  });

  it("counts what lies in it", () => {
    const cells = [
      { time: 0, duration: 0, count: 5, errorCount: 1 },
      { time: 1, duration: 1, count: 7, errorCount: 2 },
      { time: 2, duration: 1, count: 9, errorCount: 0 },
    ];
    assert.deepEqual(countWithin(cells, { left: 0, right: 2, low: 0, high: 2 }), { count: 12, errorCount: 3 });
    assert.deepEqual(heatmapSize(answerOf(3, 2)), { columnCount: 3, rowCount: 2 });
  });
});

describe("the drawing", () => {
  it("is darker where there is more, and never invisible where there is something", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 1, max: 1e9 }), (a, b) => {
        const max = Math.max(a, b);
        assert.ok(cellShade(a, max) > 0 && cellShade(a, max) <= 1);
        if (a < b) assert.ok(cellShade(a, max) <= cellShade(b, max));
      }),
    );
    assert.equal(cellShade(0, 10), 0);
  });

  it("is labelled at round durations, each between the bounds that hold it", () => {
    const bounds = Array.from({ length: 40 }, (_, row) => 459e3 * 2 ** (row / 2));
    const ticks = durationTicks(bounds, 8);
    assert.deepEqual(
      ticks.map(({ nano }) => nano),
      [1e6, 10e6, 100e6, 1e9, 10e9, 60e9].slice(0, ticks.length),
    );
    assert.ok(ticks.length >= 5);
    fc.assert(
      fc.property(fc.double({ min: 1, max: 1e13, noNaN: true }), fc.integer({ min: 1, max: 60 }), (first, rows) => {
        const some = Array.from({ length: rows + 1 }, (_, row) => first * 1.3 ** row);
        for (const { nano, row } of durationTicks(some, 12)) {
          assert.ok((some[Math.floor(row)] ?? 0) <= nano * (1 + 1e-9) && nano <= (some[Math.ceil(row)] ?? 0) * (1 + 1e-9));
        }
        assert.ok(durationTicks(some, 12).length >= 2);
      }),
    );
  });

  it("is labelled at its ends where nothing round lies between them", () => {
    assert.deepEqual(durationTicks([33, 41], 8), [
      { nano: 33, row: 0 },
      { nano: 41, row: 1 },
    ]);
    assert.deepEqual(durationTicks([], 8), []);
  });
});
