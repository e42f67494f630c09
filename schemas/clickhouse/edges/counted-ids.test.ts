import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { CountedIds, beforeOf, sortedOnce, type IdSlots } from "./counted-ids.ts";
import type { Stretch } from "./scope.ts";

const stretch = (from: bigint, to: bigint): Stretch => ({ from, to });
const ALWAYS = [stretch(0n, 10n ** 18n)];
const slots = (held: Record<number, readonly number[]>): IdSlots =>
  new Map(Object.entries(held).map(([slot, ids]) => [Number(slot), sortedOnce(ids)]));
const open = (idCountMax = 1_000_000): CountedIds => new CountedIds({ slotNano: 10n, idCountMax });

describe("ids of what was counted", () => {
  it("are found with the time of their slots, and nothing else is", () => {
    const counted = open();
    counted.begin(7n, 0n, slots({ 0: [1, 9] }));
    counted.add(7n, slots({ 0: [5, 9], 2: [4] }));
    const { ids, stretches } = counted.locate(Uint32Array.of(4, 5, 7, 9), ALWAYS);
    assert.deepEqual(
      [[...ids].toSorted((a, b) => a - b), stretches],
      [
        [4, 5, 9],
        [stretch(0n, 10n), stretch(20n, 30n)],
      ],
    );
    assert.deepEqual(counted.locate(Uint32Array.of(4), [stretch(0n, 22n)]).stretches, [stretch(20n, 22n)]);
    assert.deepEqual(counted.locate(Uint32Array.of(4), [stretch(30n, 40n)]), { ids: new Set(), stretches: [] });
  });

  it("are those of every slot in which they are, of any two lists", () => {
    const ids = fc.array(fc.nat({ max: 60 }), { maxLength: 80 });
    fc.assert(
      fc.property(ids, fc.array(ids, { maxLength: 5 }), (wanted, held) => {
        const counted = open();
        counted.begin(0n, 0n, slots(Object.fromEntries(held.entries())));
        const found = counted.locate(sortedOnce(wanted), ALWAYS);
        const expected = new Set(wanted.filter((id) => held.some((some) => some.includes(id))));
        assert.deepEqual(
          [...found.ids].toSorted((a, b) => a - b),
          [...expected].toSorted((a, b) => a - b),
        );
        const isIn = (slot: number): boolean => found.stretches.some(({ from, to }) => from <= slot * 10 && to > slot * 10);
        for (const [slot, some] of held.entries())
          assert.equal(
            isIn(slot),
            some.some((id) => expected.has(id)),
          );
      }),
    );
  });

  it("are not remembered before that is begun, nor once another builder has taken a step", () => {
    const counted = open();
    counted.add(0n, slots({ 0: [1] }));
    assert.equal(counted.knownSince(1n), null);
    counted.begin(1n, 100n, new Map());
    assert.equal(counted.knownSince(1n), 100n);
    counted.add(1n, new Map());
    counted.add(2n, slots({ 0: [2] }));
    assert.equal(counted.knownSince(3n), 100n);
    assert.equal(counted.knownSince(4n), null);
    counted.add(4n, slots({ 0: [3] }));
    assert.equal(counted.knownSince(5n), null);
  });

  it("are forgotten from the oldest on where they are too many, and it is known since when", () => {
    const counted = open(300);
    const many = (from: number): number[] => Array.from({ length: 100 }, (_, at) => from + at);
    counted.begin(0n, 0n, slots({ 3: many(0) }));
    assert.equal(counted.knownSince(0n), 0n);
    counted.add(0n, slots({ 1: many(500) }));
    assert.equal(counted.knownSince(1n), 20n);
    assert.deepEqual([...counted.locate(Uint32Array.of(5, 505), ALWAYS).ids], [5]);
    assert.deepEqual(beforeOf([stretch(0n, 5n), stretch(7n, 9n)], 8n), [stretch(0n, 5n), stretch(7n, 8n)]);
  });
});
