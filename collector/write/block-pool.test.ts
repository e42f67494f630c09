import assert from "node:assert/strict";
import { test } from "node:test";
import { BlockPool } from "./block-pool.ts";

const never = new AbortController().signal;

test("whoever waits gets the next free block, first come first served", async () => {
  const pool = new BlockPool(1000, 1);
  const first = pool.takeNow();
  assert.ok(first !== null);
  assert.equal(pool.takeNow(), null);
  const order: string[] = [];
  const second = pool.take(never).then((block) => (order.push("second"), block));
  const third = pool.take(never).then((block) => (order.push("third"), block));
  pool.give(first);
  const block = await second;
  assert.ok(block !== null);
  assert.deepEqual(order, ["second"]);
  pool.give(block);
  assert.ok((await third) !== null);
  assert.deepEqual(order, ["second", "third"]);
});

test("a wait that is given up takes no block away from the others", async () => {
  const pool = new BlockPool(1000, 1);
  const held = pool.takeNow();
  assert.ok(held !== null);
  const giveUp = new AbortController();
  const abandoned = pool.take(giveUp.signal);
  const patient = pool.take(never);
  giveUp.abort();
  assert.equal(await abandoned, null);
  pool.give(held);
  assert.ok((await patient) !== null);
});

test("all partitions and all inserts share the memory", () => {
  const pool = new BlockPool(1200, 2);
  assert.equal(pool.bytesOfBlock, 400);
  pool.partitionCount = 10;
  assert.equal(pool.bytesOfBlock, 100);
});
