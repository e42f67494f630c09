import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ITEM_VALUE_BYTES_MAX, spanAttributeEqualsSql } from "./search-sql.ts";
import { listMigrations, splitStatements } from "./migrate.ts";

test("whatever the key and the value are, the SQL text is one of two and both are bound", () => {
  const shapes = new Set<string>();
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary", maxLength: 90 }), (key, value) => {
      const bound: unknown[] = [];
      shapes.add(spanAttributeEqualsSql(key, { type: "string", value }, (type, given) => `{p${bound.push(given) - 1}:${type}}`));
      assert.deepEqual(bound, [key, value]);
    }),
  );
  assert.ok(shapes.size <= 2, [...shapes].join("\n"));
});

test("a value too long for an item is looked up in the map, by bytes and not by characters", () => {
  const sql = (value: string): string => spanAttributeEqualsSql("k", { type: "string", value }, (type) => `{p:${type}}`);
  assert.match(sql("x".repeat(ITEM_VALUE_BYTES_MAX)), /hasAnyTokens/);
  assert.doesNotMatch(sql("é".repeat(ITEM_VALUE_BYTES_MAX / 2 + 1)), /hasAnyTokens/);
});

test("the DDL makes items of the same lengths as the search looks for", async () => {
  const ddl = (await listMigrations()).flatMap(({ statements }) => statements).join("\n");
  assert.ok(ddl.includes(`length(v) <= ${ITEM_VALUE_BYTES_MAX},`));
});

test("a migration splits at semicolons that end a line, without its comments", () => {
  assert.deepEqual(splitStatements("-- one; two;\nSELECT ';x';\n\nSELECT 2;\n"), ["SELECT ';x'", "SELECT 2"]);
});
