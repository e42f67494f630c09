import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { KIND, STATUS_ERROR } from "./columns.ts";
import { concurrencyOf, findRepeats, medianOf, type Repeat } from "./repeats.ts";
import { anySpan, buildColumns, span, type TestSpan } from "./testing.ts";
import { buildCallTree } from "./tree.ts";

/** `detailOf` tells what distinguishes a span beside its name. */
function repeatsOf(spans: readonly TestSpan[], detailOf: (span: TestSpan) => string = () => ""): Repeat[] {
  const columns = buildColumns(spans);
  const details = [...new Set(spans.map(detailOf))];
  const detail = Uint32Array.from(spans, (entry) => details.indexOf(detailOf(entry)));
  return findRepeats(columns, { detail, details }, buildCallTree(columns));
}

/** Queries under one caller, each from a start for a duration. */
const queries = (times: readonly (readonly [start: number, duration: number])[], rest: Partial<TestSpan> = {}): TestSpan[] => [
  span(1, 0, { start: 0, duration: 1000, name: "list" }),
  ...times.map(([start, duration], at) => span(at + 2, 1, { start, duration, name: "SELECT", kind: KIND.client, ...rest })),
];

describe("repeated calls", () => {
  it("are told with what one call in place of them would save", () => {
    // 10 + 20 + 30 + 10 + 15 covered, of which the longest would remain.
    const [repeat, ...others] = repeatsOf(
      queries([
        [0, 10],
        [10, 20],
        [40, 30],
        [80, 10],
        [100, 15],
      ]),
    );
    assert.equal(others.length, 0);
    assert.ok(repeat !== undefined);
    assert.deepEqual(
      [repeat.members.length, repeat.totalNano, repeat.costNano, repeat.pattern, concurrencyOf(repeat)],
      [5, 85, 55, "repeated", "serial"],
    );
    assert.deepEqual([repeat.sortedNano[0], medianOf(repeat.sortedNano), repeat.sortedNano.at(-1)], [10, 15, 30]);
  });

  it("cost little where they run side by side, and are no N+1", () => {
    const [together] = repeatsOf(queries([...Array(6)].map((_, at) => [at, 50] as const)));
    assert.deepEqual([together?.costNano, together?.pattern, together?.concurrencyMax], [5, null, 6]);
    assert.equal(together === undefined ? "" : concurrencyOf(together), "parallel");
    const [pairs] = repeatsOf(queries([...Array(6)].map((_, at) => [Math.floor(at / 2) * 50, 50] as const)));
    assert.deepEqual([pairs?.costNano, pairs === undefined ? "" : concurrencyOf(pairs)], [100, "mixed"]);
  });

  it("are retries where most of them failed", () => {
    const times = [...Array(5)].map((_, at) => [at * 20, 10] as const);
    assert.equal(repeatsOf(queries(times, { status: STATUS_ERROR }))[0]?.pattern, "retries");
    assert.equal(repeatsOf(queries(times, { kind: KIND.internal }))[0]?.pattern, null);
  });

  it("are apart by their statement, and fewer than five are none", () => {
    const spans = queries([...Array(9)].map((_, at) => [at * 20, 10] as const));
    assert.deepEqual(
      repeatsOf(spans, ({ id }) => (id <= 6 ? "SELECT a" : "SELECT b")).map(({ members }) => members.length),
      [5],
    );
    assert.equal(repeatsOf(spans.slice(0, 5)).length, 0);
  });

  it("cost between nothing and all they take together, whatever the trace", () => {
    const alike = fc
      .array(anySpan, { maxLength: 60 })
      .map((spans) => spans.map((entry, at) => ({ ...entry, id: at + 1, parent: entry.parent % 3 })));
    fc.assert(
      fc.property(alike, (spans) => {
        for (const { members, totalNano, costNano, concurrencyMax, sortedNano } of repeatsOf(spans)) {
          assert.ok(members.length >= 5 && costNano >= 0 && costNano <= totalNano);
          assert.ok(concurrencyMax >= 1 && concurrencyMax <= members.length);
          if (concurrencyMax === 1) assert.equal(costNano, totalNano - (sortedNano.at(-1) ?? 0));
        }
      }),
      { numRuns: 300 },
    );
  });
});
