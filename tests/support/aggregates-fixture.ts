/** What the aggregates' tests count, and how they look at figures. */
import assert from "node:assert/strict";
import type { Red } from "@callchain/schemas/api/catalog.ts";
import * as fc from "fast-check";
import type { SpanSeed } from "./span-rows.ts";

export const SECOND = 1_000_000_000n;
const MILLI = 1_000_000n;
/** 2001-09-09T01:46:40Z, a multiple of 60 s since the epoch and 40 s more. */
export const FROM = 1_000_000_000n * SECOND;
export const TO = FROM + 60n * SECOND;
export const RANGE = { from: FROM, to: TO };

/** Ten calls of 1..10 ms to the shop, the last two failed; one client span; three calls in the minute before; a batch job; odd names. */
export const SPANS: readonly SpanSeed[] = [
  ...Array.from({ length: 10 }, (_, index): SpanSeed => ({
    trace: `s${index}`,
    id: "root",
    service: "shop",
    name: index < 5 ? "GET /a" : "GET /b",
    kind: "server",
    startNano: FROM + BigInt(index) * 2n * SECOND,
    durationNano: BigInt(index + 1) * MILLI,
    isError: index >= 8,
    text: { tier: index < 7 ? "gold" : "silver", "user.id": `u${index}` },
    ints: { "http.response.status_code": index >= 8 ? 500 : 200 },
    resource: { "service.version": index < 6 ? "1.0" : "1.1", "service.instance.id": "shop-1", replicas: 3 },
  })),
  { trace: "s0", id: "c", parent: "root", service: "shop", name: "call", kind: "client", startNano: FROM, durationNano: MILLI },
  ...Array.from({ length: 3 }, (_, index): SpanSeed => ({
    trace: `p${index}`,
    id: "root",
    service: "shop",
    name: "GET /a",
    kind: "server",
    startNano: FROM - BigInt(index + 1) * SECOND,
    durationNano: 20n * MILLI,
    isError: index === 0,
  })),
  { trace: "j", id: "root", service: "job", kind: "internal", startNano: TO - 1n, durationNano: 7n * SECOND },
  { trace: "j", id: "k", parent: "root", service: "job", kind: "internal", startNano: TO - 1n },
  { trace: "q", id: "r", service: "silent", kind: "server", startNano: FROM - 1n },
  { trace: "x", id: "r", service: 'o\'neil "日本" \\ %', kind: "consumer", startNano: FROM, name: "{}" },
  { trace: "y", id: "r", service: "shop", kind: "server", startNano: TO },
];

/** Percentiles come from buckets: within 1.6% of the span at that rank. */
export function assertFigures(
  found: { count: number; errorCount: number; percentilesNano: (number | null)[] } | undefined,
  count: number,
  errorCount: number,
  percentilesMs: readonly (number | null)[],
): void {
  assert.deepEqual([found?.count, found?.errorCount, found?.percentilesNano.length], [count, errorCount, percentilesMs.length]);
  for (const [index, expectedMs] of percentilesMs.entries()) {
    const nano = found?.percentilesNano[index] ?? null;
    if (expectedMs === null) assert.equal(nano, null);
    else
      assert.ok(nano !== null && Math.abs(nano / 1e6 / expectedMs - 1) <= 1 / 64, `given ${nano} ns, expected ${expectedMs} ms`);
  }
}

export function figuresOf(red: Red): { count: number; errorCount: number; percentilesNano: (number | null)[] } {
  return { count: red.callCount, errorCount: red.errorCount, percentilesNano: [red.p50Nano, red.p95Nano, red.p99Nano] };
}

/** Texts that break out of quotes, formats and numbers. */
export const HOSTILE = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom(
    "'; DROP TABLE spans; --",
    "{x:String}",
    "\\",
    "\0",
    "%",
    "a\tb\nc",
    "\ud800",
    "'",
    '"',
    "9".repeat(400),
    "NaN",
    "-1",
    "now-",
    "[]",
    "$dropped",
    ".",
    "..",
    "x".repeat(5000),
  ),
);
