import assert from "node:assert/strict";
import { test } from "node:test";
import { EdgePace } from "./edge-pace.ts";

test("at the peak a hundredth of the time is spent on steps", () => {
  const pace = new EdgePace(0);
  let uncounted = 0;
  let workedMs = 0;
  for (let nowMs = 1000; nowMs < 3_600_000; nowMs += 1000) {
    uncounted += 120_000;
    if (!pace.mayStep(uncounted, nowMs)) continue;
    uncounted -= 300_000;
    workedMs += 1000;
    pace.stepped(300_000, nowMs, 1000);
  }
  assert.ok(workedMs >= 30_000 && workedMs <= 37_000, `${workedMs} ms`);
});

test("once a burst is over, its spans are counted at once", () => {
  const pace = new EdgePace(0);
  assert.ok(pace.mayStep(1_000_000, 5000), "the first step");
  pace.stepped(300_000, 7000, 2000);
  assert.ok(!pace.mayStep(1_700_000, 10_000), "it still arrives");
  assert.ok(pace.mayStep(1_700_000, 15_000), "nothing arrives any more");
});

test("few spans are never waited for", () => {
  const pace = new EdgePace(0);
  for (let nowMs = 5000; nowMs < 100_000; nowMs += 5000) {
    assert.ok(pace.mayStep(100_000, nowMs));
    pace.stepped(100_000, nowMs, 1000);
  }
});
