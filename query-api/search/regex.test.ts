import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { containedText, mayBeSlow } from "./regex.ts";

describe("a regular expression", () => {
  it("that is a text anywhere is known as one", () => {
    assert.equal(containedText(".*check.out.*"), undefined);
    assert.equal(containedText(".*check\\.out.*"), "check.out");
    assert.equal(containedText("check"), undefined);
  });

  it("may be slow where it counts, or has much to choose from beside what repeats", () => {
    const fast = [
      "checkout",
      "a|b|c|d|e|f|g|h|i",
      ".*/19[0-9]",
      "GET /api/v[0-9]+/users/\\d+",
      "(?i)cart.*error",
      "\\{5\\}.*\\+\\+\\+\\+",
    ];
    const slow = [
      "[ab]*a[ab]{20}[cd]",
      `[ab]*a${"[ab]".repeat(20)}`,
      `.*a${".".repeat(10)}`,
      "(a|b)*a(a|b)(a|b)(a|b)(a|b)(a|b)(a|b)",
      "(a*b*)*c*d*",
      "x{1,3}",
    ];
    for (const pattern of fast) assert.equal(mayBeSlow(pattern), false, pattern);
    for (const pattern of slow) assert.equal(mayBeSlow(pattern), true, pattern);
  });
});
