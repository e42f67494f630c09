import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { languageOf, TEXTS, translate, type Text } from "./dictionary.ts";

const entries: [string, Text][] = Object.entries(TEXTS);
const placeholders = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g))].sort();

describe("the dictionary", () => {
  it("has both languages for every key", () => {
    for (const [key, [en, zh]] of entries) assert.ok(en.trim() !== "" && zh.trim() !== "", key);
  });

  it("fills in the same values in both languages", () => {
    for (const [key, [en, zh]] of entries) assert.deepEqual(placeholders(zh), placeholders(en), key);
  });

  it("says singular and plural in English and one form in Chinese", () => {
    assert.equal(translate("en", "common.spans", { count: 1 }), "1 span");
    assert.equal(translate("en", "common.spans", { count: "1,200" }), "1,200 spans");
    assert.equal(translate("zh", "common.spans", { count: 1 }), "1 个 Span");
  });

  it("leaves a placeholder without a value as it is", () => {
    assert.equal(translate("en", "range.last"), "Last {length}");
  });

  it("takes the first language of the browser that it knows", () => {
    assert.equal(languageOf(["de-DE", "zh-TW", "en"]), "zh");
    assert.equal(languageOf(["de-DE"]), "en");
  });
});
