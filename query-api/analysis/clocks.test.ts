import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { ClockEvidence } from "./clocks.ts";

/** Calls of 100 with a callee of 60 that starts `lag` into it, by a clock that is `behind`. */
function evidenceOf(calls: readonly (readonly [lag: number, behind: number])[]): ClockEvidence {
  const evidence = new ClockEvidence();
  calls.forEach(([lag, behind], at) => {
    const from = 1000 * at + lag - behind;
    evidence.add(1000 * at, 1000 * at + 100, from, from + 60);
  });
  return evidence;
}

describe("two clocks, by the calls between them", () => {
  it("are told apart by a single call, with little confidence", () => {
    // The callee may have begun 0 to 40 into its caller.
    const { offsetNano, leastNano, greatestNano, confidence, misfitCount } = evidenceOf([[10, 500]]).estimate();
    assert.deepEqual([offsetNano, leastNano, greatestNano, confidence, misfitCount], [510, 490, 530, "low", 1]);
  });

  it("are narrowed down by more calls", () => {
    // 500 allows [490, 530] by the first call, [495, 535] and [465, 505] by the others: [495, 505] is left.
    const estimate = evidenceOf([
      [10, 500],
      [5, 500],
      [35, 500],
    ]).estimate();
    assert.deepEqual([estimate.leastNano, estimate.offsetNano, estimate.greatestNano], [495, 500, 505]);
    assert.deepEqual([estimate.fitShare, estimate.confidence], [1, "medium"]);
  });

  it("agree where most calls fit as stamped, whatever a few odd ones say", () => {
    const odd: [number, number][] = [
      [10, 90_000],
      [10, -70_000],
    ];
    const { offsetNano, misfitCount, fitShare } = evidenceOf([
      ...Array.from({ length: 18 }, (): [number, number] => [20, 0]),
      ...odd,
    ]).estimate();
    assert.deepEqual([offsetNano, misfitCount, fitShare], [0, 2, 0.9]);
  });

  it("are found apart although some calls happen to fit", () => {
    // 30 behind: calls with a lag above 30 fit as stamped, the rest do not; 30 makes all of them possible.
    const calls = Array.from({ length: 40 }, (_, at): [number, number] => [at, 30]);
    const { offsetNano, fitShare, confidence, misfitCount } = evidenceOf(calls).estimate();
    assert.ok(misfitCount >= 20 && misfitCount < 40);
    assert.equal(fitShare, 1);
    assert.ok(Math.abs(offsetNano - 30) <= 1, `${offsetNano}`);
    assert.equal(confidence, "high");
  });

  it("are not judged by calls that end after their caller, or take longer than it", () => {
    const evidence = new ClockEvidence();
    evidence.add(0, 100, 50, 200);
    evidence.add(0, 100, -500, -300);
    assert.equal(evidence.callCount, 0);
  });

  it("are found to within what the calls allow, at any offset and with one call in ten gone wild", () => {
    const lag = fc.integer({ min: 0, max: 40 });
    const offset = fc.integer({ min: 200, max: 1_000_000 }).chain((size) => fc.constantFrom(size, -size));
    fc.assert(
      fc.property(
        fc.array(lag, { minLength: 10, maxLength: 60 }),
        offset,
        fc.integer({ min: -1_000_000, max: 1_000_000 }),
        (lags, behind, wild) => {
          const calls = lags.map((value, at): [number, number] => [value, at % 10 === 9 ? wild : behind]);
          const { offsetNano, leastNano, greatestNano } = evidenceOf(calls).estimate();
          assert.ok(Math.abs(offsetNano - behind) <= 80, `${offsetNano} for ${behind}`);
          assert.ok(leastNano <= offsetNano && offsetNano <= greatestNano);
        },
      ),
    );
  });
});
