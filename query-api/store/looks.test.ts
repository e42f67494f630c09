import assert from "node:assert/strict";
import { test } from "node:test";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { parseTraceQuery } from "../search/parse.ts";
import type { Query } from "../search/query.ts";
import { asSpanQuery } from "../search/trace-query.ts";
import { asksForDensity, firstLook, nextLook, type Wanted } from "./looks.ts";
import { NEWEST_FIRST, NO_DENSITY, windowFrom } from "./newest.ts";

const HOUR = 3_600_000_000_000n;
const TO = unixNano(480_000n * HOUR);
const DAY = { from: unixNano(TO - 24n * HOUR), to: TO };
const density = (stretchSpanCount: number) => ({ ...NO_DENSITY, stretchSpanCount });

function wanted(text: string, sort: Wanted["sort"] = "newest"): Wanted {
  const query = asSpanQuery(parseTraceQuery(text)) as Query;
  return { query, sort, range: DAY, traceCount: 21 };
}

test("a window holds about as many spans as are asked for, and never more than the range", () => {
  assert.equal(windowFrom(DAY, 100_000, density(600_000)), TO - HOUR / 36n);
  assert.equal(windowFrom(DAY, 100_000, density(10)), DAY.from);
  assert.equal(windowFrom(DAY, 100_000, density(0)), DAY.from);
});

test("where spans lie densely, the newest are looked at first; else the whole range in its order", () => {
  assert.equal(firstLook(wanted("{}"), density(12_000_000)).from, TO - 10_000_000_000n);
  const whole = firstLook(wanted("{}"), density(100_000));
  assert.deepEqual([whole.from, whole.order], [DAY.from, NEWEST_FIRST]);
});

test("of a service all is read in order, however dense: no density is asked for", () => {
  assert.equal(asksForDensity(wanted('{ resource.service.name = "cart" && status = error }')), false);
  assert.equal(asksForDensity(wanted('{ resource.service.name = "cart" && span.tenant = "a" }')), true);
  assert.equal(asksForDensity(wanted('{ resource.service.name = "cart" || status = error }')), true);
  assert.equal(asksForDensity(wanted("{}", "slowest")), false);
});

test("a value that may be rare is asked of the whole range at once, one that has few others of the newest spans first", () => {
  assert.equal(firstLook(wanted('{ span.user.id = "u1" }'), density(138_000)).from, DAY.from);
  assert.ok(firstLook(wanted('{ span.http.request.method = "GET" }'), density(138_000)).from > DAY.from);
  assert.ok(firstLook(wanted('{ span.user.id = "u1" }'), density(12_000_000)).from > DAY.from);
});

test("a window that found few grows by what is missing, one that found nothing becomes the whole range", () => {
  const asked = wanted('{ span.url.path =~ "/a.*" }');
  const first = firstLook(asked, density(12_000_000));
  assert.equal(TO - first.from, 5_000_000_000n);
  assert.equal(nextLook(first, asked, { spanCount: 4, traceCount: 2 })?.from, TO - 21n * 5_000_000_000n);
  assert.equal(nextLook(first, asked, { spanCount: 0, traceCount: 0 })?.from, DAY.from);
});

test("where a few traces hold the best spans, one span of each trace is looked at in the end", () => {
  const newest = wanted("{ status = error }");
  const first = firstLook(newest, density(0));
  const second = nextLook(first, newest, { spanCount: first.spanCountMax, traceCount: 3 });
  assert.ok(second !== null && second.spanCountMax > first.spanCountMax);
  assert.equal(nextLook(second, newest, { spanCount: second.spanCountMax, traceCount: 5 }), null);
  const slowest = wanted("{}", "slowest");
  const slow = firstLook(slowest, density(0));
  const again = nextLook(slow, slowest, { spanCount: slow.spanCountMax, traceCount: 3 });
  assert.equal(again?.spanCountMax, 10 * slow.spanCountMax);
  assert.equal(nextLook(again, slowest, { spanCount: again.spanCountMax, traceCount: 3 }), null);
});
