import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { findIdle, TimeAxis } from "./axis.ts";
import { anyRows, buildModel } from "./testing.ts";

/** Stretches of 0 to 1000 that do not touch. */
const anyIdle = fc
  .uniqueArray(fc.integer({ min: 1, max: 999 }), { minLength: 2, maxLength: 12 })
  .map((cuts) => cuts.sort((a, b) => a - b))
  .map((cuts) =>
    Array.from({ length: cuts.length >> 1 }, (_, at) => ({ from: cuts[2 * at] ?? 0, to: cuts[2 * at + 1] ?? 0 })).filter(
      ({ from, to }) => to > from,
    ),
  );

describe("the time axis", () => {
  it("leaves every instant where it is without idle stretches", () => {
    const axis = new TimeAxis(1000);
    assert.equal(axis.endShown, 1000);
    assert.equal(axis.toShown(123), 123);
    assert.equal(axis.toNano(123), 123);
  });

  it("draws a long idle stretch short, and what follows right after it", () => {
    const axis = new TimeAxis(9_020, [{ from: 10, to: 9_010 }]);
    assert.equal(axis.toShown(10), 10);
    assert.equal(axis.toShown(9_010), 11);
    assert.equal(axis.toShown(9_020), 21);
    assert.equal(axis.endShown, 21);
  });

  it("keeps the order of instants and finds its way back, whatever is idle", () => {
    fc.assert(
      fc.property(anyIdle, fc.array(fc.integer({ min: -50, max: 1050 }), { minLength: 2 }), (idle, instants) => {
        const axis = new TimeAxis(1000, idle);
        const sorted = instants.toSorted((a, b) => a - b);
        sorted.forEach((nano, at) => {
          assert.ok(Math.abs(axis.toNano(axis.toShown(nano)) - nano) < 1e-6);
          const before = sorted[at - 1];
          if (before !== undefined && before < nano) assert.ok(axis.toShown(before) < axis.toShown(nano));
        });
        assert.ok(axis.endShown <= 1000 && axis.endShown > 0);
      }),
    );
  });

  it("has no tick within what is compressed, and labels the instants that are sent", () => {
    const axis = new TimeAxis(9_020, [{ from: 10, to: 9_010 }]);
    const ticks = axis.ticks({ t0: 0, t1: axis.endShown }, 4);
    assert.deepEqual(
      ticks.map(({ label }) => label),
      ["0 ns", "10 ns", "9.01 µs", "9.02 µs"],
    );
    assert.ok(ticks.every(({ nano }) => nano >= 0 && nano <= axis.endShown));
  });
});

describe("idle stretches", () => {
  it("are where no span runs", () => {
    const model = buildModel([{ duration: 10 }, { parent: 0, start: 60, duration: 40 }, { parent: 0, start: 50, duration: 5 }]);
    assert.deepEqual(findIdle(model), [
      { from: 10, to: 50 },
      { from: 55, to: 60 },
    ]);
  });

  it("hold no part of any span, in any trace", () => {
    fc.assert(
      fc.property(anyRows, (rows) => {
        for (const { from, to } of findIdle(buildModel(rows))) {
          assert.ok(to > from);
          for (const { start = 0, duration = 0 } of rows) assert.ok(start >= to || start + duration <= from);
        }
      }),
    );
  });
});
