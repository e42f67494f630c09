import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { spanAttributeEqualsSql } from "./search-sql.ts";
import { splitStatements } from "./migrate.ts";

test("whatever the key and the value are, the SQL text is one of two a type and both are bound", () => {
  const shapes = new Set<string>();
  const bigints = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.oneof(fc.string({ unit: "binary" }), bigints), (key, value) => {
      const bound: unknown[] = [];
      const bind = (type: string, given: unknown): string => `{p${bound.push(given) - 1}:${type}}`;
      shapes.add(
        spanAttributeEqualsSql(key, typeof value === "string" ? { type: "string", value } : { type: "int", value }, bind),
      );
      assert.deepEqual(bound, [key, value]);
    }),
  );
  assert.ok(shapes.size <= 4, [...shapes].join("\n"));
});

test("an empty text and a zero ask for the key's presence too, as an absent key reads the same", () => {
  const sql = (value: string): string => spanAttributeEqualsSql("k", { type: "string", value }, (type) => `{p:${type}}`);
  assert.match(sql(""), /mapContains/);
  assert.doesNotMatch(sql("x"), /mapContains/);
});

test("a migration splits at semicolons that end a line, without its comments", () => {
  assert.deepEqual(splitStatements("-- one; two;\nSELECT ';x';\n\nSELECT 2;\n"), ["SELECT ';x'", "SELECT 2"]);
});
