import assert from "node:assert/strict";
import { it } from "node:test";
import { unixNano } from "@callchain/schemas/span/time.ts";
import * as fc from "fast-check";
import { outsideOf, planMinutes, planRollup } from "./rollup-plan.ts";

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

it("a range that is split is covered on both sides, and what is outside of whole minutes is the rest of it", () => {
  const bound = fc.nat({ max: 100_000 }).map((seconds) => unixNano(BigInt(seconds) * SECOND));
  fc.assert(
    fc.property(bound, bound, bound, (...bounds) => {
      const [from = unixNano(0n), at = from, to = at] = bounds.toSorted((a, b) => Number(a - b));
      const by = { kind: "attribute", scope: "resource", key: "service.name" } as const;
      const plan = planRollup({ from, to }, { kind: "split", at }, { expression: null }, by);
      const sides = [planMinutes({ from, to: at }, [1, 60, 480]), planMinutes({ from: at, to }, [1, 60, 480])];
      const minutes = sides.flatMap((side) => side?.minutes ?? []);
      assert.deepEqual(plan?.minutes ?? [], minutes);
      assert.deepEqual(
        [...(plan?.tiers ?? "").matchAll(/tier = \d+/g)].map(String),
        sides.flatMap((side) => [...(side?.tiers ?? "").matchAll(/tier = \d+/g)]).map(String),
      );
      if (plan === null) return;
      const all = [...plan.minutes, ...outsideOf(plan, { from, to })].toSorted((a, b) => Number(a.from - b.from));
      assert.equal(all[0]?.from, from);
      assert.equal(all.at(-1)?.to, to);
      for (const [index, stretch] of all.entries()) {
        assert.ok(stretch.from < stretch.to);
        if (index > 0) assert.equal(stretch.from, all[index - 1]?.to);
      }
    }),
  );
});
