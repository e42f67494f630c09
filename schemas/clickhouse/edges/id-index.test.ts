import assert from "node:assert/strict";
import { it } from "node:test";
import * as fc from "fast-check";
import { IdIndex } from "./id-index.ts";

it("finds what a Map finds", () => {
  const word = fc.oneof(fc.constantFrom(0, 1, 2 ** 32 - 1), fc.nat({ max: 2 ** 32 - 1 }));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(word, word), { maxLength: 200 }),
      fc.array(fc.tuple(word, word), { maxLength: 50 }),
      (ids, others) => {
        const index = new IdIndex(Uint32Array.from(ids.flat()));
        const expected = new Map<string, number>();
        for (const [row, id] of ids.entries()) {
          const first = expected.get(id.join()) ?? row;
          expected.set(id.join(), first);
          assert.equal(index.add(row), first);
        }
        for (const id of [...ids, ...others]) assert.equal(index.find(...id), expected.get(id.join()) ?? -1);
      },
    ),
  );
});
