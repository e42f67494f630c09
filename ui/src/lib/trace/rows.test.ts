import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { AlikeSiblings, summariseGroup } from "./groups.ts";
import type { TraceModel } from "./model.ts";
import { buildVisibleRows, findShownRow, FoldState, revealRow } from "./rows.ts";
import { anyRows, buildModel, type RowSpec } from "./testing.ts";

function openRows(rows: readonly RowSpec[]): {
  model: TraceModel;
  alike: AlikeSiblings;
  folds: FoldState;
  shown: () => number[];
} {
  const model = buildModel(rows);
  const alike = new AlikeSiblings(model);
  alike.update();
  const folds = new FoldState();
  const shown = (): number[] => {
    const visible = buildVisibleRows(model, alike, folds);
    return [...visible.lines.subarray(0, visible.count)];
  };
  return { model, alike, folds, shown };
}

const select = (start: number): RowSpec => ({ parent: 0, name: "SELECT", kind: "client", start, duration: 2 });
/** Root, six alike with another between, the third with a child of its own. */
const repeated: RowSpec[] = [
  { duration: 100 },
  select(0),
  select(10),
  select(20),
  { parent: 3 },
  { parent: 0, name: "other" },
  select(30),
  select(40),
  select(50),
];

describe("visible rows", () => {
  it("are all rows where nothing is folded", () => {
    assert.deepEqual(openRows([{}, { parent: 0 }, { parent: 1 }, {}]).shown(), [0, 1, 2, 3]);
  });

  it("leave out what is below a folded row", () => {
    const { folds, shown } = openRows([{}, { parent: 0 }, { parent: 1 }, { parent: 0 }]);
    folds.setFolded(1, 1, true);
    assert.deepEqual(shown(), [0, 1, 3]);
  });

  it("fold to a level, with rows opened by hand on top", () => {
    const { folds, shown } = openRows([{}, { parent: 0 }, { parent: 1 }, { parent: 0 }, { parent: 3 }]);
    folds.foldTo(1);
    assert.deepEqual(shown(), [0, 1, 3]);
    folds.setFolded(3, 1, false);
    assert.deepEqual(shown(), [0, 1, 3, 4]);
    folds.foldTo(0);
    assert.deepEqual(shown(), [0]);
  });

  it("show five or more alike siblings as one line that opens", () => {
    const { alike, folds, shown } = openRows(repeated);
    const kin = alike.kinOf(1);
    assert.deepEqual(shown(), [0, ~kin, 5]);
    folds.setKinOpen(kin, true);
    assert.deepEqual(shown(), [0, ~kin, 1, 2, 3, 4, 6, 7, 8, 5]);
    folds.groupsAlike = false;
    assert.deepEqual(shown(), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("put members one level below their group", () => {
    const { model, alike, folds } = openRows(repeated);
    folds.setKinOpen(alike.kinOf(1), true);
    const visible = buildVisibleRows(model, alike, folds);
    assert.deepEqual([...visible.depths.subarray(0, visible.count)], [0, 1, 2, 2, 2, 3, 2, 2, 2, 1]);
  });

  it("show the subtree of another root", () => {
    const { folds, shown } = openRows(repeated);
    folds.root = 3;
    assert.deepEqual(shown(), [3, 4]);
  });

  it("show every row once when all groups are open, and any row that is revealed", () => {
    fc.assert(
      fc.property(anyRows, fc.nat(), fc.nat(3), (rows, pick, level) => {
        const { model, alike, folds, shown } = openRows(rows);
        folds.foldTo(level);
        if (rows.length > 0) {
          const row = pick % rows.length;
          revealRow(model, alike, folds, row);
          assert.ok(findShownRow(buildVisibleRows(model, alike, folds), row) >= 0);
        }
        folds.foldTo(Infinity);
        for (let row = 0; row < rows.length; row++) folds.setKinOpen(alike.kinOf(row), true);
        const spans = shown().filter((line) => line >= 0);
        assert.deepEqual(
          spans.toSorted((a, b) => a - b),
          Array.from(rows, (_, row) => row),
        );
      }),
    );
  });
});

describe("alike siblings", () => {
  it("are found the same when the trace arrives in chunks", () => {
    const { alike } = openRows(repeated);
    assert.deepEqual([...alike.membersOf(alike.kinOf(1))], [1, 2, 3, 6, 7, 8]);
    assert.equal(alike.isGroup(alike.kinOf(5)), false);
  });

  it("in series and calling out are told as repeated calls", () => {
    const { model, alike } = openRows(repeated);
    const summary = summariseGroup(model, alike.membersOf(alike.kinOf(1)));
    assert.equal(summary.concurrencyMax, 1);
    assert.equal(summary.pattern, "repeated");
    assert.equal(summary.medianNano, 2);
    assert.deepEqual([summary.startNano, summary.endNano], [0, 52]);
  });

  it("in series that mostly failed are told as retries", () => {
    const rows = repeated.map((row, at) => ({ ...row, error: row.name === "SELECT" && at < 6 }));
    const failing = rows.map((row, at) => ({ ...row, error: row.error || at === 6 }));
    for (const [given, pattern] of [
      [rows, "repeated"],
      [failing, "retries"],
    ] as const) {
      const { model, alike } = openRows(given);
      assert.equal(summariseGroup(model, alike.membersOf(alike.kinOf(1))).pattern, pattern);
    }
  });

  it("side by side are told with how many ran at once", () => {
    const rows = [{ duration: 100 }, ...[0, 1, 2, 90, 95].map((start) => ({ ...select(start), duration: 10 }))];
    const { model, alike } = openRows(rows);
    const summary = summariseGroup(model, alike.membersOf(alike.kinOf(1)));
    assert.equal(summary.concurrencyMax, 3);
    assert.equal(summary.pattern, null);
  });
});
