import assert from "node:assert/strict";
import { test } from "node:test";
import { peerQuestion, shareOfShorter } from "./peers.ts";

test("the longest of its peers took longer than all others, the shortest longer than none", () => {
  assert.equal(shareOfShorter(101, 1), 1);
  assert.equal(shareOfShorter(101, 101), 0);
  assert.equal(shareOfShorter(101, 51), 0.5);
  assert.equal(shareOfShorter(1, 1), null);
  assert.equal(shareOfShorter(0, 0), null);
});

test("peers are looked for within the times that can be stored", () => {
  const span = { service: "s", name: "n" };
  assert.deepEqual(peerQuestion({ ...span, startNano: "7200000000000" }), {
    ...span,
    from: "3600000000000",
    to: "10800000000000",
  });
  assert.equal(peerQuestion({ ...span, name: "long".repeat(1000), startNano: "5" }), null);
  assert.equal(peerQuestion({ ...span, startNano: "5" })?.from, "0");
  assert.equal(peerQuestion({ ...span, startNano: "9223372036854775000" })?.to, "9223372036854775807");
});
