import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { buildField, findBounds, rankFields, scoreCounts, type CountedValue, type SideCounts } from "./outliers.ts";

const totals: SideCounts = { selection: 200, rest: 2000 };
const counted = (value: string, selection: number, rest: number): CountedValue => ({ value, condition: null, selection, rest });
const field = (name: string, values: readonly CountedValue[]): ReturnType<typeof buildField> =>
  buildField({ field: name, type: "text", valueCount: values.length }, totals, values, totals);

describe("the score of a value", () => {
  it("is the difference of the shares, less the margin of chance", () => {
    // 0.9 - 0.1, less 1.96 * sqrt(0.09 / 200 + 0.09 / 2000) and half of 1/200 + 1/2000.
    const margin = 1.96 * Math.sqrt(0.00045 + 0.000045) + 0.00275;
    assert.ok(Math.abs(scoreCounts({ selection: 180, rest: 200 }, totals) - (0.8 - margin)) < 1e-12);
    assert.ok(Math.abs(scoreCounts({ selection: 20, rest: 1800 }, totals) + (0.8 - margin)) < 1e-12);
  });

  it("is nothing for what chance may do, and where a side is empty", () => {
    assert.equal(scoreCounts({ selection: 24, rest: 200 }, totals), 0);
    assert.equal(scoreCounts({ selection: 3, rest: 0 }, { selection: 3, rest: 0 }), 0);
  });

  it("lies between -1 and 1 and turns its sign with the sides, whatever the counts", () => {
    const side = fc
      .integer({ min: 1, max: 100_000 })
      .chain((total) => fc.tuple(fc.integer({ min: 0, max: total }), fc.constant(total)));
    fc.assert(
      fc.property(side, side, ([selection, n], [rest, m]) => {
        const score = scoreCounts({ selection, rest }, { selection: n, rest: m });
        assert.ok(score >= -1 && score <= 1);
        const turned = scoreCounts({ selection: rest, rest: selection }, { selection: m, rest: n });
        assert.ok(Math.abs(score + turned) < 1e-12);
      }),
    );
  });
});

describe("fields that set a selection apart", () => {
  it("are not headed by ids that never repeat", () => {
    const ids = Array.from({ length: 200 }, (_, at) => counted(`id-${at}`, 1, 0));
    const hosts = [counted("h1", 150, 500), counted("h2", 50, 1500)];
    const ranked = rankFields([field("span.request.id", ids), field("resource.host.name", hosts)]);
    assert.deepEqual(
      ranked.map(({ field: name, score }) => [name, score > 0]),
      [
        ["resource.host.name", true],
        ["span.request.id", false],
      ],
    );
    assert.deepEqual(
      ranked[0]?.values.map(({ value, score }) => [value, Math.sign(score)]),
      [
        ["h1", 1],
        ["h2", -1],
      ],
    );
    assert.equal(ranked[1]?.values.length, 10);
  });

  it("that say the same stand by how few values they have", () => {
    const few = [counted("a", 200, 100), counted("b", 0, 1900)];
    const many = [counted("x", 200, 100), counted("y", 0, 1000), counted("z", 0, 900)];
    assert.deepEqual(
      rankFields([field("many", many), field("few", few)]).map(({ field: name }) => name),
      ["few", "many"],
    );
  });
});

describe("numbers", () => {
  it("are parted where the sides differ most", () => {
    const buckets = [
      { edge: 500, selection: 150, rest: 100 },
      { edge: 1, selection: 10, rest: 900 },
      { edge: 100, selection: 40, rest: 500 },
      { edge: 10, selection: 0, rest: 500 },
    ];
    const bounds = findBounds(buckets, totals);
    // The share at or above 100 is 0.95 against 0.3, at or above 500 it is 0.75 against 0.05.
    assert.deepEqual(bounds[0], { comparison: ">=", edge: 500, selection: 150, rest: 100 });
    assert.equal(bounds[1]?.comparison, "<");
    assert.deepEqual(findBounds(buckets.slice(0, 1), totals), []);
  });
});
