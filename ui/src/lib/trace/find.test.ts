import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { applyFolds, formatFolds, parseFolds, parseView, parseWindow, formatShown, parseShown } from "./address.ts";
import { findNext, findSpan, findText } from "./find.ts";
import { AlikeSiblings } from "./groups.ts";
import { FoldState } from "./rows.ts";
import { buildModel } from "./testing.ts";

const model = buildModel([
  { service: "web", name: "GET /cart" },
  { parent: 0, service: "cart", name: "SELECT items" },
  { parent: 0, service: "cart", name: "select Prices", error: true },
]);

describe("finding", () => {
  it("wants every word, in service or name, in any case", () => {
    assert.deepEqual([...(findText(model, "cart SELECT")?.matches ?? [])], [0, 1, 1]);
    assert.equal(findText(model, "prices")?.count, 1);
    assert.equal(findText(model, "nothing like it")?.count, 0);
    assert.equal(findText(model, "  "), null);
  });

  it("finds the beginning of a span id", () => {
    assert.deepEqual([...(findText(model, "0000000000000002")?.matches ?? [])], [0, 1, 0]);
    assert.equal(findSpan(model, "0000000000000003"), 2);
    assert.equal(findSpan(model, "ffff0000"), -1);
    assert.equal(findSpan(model, "not hex"), -1);
  });

  it("goes round, both ways", () => {
    const isError = (row: number): boolean => model.isError(row);
    assert.equal(findNext(3, -1, true, isError), 2);
    assert.equal(findNext(3, 2, true, isError), 2);
    assert.equal(findNext(3, 0, false, isError), 2);
    assert.equal(
      findNext(3, 0, true, () => false),
      -1,
    );
    assert.equal(findNext(0, -1, true, isError), -1);
    assert.equal(
      findNext(3, -1, true, () => true),
      0,
    );
    assert.equal(
      findNext(3, -1, false, () => true),
      2,
    );
  });
});

describe("the address", () => {
  const many = buildModel([
    {},
    ...Array.from({ length: 6 }, () => ({ parent: 0, name: "alike" })),
    { parent: 0, name: "other" },
    { parent: 7 },
  ]);
  // Ids that differ in their first digits, as real ones do.
  for (let row = 0; row < many.rowCount; row++) many.spanId[8 * row] = row + 1;

  it("gives back the folds that it was written from", () => {
    const alike = new AlikeSiblings(many);
    alike.update();
    const folds = new FoldState();
    folds.foldTo(2);
    folds.groupsAlike = false;
    folds.setFolded(7, 1, true);
    folds.setFolded(8, 2, false);
    // As the level says anyway.
    folds.setFolded(0, 0, false);
    folds.setKinOpen(alike.kinOf(1), true);
    const text = formatFolds(many, alike, folds);
    assert.equal(text, "l2,g0,x02000000,-08000000,09000000");
    const again = new FoldState();
    assert.deepEqual(applyFolds(parseFolds(text), many, alike, again), []);
    assert.equal(formatFolds(many, alike, again), text);
  });

  it("keeps what names spans that have not arrived", () => {
    const alike = new AlikeSiblings(many);
    const items = parseFolds("-deadbeef,l2");
    assert.deepEqual(applyFolds(items, many, alike, new FoldState()), [{ type: "folded", id: "deadbeef" }]);
  });

  it("takes any text without failing", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseFolds(text);
        parseWindow(text, text);
        parseView(text);
        parseShown(text);
      }),
    );
    assert.equal(parseWindow("5", "3"), null);
    assert.equal(parseWindow("-5", "3"), null);
    assert.deepEqual(parseWindow("5", "30"), { t0: 5, t1: 30 });
    assert.equal(parseView("flames"), "waterfall");
    assert.equal(parseView("flame"), "flame");
  });

  it("of the overlays round-trips", () => {
    fc.assert(
      fc.property(fc.record({ path: fc.boolean(), gaps: fc.boolean(), links: fc.boolean(), idle: fc.boolean() }), (shown) => {
        assert.deepEqual(parseShown(formatShown(shown)), { ...shown });
      }),
    );
    assert.equal(formatShown(parseShown(null)), "");
  });
});
