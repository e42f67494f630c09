import assert from "node:assert/strict";
import { it } from "node:test";
import { unixNano } from "@callchain/schemas/span/time.ts";
import * as fc from "fast-check";
import { planMinutes } from "./rollup-plan.ts";

const SECOND = 1_000_000_000n;

it("covers every whole minute of a range once, in the longest stretches that lie within", () => {
  fc.assert(
    fc.property(fc.nat({ max: 300_000 }), fc.nat({ max: 300_000 }), (fromSeconds, seconds) => {
      const [from, to] = [unixNano(BigInt(fromSeconds) * SECOND), unixNano(BigInt(fromSeconds + seconds) * SECOND)];
      const plan = planMinutes({ from, to }, [1, 60, 480]);
      const [first, end] = [Math.ceil(fromSeconds / 60), Math.floor((fromSeconds + seconds) / 60)];
      if (end - first < 2) return plan === null;
      const parts = [...(plan?.tiers ?? "").matchAll(/tier = (\d+) AND minute >= (\d+) AND minute < (\d+)/g)].map((match) =>
        match.slice(1).map(Number),
      );
      const covered = parts.flatMap(([, start = 0, stop = 0]) => Array.from({ length: stop - start }, (_, at) => start + at));
      assert.deepEqual(
        covered,
        Array.from({ length: end - first }, (_, at) => first + at),
      );
      for (const [tier = 0, start = 0, stop = 0] of parts) assert.ok(start % tier === 0 && stop % tier === 0);
      const hours = Math.floor(end / 60) - Math.ceil(first / 60);
      assert.equal(
        parts.filter(([tier]) => tier !== 1).reduce((sum, [, start = 0, stop = 0]) => sum + stop - start, 0),
        Math.max(0, hours) * 60,
      );
      return true;
    }),
  );
});
