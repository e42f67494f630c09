import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatSort, nextSort, parseSort, sortRows, type TableSort } from "./table-sort.ts";

const COLUMNS = ["name", "rate"] as const;
const FALLBACK: TableSort<(typeof COLUMNS)[number]> = { column: "rate", descending: true };

describe("the order of a table", () => {
  it("comes back from the URL, and the default is not written", () => {
    for (const sort of [FALLBACK, { column: "name", descending: false }, { column: "name", descending: true }] as const) {
      assert.deepEqual(parseSort(formatSort(sort, FALLBACK), COLUMNS, FALLBACK), sort);
    }
    assert.equal(formatSort(FALLBACK, FALLBACK), null);
    assert.deepEqual(parseSort("-nonsense", COLUMNS, FALLBACK), FALLBACK);
  });

  it("turns round at a second click, and starts with the largest number or the first letter", () => {
    assert.deepEqual(nextSort(FALLBACK, "rate", false), { column: "rate", descending: false });
    assert.deepEqual(nextSort(FALLBACK, "name", true), { column: "name", descending: false });
    assert.deepEqual(nextSort({ column: "name", descending: true }, "rate", false), { column: "rate", descending: true });
  });

  it("puts absent values last both ways and leaves the input alone", () => {
    const rows = [{ v: 2 }, { v: null }, { v: 1 }, { v: 3 }];
    const sorted = (descending: boolean) => sortRows(rows, descending, (row) => row.v).map((row) => row.v);
    assert.deepEqual(sorted(true), [3, 2, 1, null]);
    assert.deepEqual(sorted(false), [1, 2, 3, null]);
    assert.equal(rows[0]?.v, 2);
  });
});
