import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyPool } from "./body-pool.ts";
import { ByteBudget } from "./budget.ts";

const KIB = 1024;

test("a buffer that was given back is lent again for a body of about its size", () => {
  const pool = new BodyPool(1024 * KIB);
  const first = pool.take(200 * KIB);
  assert.ok(first.length >= 200 * KIB);
  pool.giveBack(first);
  assert.notEqual(pool.take(300 * KIB), first);
  assert.equal(pool.take(129 * KIB), first);
  assert.notEqual(pool.take(129 * KIB), first);
});

test("no more lies unused than may, and no buffer of an uncommon size", () => {
  const pool = new BodyPool(256 * KIB);
  const buffers = [pool.take(256 * KIB), pool.take(256 * KIB)];
  for (const buffer of buffers) pool.giveBack(buffer);
  assert.ok(buffers.includes(pool.take(256 * KIB)));
  assert.ok(!buffers.includes(pool.take(256 * KIB)));
  const large = pool.take(9 * KIB * KIB);
  pool.giveBack(large);
  assert.notEqual(pool.take(9 * KIB * KIB), large);
});

test("a request's body is another's only after its lease was released, however often", () => {
  const budget = new ByteBudget(1024 * KIB);
  const first = budget.openLease();
  const body = first.lendBody(100 * KIB);
  assert.equal(body.length, 100 * KIB);
  const second = budget.openLease();
  assert.notEqual(second.lendBody(100 * KIB).buffer, body.buffer);
  first.release();
  first.release();
  const [third, fourth] = [budget.openLease(), budget.openLease()];
  assert.equal(third.lendBody(100 * KIB).buffer, body.buffer);
  assert.notEqual(fourth.lendBody(100 * KIB).buffer, body.buffer);
  assert.throws(() => third.lendBody(1), /one body/);
});
