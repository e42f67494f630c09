import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { matchScore, rankEntries, traceIdOf, type PaletteEntry } from "./palette.ts";

const entry = (text: string, group: PaletteEntry["group"] = "page"): PaletteEntry => ({
  id: `${group} ${text}`,
  group,
  text,
  href: "/",
  run: null,
});

describe("the command palette", () => {
  it("knows a trace id, short or in capitals, from a word", () => {
    assert.equal(traceIdOf(` ${"AB".repeat(16)} `), "ab".repeat(16));
    assert.equal(traceIdOf("1234567890abcdef"), "00000000000000001234567890abcdef");
    assert.equal(traceIdOf("face"), null);
    assert.equal(traceIdOf("checkout"), null);
    assert.equal(traceIdOf("f".repeat(33)), null);
  });

  it("puts the start of the name before the start of a word before the middle", () => {
    const ranked = rankEntries([entry("apicart"), entry("api-cart"), entry("cart")], "cart").map(({ text }) => text);
    assert.deepEqual(ranked, ["cart", "api-cart", "apicart"]);
    assert.deepEqual(rankEntries([entry("cart")], "xyz"), []);
  });

  it("keeps groups together and always shows what was made for the text itself", () => {
    const ranked = rankEntries([entry("Open it", "trace"), entry("cart", "service"), entry("Card page")], "car");
    assert.deepEqual(
      ranked.map(({ group }) => group),
      ["trace", "service", "page"],
    );
  });

  it("finds every text by any of its words, in either case", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z0-9]{1,8}$/), { minLength: 1, maxLength: 5 }), fc.nat(), (words, pick) => {
        const word = words[pick % words.length] ?? "";
        assert.ok(matchScore(words.join(" "), word.toUpperCase()) > 0);
        assert.ok(matchScore(words.join("-"), `${word} ${words[0]}`) > 0);
      }),
    );
  });
});
