import assert from "node:assert/strict";
import { test } from "node:test";
import { ArrivalRate } from "./arrival-rate.ts";

test("the rate is of this second or the last, and nothing once two have passed", () => {
  const rate = new ArrivalRate();
  assert.equal(rate.perSecond(5_000), 0);
  rate.add(300, 5_100);
  rate.add(200, 5_900);
  assert.equal(rate.perSecond(5_950), 500);
  rate.add(100, 6_100);
  assert.equal(rate.perSecond(6_200), 500);
  rate.add(600, 6_300);
  assert.equal(rate.perSecond(6_400), 700);
  assert.equal(rate.perSecond(7_999), 700);
  assert.equal(rate.perSecond(8_000), 0);
  rate.add(5, 20_000);
  assert.equal(rate.perSecond(20_500), 5);
});
