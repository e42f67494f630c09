/**
 * SQL conditions on `spans` that reach its indexes. Values and attribute names are bound, never written into the SQL.
 *
 * The values of `attr_word`, `attr_string` and `attr_int` each have a bloom filter per granule, which ClickHouse consults for
 * `map[key] = value` wherever the value is not the type's default, and of the dictionary's words for `mapContainsValue`: among 5M spans a
 * rare value reads a handful of granules. DECISIONS.md has what the alternatives cost.
 */
import type { AttributeValue } from "../span/span.ts";
import { isWordKey } from "./word-keys.ts";

/** Registers a bound parameter; returns its placeholder, for instance `{p3:String}`. */
export type Bind = (type: "String" | "Int64", value: string | bigint) => string;

export type SearchableValue = Extract<AttributeValue, { type: "string" | "int" }>;

/**
 * True where the span has an attribute `key` whose value is exactly this string or this int; the types are kept apart. Of a key that
 * was sent twice in one span, which OTLP forbids, the first counts.
 */
export function spanAttributeEqualsSql(key: string, value: SearchableValue, bind: Bind): string {
  return spanAttributeInSql([key], [value], bind);
}

/**
 * True where the span has one of the keys with one of the values: the old and the new name of a convention, or `IN`. Both lists must
 * hold something.
 */
export function spanAttributeInSql(keys: readonly string[], values: readonly SearchableValue[], bind: Bind): string {
  const conditions = keys.flatMap((key) => values.map((value) => equals(key, value, bind)));
  return conditions.length === 1 ? conditions.join("") : `(${conditions.join(" OR ")})`;
}

function equals(key: string, value: SearchableValue, bind: Bind): string {
  const name = bind("String", key);
  if (value.type === "string" && isWordKey(key)) return equalsWord(name, value.value, bind);
  const map = value.type === "string" ? "attr_string" : "attr_int";
  const bound = value.type === "string" ? bind("String", value.value) : bind("Int64", value.value);
  const isDefault = value.type === "string" ? value.value === "" : value.value === 0n;
  // What an absent key would give too.
  return isDefault ? `(mapContains(${map}, ${name}) AND ${map}[${name}] = ${bound})` : `${map}[${name}] = ${bound}`;
}

function equalsWord(name: string, value: string, bind: Bind): string {
  const bound = bind("String", value);
  const isValue = `attr_word.values[indexOf(attr_word.keys, ${name})] = ${bound}`;
  return value === ""
    ? `(has(attr_word.keys, ${name}) AND ${isValue})`
    : `(mapContainsValue(attr_word, ${bound}) AND ${isValue})`;
}
