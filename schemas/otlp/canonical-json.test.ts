import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Attribute, AttributeValue } from "../span/span.ts";
import { formatCanonicalObject, formatCanonicalValue, parseCanonicalObject, parseCanonicalValue } from "./canonical-json.ts";

const text = fc.oneof(fc.string({ unit: "binary", maxLength: 30 }), fc.constantFrom("$", "$$", "$bytes", "$double", "__proto__"));
const { value } = fc.letrec<{ value: AttributeValue; attributes: Attribute[] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    text.map((value): AttributeValue => ({ type: "string", value })),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): AttributeValue => ({ type: "int", value })),
    fc.double().map((value): AttributeValue => ({ type: "double", value })),
    fc.boolean().map((value): AttributeValue => ({ type: "bool", value })),
    fc.uint8Array({ maxLength: 20 }).map((value): AttributeValue => ({ type: "bytes", value })),
    fc.constant<AttributeValue>({ type: "empty" }),
    fc.array(tie("value"), { maxLength: 4 }).map((value): AttributeValue => ({ type: "array", value })),
    tie("attributes").map((value): AttributeValue => ({ type: "map", value })),
  ),
  attributes: fc.array(fc.record({ key: text, value: tie("value") }, { noNullPrototype: true }), { maxLength: 4 }),
}));

test("every value comes back exactly and is valid JSON", () => {
  fc.assert(
    fc.property(value, (original) => {
      const formatted = formatCanonicalValue(original);
      JSON.parse(formatted);
      assert.deepEqual(parseCanonicalValue(formatted), original);
    }),
    { numRuns: 1000 },
  );
});

test("attributes come back in their order beside the marks, duplicates and $ keys included", () => {
  const attributes = fc.array(fc.record({ key: text, value }, { noNullPrototype: true }), { maxLength: 6 });
  const marks = fc.array(fc.tuple(fc.constantFrom("schema", "dropped", "name"), value), { maxLength: 3 });
  fc.assert(
    fc.property(attributes, marks, (original, some) => {
      const parsed = parseCanonicalObject(formatCanonicalObject(original, new Map(some)));
      assert.deepEqual(parsed, { attributes: original, marks: new Map(some) });
    }),
  );
});

test("the types can be told from the text", () => {
  const cases: readonly [AttributeValue, string][] = [
    [{ type: "int", value: 1n }, "1"],
    [{ type: "double", value: 1 }, "1.0"],
    [{ type: "double", value: 1e21 }, "1e+21"],
    [{ type: "double", value: -0 }, "-0.0"],
    [{ type: "double", value: NaN }, '{"$double":"NaN"}'],
    [{ type: "double", value: -Infinity }, '{"$double":"-Infinity"}'],
    [{ type: "bytes", value: new Uint8Array([0, 1]) }, '{"$bytes":"AAE="}'],
    [{ type: "map", value: [{ key: "$bytes", value: { type: "string", value: "AAE=" } }] }, '{"$$bytes":"AAE="}'],
    [{ type: "string", value: "\ud800" }, '"\ufffd"'],
  ];
  for (const [original, formatted] of cases) assert.equal(formatCanonicalValue(original), formatted);
});

test("the empty text is the empty object, and spaces are allowed", () => {
  assert.deepEqual(parseCanonicalObject(""), { attributes: [], marks: new Map() });
  assert.deepEqual(parseCanonicalObject(' { "a" : [ 1 , null ] } ').attributes, [
    { key: "a", value: { type: "array", value: [{ type: "int", value: 1n }, { type: "empty" }] } },
  ]);
});

test("what is not canonical JSON is refused with its place", () => {
  for (const wrong of ["{", "[1,]", '{"a" 1}', "nul", "01", '"a', '{"a":1}x', '{"$bytes":"*"}', '"\\x"', "[".repeat(100_000)]) {
    assert.throws(() => parseCanonicalValue(wrong), /^InvalidError: canonical JSON, character \d+: expected /);
  }
});
