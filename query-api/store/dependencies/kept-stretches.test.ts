import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { KeptStretches, changedSql, follows, mergeRows, stretchKey, type EdgeRows } from "./kept-stretches.ts";

const EDGES = ["a", "b", "c"].map((caller) => ({ role: "call" as const, caller, callee: "d", system: "" }));

interface Row {
  readonly edge: number;
  readonly isError: boolean;
  readonly durations: readonly (readonly [bucket: number, count: number])[];
  readonly slowestNano: number;
}

function columnsOf(rows: readonly Row[]): EdgeRows {
  let end = 0;
  return {
    edges: EDGES,
    edge: Uint32Array.from(rows, ({ edge }) => edge),
    isError: Uint8Array.from(rows, ({ isError }) => (isError ? 1 : 0)),
    ends: Uint32Array.from(rows, ({ durations }) => (end += durations.length)),
    buckets: Uint16Array.from(rows.flatMap(({ durations }) => durations.map(([bucket]) => bucket))),
    counts: Int32Array.from(rows.flatMap(({ durations }) => durations.map(([, count]) => count))),
    slowestNano: Float64Array.from(rows, ({ slowestNano }) => slowestNano),
    slowestTraces: Buffer.concat(rows.map(({ slowestNano }) => Buffer.alloc(16, slowestNano))),
  };
}

/** By edge, outcome and bucket, none of them zero; and the longest. */
function sumsOf(
  { edge, isError, ends, buckets, counts, slowestNano, slowestTraces }: EdgeRows,
  rows: readonly number[],
): unknown {
  const sums = new Map<string, number>();
  const slowest = new Map<string, string>();
  for (const row of rows) {
    const key = `${edge[row]} ${isError[row]}`;
    for (let at = ends[row - 1] ?? 0; at < (ends[row] ?? 0); at += 1) {
      sums.set(`${key} ${buckets[at]}`, (sums.get(`${key} ${buckets[at]}`) ?? 0) + (counts[at] ?? 0));
    }
    const own = `${String(slowestNano[row]).padStart(3, "0")} ${slowestTraces.toString("hex", row * 16, row * 16 + 16)}`;
    if (own > (slowest.get(key) ?? "")) slowest.set(key, own);
  }
  return [Object.fromEntries([...sums].filter(([, count]) => count !== 0)), Object.fromEntries(slowest)];
}

it("rows of one edge and outcome become one, with all that they say", () => {
  const row = fc.record({
    edge: fc.nat({ max: 2 }),
    isError: fc.boolean(),
    durations: fc.uniqueArray(fc.tuple(fc.nat({ max: 2048 }), fc.integer({ min: -3, max: 9 })), {
      selector: ([bucket]) => bucket,
    }),
    slowestNano: fc.nat({ max: 200 }),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(row, fc.boolean())), (drawn) => {
      const from = columnsOf(drawn.map(([one]) => one));
      const rows = drawn.flatMap(([, isTaken], at) => (isTaken ? [at] : []));
      const merged = mergeRows(from, rows);
      const all = [...merged.edge.keys()];
      assert.deepEqual(sumsOf(merged, all), sumsOf(from, rows));
      assert.equal(new Set(all.map((at) => `${merged.edge[at]} ${merged.isError[at]}`)).size, all.length);
    }),
  );
});

describe("kept stretches", () => {
  const part = { tier: 60, from: 600, to: 720 };
  const [first, second] = [stretchKey(60, 600), stretchKey(60, 660)];
  const rows = columnsOf([{ edge: 0, isError: false, durations: [[1, 1]], slowestNano: 1 }]);
  const until = (step: bigint, ...days: number[]) => ({ step, days: new Set(days) });

  it("are those that two questions found unchanged", () => {
    const kept = new KeptStretches();
    assert.deepEqual(
      [kept.isQuiet(first, 3n), kept.isQuiet(first, 4n), kept.isQuiet(first, 4n), kept.isQuiet(second, 4n)],
      [false, false, true, false],
    );
  });

  it("are asked for only what later steps added, and are forgotten where that is something", () => {
    const kept = new KeptStretches();
    kept.keep(first, rows, until(5n, 1));
    kept.keep(second, rows, until(6n, 1));
    const used = kept.within([part]);
    assert.deepEqual([...used.keys()], [first, second]);
    assert.equal(
      changedSql(used),
      "NOT (step <= 5 AND (tier, minute) IN ((60, 600))) AND NOT (step <= 6 AND (tier, minute) IN ((60, 660)))",
    );
    kept.confirm(used, new Set([first]), until(9n, 1));
    const left = kept.within([part]);
    assert.deepEqual([...left.keys()], [second]);
    assert.equal(changedSql(left), "NOT (step <= 9 AND (tier, minute) IN ((60, 660)))");
    assert.equal(changedSql(kept.within([{ tier: 1, from: 600, to: 720 }])), "1");
    // An answer that was overtaken by a newer one.
    kept.confirm(left, new Set(), until(8n, 1));
    assert.deepEqual(kept.until, until(9n, 1));
    assert.equal(changedSql(kept.within([part])), "NOT (step <= 9 AND (tier, minute) IN ((60, 660)))");
  });

  it("are right as long as steps go on and no day expires", () => {
    assert.ok(follows(until(0n), until(3n, 1)));
    assert.ok(follows(until(3n, 1), until(3n, 1, 2)));
    assert.ok(!follows(until(3n, 1), until(2n, 1)));
    assert.ok(!follows(until(3n, 1, 2), until(4n, 2)));
  });

  it("take no more than their memory: those used longest ago go first", () => {
    const kept = new KeptStretches();
    const large = { ...rows, buckets: new Uint16Array(6 * 1024 * 1024), counts: new Int32Array(2 * 1024 * 1024) };
    for (let minute = 0; minute < 180; minute += 60) kept.keep(stretchKey(60, minute), large, until(1n));
    kept.confirm(kept.within([{ tier: 60, from: 0, to: 60 }]), new Set(), until(1n));
    kept.keep(stretchKey(60, 180), large, until(1n));
    assert.deepEqual(
      [...kept.within([{ tier: 60, from: 0, to: 240 }]).keys()],
      [0, 120, 180].map((minute) => stretchKey(60, minute)),
    );
  });
});
