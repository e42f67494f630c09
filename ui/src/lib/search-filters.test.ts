import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { changesFromJaeger } from "./jaeger-search.ts";
import { changeParams } from "./route.ts";
import {
  durationWithUnit,
  filterChanges,
  isUnfiltered,
  NO_FILTERS,
  readFilters,
  SEARCH_LIMITS,
  SEARCH_STATUSES,
  type SearchFilters,
} from "./search-filters.ts";

const trimmed = fc.string().map((text) => text.trim());
const anyFilters: fc.Arbitrary<SearchFilters> = fc.record(
  {
    q: trimmed,
    service: fc.string(),
    name: fc.string(),
    attributes: fc.array(fc.tuple(fc.string({ minLength: 1 }), fc.string()).map(([key, value]) => `k${key}=${value}`)),
    minDuration: trimmed,
    maxDuration: trimmed,
    status: fc.constantFrom(...SEARCH_STATUSES),
    sort: fc.constantFrom("newest", "slowest"),
    limit: fc.constantFrom(...SEARCH_LIMITS),
  },
  { noNullPrototype: true },
);

describe("the filters of a search", () => {
  it("come back from the URL whatever was typed", () => {
    fc.assert(
      fc.property(anyFilters, (filters) => {
        const query = changeParams(new URLSearchParams(), filterChanges(filters)).toString();
        assert.deepEqual(readFilters(new URLSearchParams(query)), filters);
      }),
    );
  });

  it("leave the URL empty when nothing is filtered, and drop the cursor", () => {
    const params = changeParams(new URLSearchParams("cursor=abc&from=now-6h"), filterChanges(NO_FILTERS));
    assert.equal(params.toString(), "from=now-6h");
  });

  it("ignore what they do not know", () => {
    assert.deepEqual(readFilters(new URLSearchParams("status=broken&sort=best&limit=7&attribute=novalue")), NO_FILTERS);
  });

  it("tell whether they narrow anything", () => {
    assert.equal(isUnfiltered({ ...NO_FILTERS, sort: "slowest", limit: 50 }), true);
    assert.equal(isUnfiltered({ ...NO_FILTERS, attributes: ["a=b"] }), false);
    assert.equal(isUnfiltered({ ...NO_FILTERS, maxDuration: "1s" }), false);
  });

  it("take a bare number as milliseconds", () => {
    assert.equal(durationWithUnit(" 250 "), "250ms");
    assert.equal(durationWithUnit("1.5s"), "1.5s");
    assert.equal(durationWithUnit(""), "");
  });
});

describe("an address of Jaeger's search page", () => {
  const translate = (query: string): string => {
    const params = new URLSearchParams(query);
    const changes = changesFromJaeger(params);
    return changes === null ? "unchanged" : decodeURIComponent(changeParams(params, changes).toString());
  };

  it("opens the same search", () => {
    assert.equal(
      translate('service=cart&operation=GET+/&tags={"http.status_code":"500","error":true}&lookback=2d&limit=20'),
      "service=cart&name=GET+/&attribute=http.status_code=500&attribute=error=true&from=now-2d",
    );
  });

  it("keeps its absolute times, which are microseconds", () => {
    assert.equal(
      translate("service=cart&lookback=custom&start=1769857200000000&end=1769860800000000"),
      "service=cart&from=1769857200000000000&to=1769860800000000000",
    );
  });

  it("is left alone when it says the same in Callchain's words, and survives broken tags", () => {
    assert.equal(translate("service=cart&minDuration=5ms"), "unchanged");
    assert.equal(translate("service=cart&operation=all&tags={oops"), "service=cart");
  });
});
