import assert from "node:assert/strict";
import { it } from "node:test";
import * as fc from "fast-check";
import { NewestSpans } from "./choose-spans.ts";

it("the newest spans are kept, in whole instants, whatever the order in which they come", () => {
  const starts = fc.array(fc.bigInt({ min: 0n, max: 60n }), { maxLength: 60 });
  fc.assert(
    fc.property(starts, fc.integer({ min: 1, max: 20 }), fc.bigInt({ min: 0n, max: 60n }), (all, countMax, reached) => {
      const newest = new NewestSpans(countMax);
      for (const startNano of all) newest.add({ startNano, digits: "" });
      const { spans, since } = newest.since(reached);
      const sort = (list: readonly bigint[]): bigint[] => list.toSorted((a, b) => (a < b ? -1 : 1));
      assert.deepEqual(sort(spans.map(({ startNano }) => startNano)), sort(all.filter((startNano) => startNano >= since)));
      assert.ok(spans.length <= countMax && since >= reached);
      // No more than has to be is left out.
      if (since > reached) assert.ok(all.filter((startNano) => startNano >= since - 1n).length > countMax);
    }),
  );
});
