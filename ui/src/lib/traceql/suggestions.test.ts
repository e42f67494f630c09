import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { completionPlace, type CompletionPlace } from "./completion.ts";
import { fieldSuggestions, operatorSuggestions, stageSuggestions, valueSuggestions } from "./suggestions.ts";

/** The place at the end of a text, which must be of the kind. */
function placeOf<K extends CompletionPlace["kind"]>(kind: K, text: string): Extract<CompletionPlace, { kind: K }> {
  const place = completionPlace(text, text.length);
  assert.equal(place?.kind, kind);
  // The line above has checked the kind.
  return place as Extract<CompletionPlace, { kind: K }>;
}

const ATTRIBUTES = [
  { key: "http.route", scope: "span", type: "string", spanCount: 70 },
  { key: "service.name", scope: "resource", type: "string", spanCount: 90 },
  { key: "a b", scope: "span", type: "string", spanCount: 1 },
] as const;
const VALUES = [
  { value: "cart", type: "string", spanCount: 5 },
  { value: "checkout", type: "string", spanCount: 4 },
  { value: "500", type: "int", spanCount: 3 },
] as const;

describe("what is offered", () => {
  it("for a field: the service first, counts with attributes, and names found without their scope", () => {
    const all = fieldSuggestions(placeOf("field", "{ "), [...ATTRIBUTES]);
    assert.equal(all[0]?.label, "resource.service.name");
    assert.equal(all[0]?.spanCount, 90);
    assert.ok(all.some(({ label, kind }) => label === "duration" && kind === "intrinsic"));
    assert.deepEqual(
      fieldSuggestions(placeOf("field", "{ http.r"), [...ATTRIBUTES]).map(({ insert }) => insert),
      ["span.http.route "],
    );
    assert.ok(
      fieldSuggestions(placeOf("field", '{ span."'.slice(0, 7)), [...ATTRIBUTES]).some(({ insert }) => insert === 'span."a b" '),
    );
  });

  it("for a value: texts in quotes, numbers as they are, and durations for a duration", () => {
    const inserts = (text: string): string[] => valueSuggestions(placeOf("value", text), [...VALUES]).map(({ insert }) => insert);
    assert.deepEqual(inserts("{ resource.service.name = "), ['"cart" ', '"checkout" ', "500 "]);
    assert.deepEqual(inserts('{ resource.service.name = "che'), ['"checkout" ']);
    assert.ok(inserts("{ duration > ").includes("100ms "));
  });

  it("between things: comparisons, joints, relations; after a bar the stages", () => {
    const operators = (text: string): string[] => operatorSuggestions(placeOf("operator", text)).map(({ label }) => label);
    assert.ok(operators("{ duration ").includes(">="));
    assert.deepEqual(operators("{ duration > 1s "), ["&&", "||", "}"]);
    assert.ok(operators("{ } ").includes(">>"));
    assert.deepEqual(
      stageSuggestions(placeOf("pipeline", "{ } | co")).map(({ insert }) => insert),
      ["count() > ", "coalesce() "],
    );
  });
});
