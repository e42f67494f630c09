import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { pickExemplars } from "./exemplars.ts";

const exemplar = (durationNano: number) => ({ traceId: `t${durationNano}`, spanId: "s", durationNano });
const point = (step: number, slowest: number | null, failed: number | null) => ({
  timeNano: `${step * 1_000_000_000}`,
  count: slowest === null ? 0 : 1,
  errorCount: failed === null ? 0 : 1,
  percentilesNano: [],
  slowest: slowest === null ? null : exemplar(slowest),
  slowestError: failed === null ? null : exemplar(failed),
});

describe("the examples of a chart", () => {
  it("prefer a failed span to a longer one, and skip steps without spans", () => {
    const points = [point(0, 9, null), point(1, 20, 5), point(2, null, null), point(3, 7, null)];
    assert.deepEqual(
      pickExemplars(points, 2).map(({ durationNano, isError, atMs }) => ({ durationNano, isError, atMs })),
      [
        { durationNano: 5, isError: true, atMs: 1000 },
        { durationNano: 7, isError: false, atMs: 3000 },
      ],
    );
  });

  it("are never more than asked for, and in order", () => {
    const series = fc.array(fc.option(fc.integer({ min: 1, max: 1000 }), { nil: null }), { maxLength: 200 });
    fc.assert(
      fc.property(series, fc.integer({ min: 1, max: 30 }), (durations, countMax) => {
        const picked = pickExemplars(
          durations.map((duration, step) => point(step, duration, null)),
          countMax,
        );
        assert.ok(picked.length <= countMax);
        assert.ok(picked.every(({ atMs }, index) => index === 0 || atMs > (picked[index - 1]?.atMs ?? 0)));
        assert.equal(
          picked.length > 0,
          durations.some((duration) => duration !== null),
        );
      }),
    );
  });
});
