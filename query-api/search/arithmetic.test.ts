import assert from "node:assert/strict";
import { test } from "node:test";
import { calculate, leafOf, type ArithmeticOperator } from "./arithmetic.ts";

const calculated = (left: number, operator: ArithmeticOperator, right: number): number =>
  calculate({ kind: "binary", operator, left: leafOf(left), right: leafOf(right) }, (leaf) => leaf);

test("what is not there makes all of it not there, also under a power", () => {
  assert.ok(Number.isNaN(calculated(Number.NaN, "^", 0)));
  assert.ok(Number.isNaN(calculated(1, "+", Number.NaN)));
});

test("the rest of a division has no negative zero, by which dividing would give the other infinity", () => {
  assert.ok(Object.is(calculated(-5, "%", 5), 0));
  assert.equal(calculated(-5.5, "%", 2), -1.5);
});
