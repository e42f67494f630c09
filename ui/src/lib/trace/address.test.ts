import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseNameShare } from "./address.ts";

describe("the address of the trace page", () => {
  it("says how wide the names are, where both sides keep room", () => {
    assert.equal(parseNameShare("38"), 0.38);
    for (const text of [null, "", "0", "11", "76", "38.5", "-20", "x"]) assert.equal(parseNameShare(text), null, String(text));
  });
});
