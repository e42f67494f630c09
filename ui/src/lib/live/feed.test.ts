import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TailSpan } from "@callchain/schemas/api/tail.ts";
import { FEED_ROWS_MAX, Feed } from "./feed.ts";

function spans(...names: string[]): TailSpan[] {
  return names.map((name) => ({
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "00f067aa0ba902b7",
    root: true,
    service: "shop",
    name,
    kind: "server",
    status: "unset",
    startNano: "1700000000000000000",
    durationNano: 1,
  }));
}
const namesOf = (feed: Feed): string[] => feed.rows.map(({ span }) => span.name);

describe("the live list", () => {
  it("has the newest on top, each under a number of its own", () => {
    const feed = new Feed();
    feed.push(spans("a", "b"), 0);
    feed.push(spans("c"), 0);
    assert.deepEqual(namesOf(feed), ["c", "b", "a"]);
    assert.deepEqual(
      feed.rows.map(({ number }) => number),
      [2, 1, 0],
    );
  });

  it("stands still while it holds, and then has what came meanwhile", () => {
    const feed = new Feed();
    feed.push(spans("a"), 0);
    feed.hold(true);
    feed.push(spans("b", "c"), 0);
    feed.push(spans("d"), 0);
    assert.deepEqual([namesOf(feed), feed.heldCount], [["a"], 3]);
    feed.hold(false);
    assert.deepEqual([namesOf(feed), feed.heldCount], [["d", "c", "b", "a"], 0]);
  });

  it("keeps a bounded number, also behind a pause, and counts all", () => {
    const feed = new Feed();
    for (const isHolding of [false, true, false]) {
      feed.hold(isHolding);
      for (let batch = 0; batch < 20; batch += 1) feed.push(spans(...Array.from({ length: 100 }, () => "x")), 0);
      assert.equal(feed.rows.length, FEED_ROWS_MAX);
    }
    assert.equal(feed.receivedCount, 6_000);
    assert.equal(feed.rows[0]?.number, 5_999);
  });

  it("tells the rate of the last ten seconds", () => {
    const feed = new Feed();
    feed.push(spans("a", "b"), 1_000);
    feed.push(spans("c"), 9_000);
    assert.equal(feed.rate(10_000), 0.3);
    assert.equal(feed.rate(11_500), 0.1);
    assert.equal(feed.rate(60_000), 0);
  });
});
