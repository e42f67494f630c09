import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  DEFAULT_RANGE,
  inputTextFromMs,
  instantMs,
  msFromInputText,
  nanoTextFromMs,
  rangeChanges,
  rangeSeconds,
  readRange,
} from "./time-range.ts";

const NOW = Date.UTC(2026, 0, 31, 12);
const range = (query: string) => readRange(new URLSearchParams(query), NOW);

describe("the time range", () => {
  it("is read relative, as RFC 3339, and as digits of any unit", () => {
    assert.equal(instantMs("now", NOW), NOW);
    assert.equal(instantMs("now-1.5h", NOW), NOW - 5_400_000);
    assert.equal(instantMs("2026-01-31T11:00:00Z", NOW), NOW - 3_600_000);
    for (const digits of ["1769860800", "1769860800000", "1769860800000000", "1769860800000000000"]) {
      assert.equal(instantMs(digits, NOW), NOW);
    }
    assert.equal(instantMs("yesterday", NOW), null);
    assert.equal(instantMs("now-1y", NOW), null);
  });

  it("falls back to the last hour when it is absent, unreadable or the wrong way round", () => {
    for (const query of ["", "from=soon", "from=now&to=now-1h", "from=now-5m&to=never"])
      assert.deepEqual(range(query), DEFAULT_RANGE);
    assert.deepEqual(range("from=now-6h"), { from: "now-6h", to: "now" });
  });

  it("comes back from what it writes into the URL", () => {
    for (const one of [
      DEFAULT_RANGE,
      { from: "now-5m", to: "now" },
      { from: "1769857200000000000", to: "1769860800000000000" },
    ]) {
      const params = new URLSearchParams();
      for (const [key, value] of Object.entries(rangeChanges(one))) if (value !== null) params.set(key, value);
      assert.deepEqual(readRange(params, NOW), one);
    }
  });

  it("has a length in seconds", () => {
    assert.equal(rangeSeconds({ from: "now-5m", to: "now" }, NOW), 300);
    assert.equal(rangeSeconds({ from: "now-3h", to: "now-1h" }, NOW), 7200);
  });

  it("survives an input field, in UTC and in local time, to the second", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (seconds) => {
        assert.equal(msFromInputText(inputTextFromMs(seconds * 1000, true), true), seconds * 1000);
      }),
    );
    assert.equal(msFromInputText(inputTextFromMs(NOW, false), false), NOW);
    assert.equal(msFromInputText("", true), null);
    assert.equal(nanoTextFromMs(NOW), "1769860800000000000");
  });
});
