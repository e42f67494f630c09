import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unixNano } from "@callchain/schemas/span/time.ts";
import * as fc from "fast-check";
import { formatDuration, parseDuration, parseTime } from "./units.ts";

const NOW = unixNano(1_769_860_800_123_456_789n);
const SECOND = 1_000_000_000n;

describe("durations", () => {
  it("are numbers with units, also joined", () => {
    const readings: readonly (readonly [string, bigint])[] = [
      ["250ms", 250_000_000n],
      ["1.5s", 1_500_000_000n],
      ["1m30s", 90n * SECOND],
      ["0s", 0n],
      ["10us", 10_000n],
      ["10µs", 10_000n],
      ["0.0000000001s", 0n],
      ["2d", 172_800n * SECOND],
    ];
    for (const [text, nano] of readings) assert.equal(parseDuration(text), nano, text);
  });

  it("are refused without a unit, with signs and beyond 292 years", () => {
    for (const text of ["", "5", "ms", "-5ms", "1.s", ".5s", "5 ms", "1e3s", "5xs", "999999999999w", "5ms5"]) {
      assert.equal(parseDuration(text), undefined, text);
    }
  });

  it("are written so that they read as the same again", () => {
    fc.assert(fc.property(fc.bigInt(0n, 2n ** 63n - 1n), (nano) => assert.equal(parseDuration(formatDuration(nano)), nano)));
  });
});

describe("times", () => {
  it("are RFC 3339, Unix numbers by magnitude, or relative to now", () => {
    const instant = 1_769_860_800n * SECOND;
    const readings: readonly (readonly [string, bigint])[] = [
      ["now", NOW],
      ["now-1h", NOW - 3600n * SECOND],
      ["now+1m30s", NOW + 90n * SECOND],
      ["2026-01-31T12:00:00Z", instant],
      ["2026-01-31T14:00:00+02:00", instant],
      ["2026-01-31T14:00:00 02:00", instant],
      ["2026-01-31T06:30:00-05:30", instant],
      ["2026-01-31t12:00:00.123456789z", instant + 123_456_789n],
      ["1769860800", instant],
      ["1769860800.5", instant + SECOND / 2n],
      ["1769860800000", instant],
      ["1769860800000000", instant],
      ["1769860800000000000", instant],
      ["0", 0n],
    ];
    for (const [text, nano] of readings) assert.equal(parseTime(text, NOW), nano, text);
  });

  it("are refused where they are no instant from 1970 to 2262", () => {
    const refused = [
      "",
      "yesterday",
      "now-",
      "now-1",
      "now*2",
      "2026-02-30T00:00:00Z",
      "2026-01-31T25:00:00Z",
      "2026-01-31",
      "-1",
      "1e9",
    ];
    for (const text of [...refused, "1969-12-31T23:59:59Z", "2300-01-01T00:00:00Z", "9999999999999999999", "now-9999w"]) {
      assert.equal(parseTime(text, NOW), undefined, text);
    }
  });
});
