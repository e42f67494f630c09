import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  DURATION_BUCKET_COUNT,
  durationBucketLowerNano,
  durationBucketOf,
} from "@callchain/schemas/clickhouse/duration-buckets.ts";
import * as fc from "fast-check";
import { DurationHistogram } from "./duration-histogram.ts";

const duration = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  fc.bigInt({ min: 0n, max: 1000n }),
  fc.nat({ max: 62 }).map((power) => 2n ** BigInt(power)),
);

function histogramOf(durations: readonly bigint[]): DurationHistogram {
  const histogram = new DurationHistogram();
  for (const nano of durations) {
    histogram.add([durationBucketOf(nano)], [1]);
    histogram.bound(Number(nano), Number(nano));
  }
  return histogram;
}

describe("duration buckets", () => {
  it("hold what lies between their bounds, and grow by at most a 32nd", () => {
    fc.assert(
      fc.property(duration, (nano) => {
        const bucket = durationBucketOf(nano);
        assert.ok(bucket >= 0 && bucket < DURATION_BUCKET_COUNT);
        const [lower, upper] = [durationBucketLowerNano(bucket), durationBucketLowerNano(bucket + 1)];
        assert.ok(lower <= Number(nano) && Number(nano) < upper, `${nano} in ${lower}..${upper}`);
        assert.ok(bucket === 0 || upper <= lower * (1 + 1 / 32));
      }),
    );
  });
});

describe("percentiles of a histogram", () => {
  it("lie within a bucket of the duration at their rank, and among those seen", () => {
    fc.assert(
      fc.property(
        fc.array(duration, { minLength: 1, maxLength: 50 }),
        fc.double({ min: 0.1, max: 99.9, noNaN: true }),
        (all, level) => {
          const sorted = all.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)).map(Number);
          const expected = sorted[Math.floor((level / 100) * sorted.length)] ?? 0;
          const [found = null] = histogramOf(all).percentiles([level]);
          assert.ok(found !== null && Math.abs(found - expected) <= expected / 32 + 1, `${found} for ${expected}`);
          assert.ok(found >= Math.floor(sorted[0] ?? 0) && found <= Math.ceil(sorted.at(-1) ?? 0));
        },
      ),
    );
  });

  it("are the same however the durations were divided before they were merged", () => {
    fc.assert(
      fc.property(fc.array(duration, { maxLength: 50 }), fc.array(duration, { maxLength: 50 }), (a, b) => {
        const merged = histogramOf(a);
        merged.merge(histogramOf(b));
        assert.deepEqual(merged.percentiles([1, 50, 95, 99.9]), histogramOf([...b, ...a]).percentiles([1, 50, 95, 99.9]));
      }),
    );
  });

  it("are the same together, in any order, as each by itself", () => {
    const levels = fc.array(fc.double({ min: 0.1, max: 99.9, noNaN: true }), { maxLength: 5 });
    fc.assert(
      fc.property(fc.array(duration, { maxLength: 50 }), levels, (all, asked) => {
        const histogram = histogramOf(all);
        assert.deepEqual(
          histogram.percentiles(asked),
          asked.flatMap((level) => histogram.percentiles([level])),
        );
      }),
    );
  });
});
