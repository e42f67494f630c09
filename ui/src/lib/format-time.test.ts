import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatAgo, formatTime, formatTimeOfDay, formatZone } from "./format-time.ts";

/** 2026-01-31T13:45:10.123456789Z */
const NANO = "1769867110123456789";
const utc = { utc: true };

describe("times", () => {
  it("keep as many digits as asked for, cut and not rounded", () => {
    assert.equal(formatTime(NANO, utc), "2026-01-31 13:45:10.123");
    assert.equal(formatTime(NANO, utc, 0), "2026-01-31 13:45:10");
    assert.equal(formatTime(NANO, utc, 9), "2026-01-31 13:45:10.123456789");
    assert.equal(formatTimeOfDay(BigInt(NANO), utc, 6), "13:45:10.123456");
  });

  it("follow the machine's zone unless UTC is asked for", () => {
    const date = new Date(Number(BigInt(NANO) / 1_000_000n));
    assert.equal(formatTimeOfDay(NANO, { utc: false }, 0), date.toTimeString().slice(0, 8));
  });

  it("name their zone", () => {
    assert.equal(formatZone(utc), "UTC");
    const shanghai = { getTimezoneOffset: () => -480 };
    // Only the offset is read.
    assert.equal(formatZone({ utc: false }, shanghai as Date), "UTC+08:00");
  });

  it("can be told as how long ago, in the language", () => {
    const nowMs = Number(BigInt(NANO) / 1_000_000n) + 5 * 60_000 + 10;
    assert.equal(formatAgo(NANO, nowMs, "en"), "5 minutes ago");
    assert.equal(formatAgo(NANO, nowMs, "zh"), "5分钟前");
    assert.equal(formatAgo(NANO, nowMs - 5 * 60_000, "en"), "now");
  });
});
