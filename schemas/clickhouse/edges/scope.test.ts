import assert from "node:assert/strict";
import { it } from "node:test";
import * as fc from "fast-check";
import { mergeStretches, subtractStretches, type Stretch } from "./scope.ts";

const stretches = fc
  .array(fc.tuple(fc.nat({ max: 30 }), fc.nat({ max: 8 })), { maxLength: 6 })
  .map((pairs): Stretch[] =>
    mergeStretches(pairs.map(([from, length]) => ({ from: BigInt(from), to: BigInt(from + length + 1) }))),
  );

const lies = (within: readonly Stretch[], at: bigint): boolean => within.some(({ from, to }) => from <= at && at < to);

it("what is left of stretches is what lies in them and not in the others, in parts that are not empty", () => {
  fc.assert(
    fc.property(stretches, stretches, (some, others) => {
      const rest = subtractStretches(some, others);
      for (const { from, to } of rest) assert.ok(from < to);
      for (let at = 0n; at < 40n; at += 1n) assert.equal(lies(rest, at), lies(some, at) && !lies(others, at));
    }),
  );
});
