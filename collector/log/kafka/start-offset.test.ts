import assert from "node:assert/strict";
import { test } from "node:test";
import { startOffsetOf } from "./start-offset.ts";

test("reading starts where the rows end, or behind what was released without giving rows", () => {
  assert.deepEqual(startOffsetOf({ wanted: 40n, committed: 30n, earliest: 0n, latest: 100n }), { offset: 40n, lostCount: 0n });
  assert.deepEqual(startOffsetOf({ wanted: 40n, committed: 45n, earliest: 0n, latest: 100n }), { offset: 45n, lostCount: 0n });
  assert.deepEqual(startOffsetOf({ wanted: 0n, committed: -1n, earliest: 0n, latest: 0n }), { offset: 0n, lostCount: 0n });
});

test("a committed offset behind the end of the partition is not believed", () => {
  assert.deepEqual(startOffsetOf({ wanted: 40n, committed: 500n, earliest: 0n, latest: 100n }), { offset: 40n, lostCount: 0n });
});

test("what retention took before it was stored is counted, except where nothing was ever read", () => {
  assert.deepEqual(startOffsetOf({ wanted: 40n, committed: 42n, earliest: 50n, latest: 100n }), { offset: 50n, lostCount: 8n });
  assert.deepEqual(startOffsetOf({ wanted: 0n, committed: -1n, earliest: 50n, latest: 100n }), { offset: 50n, lostCount: 0n });
});

test("rows that are ahead of the partition hold it, with a mend", () => {
  assert.throws(() => startOffsetOf({ wanted: 101n, committed: -1n, earliest: 0n, latest: 100n }), /lost records.*anew/);
});
