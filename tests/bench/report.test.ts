import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { formatRatio, formatSpread, formatTable, groupBy, percentileOf, spreadOf, writeReport } from "./report.ts";

test("a median is the middle value, or the mean of the two in the middle", () => {
  assert.deepEqual(spreadOf([9, 1, 5]), { median: 5, min: 1, max: 9, count: 3 });
  assert.equal(spreadOf([4, 1, 2, 100]).median, 3);
  assert.throws(() => spreadOf([]), /no values/);
});

test("a percentile is a value that was measured", () => {
  const values = Array.from({ length: 100 }, (_, at) => 100 - at);
  assert.equal(percentileOf(values, 0.5), 51);
  assert.equal(percentileOf(values, 0.95), 96);
  assert.equal(percentileOf([7], 0.99), 7);
});

test("a spread is shown only where there is one, and nothing is a dash", () => {
  assert.equal(formatSpread([8.25], 1), "8.3");
  assert.equal(formatSpread([8, 7.5, 9], 1), "8 (7.5-9)");
  assert.equal(formatSpread([]), "-");
});

test("a ratio without a baseline is a dash, not infinity", () => {
  assert.equal(formatRatio(6, 4), "1.5 x");
  assert.equal(formatRatio(600, 4), "150 x");
  assert.equal(formatRatio(6, 0), "-");
  assert.equal(formatRatio(undefined, 4), "-");
});

test("a table has a rule below its head", () => {
  assert.equal(formatTable(["a", "b"], [["1", "2"]]), "| a | b |\n| --- | --- |\n| 1 | 2 |");
});

test("groups keep the order of their first members", () => {
  const groups = groupBy(["b1", "a1", "b2"], (value) => value.slice(0, 1));
  assert.deepEqual(
    [...groups],
    [
      ["b", ["b1", "b2"]],
      ["a", ["a1"]],
    ],
  );
});

test("runs add up over calls, and a file of another shape is refused", () => {
  const dir = mkdtempSync(join(tmpdir(), "callchain-report-"));
  try {
    const write = (run: z.ZodType<{ n: number }>, n: number, isAppended: boolean): string =>
      writeReport({ dir, name: "x", isAppended, run, runs: [{ n }], toMarkdown: (runs) => `ran ${runs.map((r) => r.n).join()}` });
    const shape = z.object({ n: z.number() });
    assert.match(write(shape, 1, true), /ran 1\n/);
    assert.match(write(shape, 2, true), /ran 1,2\n/);
    assert.match(readFileSync(join(dir, "x.md"), "utf8"), /cores of .*\n\nran 1,2\n/);
    assert.throws(() => write(shape.extend({ other: z.string() }), 3, true), /other/);
    assert.match(write(shape, 4, false), /ran 4\n/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
