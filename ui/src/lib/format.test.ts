import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  formatBytes,
  formatChange,
  formatCount,
  formatCountShort,
  formatDuration,
  formatDurationExact,
  formatPercent,
  formatRate,
} from "./format.ts";

describe("formatDuration", () => {
  const cases: readonly (readonly [number | bigint | string, string])[] = [
    [0, "0 s"],
    [1, "1 ns"],
    [850, "850 ns"],
    [999, "999 ns"],
    [1000, "1 µs"],
    [12_345, "12.3 µs"],
    [400_000, "400 µs"],
    [999_960, "1 ms"],
    [1_500_000, "1.5 ms"],
    [999_600_000, "1 s"],
    [1_234_000_000, "1.23 s"],
    [59_900_000_000, "59.9 s"],
    [59_990_000_000, "1 min"],
    [125_000_000_000n, "2 min 5 s"],
    ["11520000000000", "3 h 12 min"],
    [187_200_000_000_000, "2 d 4 h"],
    [-1_500_000, "−1.5 ms"],
  ];
  for (const [nano, text] of cases) {
    it(`writes ${nano} ns as ${text}`, () => assert.equal(formatDuration(nano), text));
  }

  it("never writes as zero what is not zero, and never in exponents", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 2n ** 63n }), (nano) => {
        const text = formatDuration(nano);
        assert.doesNotMatch(text, /^0(\.0*)? /);
        assert.match(text, /^[\d.]+ (ns|µs|ms|s|min|h|d)( \d+ (s|min|h))?$/);
      }),
    );
  });

  it("stays within half a percent of the value up to a minute", () => {
    const unit: Record<string, number> = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9 };
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 59_900_000_000 }), (nano) => {
        const [value = "", name = ""] = formatDuration(nano).split(" ");
        const read = Number(value) * (unit[name] ?? Number.NaN);
        assert.ok(Math.abs(read - nano) <= nano * 0.0051, `${nano} reads ${value} ${name}`);
      }),
    );
  });
});

describe("numbers", () => {
  it("keep every digit where asked to", () => {
    assert.equal(formatDurationExact("1234567890123456789"), "1,234,567,890,123,456,789 ns");
    assert.equal(formatCount(1234567), "1,234,567");
  });

  it("are shortened from a thousand on", () => {
    assert.equal(formatCountShort(987), "987");
    assert.equal(formatCountShort(12_345), "12.3k");
    assert.equal(formatCountShort(999_949), "1M");
    assert.equal(formatCountShort(4_560_000), "4.56M");
    assert.equal(formatCountShort(2.5e12), "2.5T");
  });

  it("are a percentage that rounding brings neither to 0 nor to 100", () => {
    assert.equal(formatPercent(0), "0%");
    assert.equal(formatPercent(0.00001), "<0.01%");
    assert.equal(formatPercent(0.0025), "0.25%");
    assert.equal(formatPercent(0.123), "12.3%");
    assert.equal(formatPercent(0.99999), ">99.9%");
    assert.equal(formatPercent(1), "100%");
  });

  it("are a rate in the unit in which it is one or more", () => {
    assert.equal(formatRate(0, 60), "0/s");
    assert.equal(formatRate(738, 60), "12.3/s");
    assert.equal(formatRate(4, 60), "4/min");
    assert.equal(formatRate(1, 7200), "0.5/h");
    assert.equal(formatRate(9_000_000, 60), "150k/s");
  });

  it("are bytes in powers of 1024", () => {
    assert.equal(formatBytes(512), "512 B");
    assert.equal(formatBytes(1536), "1.5 KiB");
    assert.equal(formatBytes(3.2 * 1024 ** 3), "3.2 GiB");
  });

  it("are a change against before, or nothing where there was nothing", () => {
    assert.equal(formatChange(112, 100), "+12%");
    assert.equal(formatChange(96.6, 100), "−3.4%");
    assert.equal(formatChange(250, 100), "×2.5");
    assert.equal(formatChange(100.2, 100), "±0%");
    assert.equal(formatChange(5, 0), null);
    assert.equal(formatChange(5, null), null);
  });
});
