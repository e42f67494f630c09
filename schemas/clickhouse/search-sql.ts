/**
 * SQL conditions on `spans` that reach its indexes. Values and attribute names are bound, never written into the SQL.
 *
 * Every span attribute of type string with at most ITEM_VALUE_BYTES_MAX bytes, and every one of type int, is an item of the ALIAS
 * column `items`, which has a text index: a few ms for a rare, an absent or a common value among millions of spans, where reading the
 * maps takes hundreds.
 *
 *   attr_string {'user.id': 'u-17', 'http.route': '/cart'}   attr_int {'http.response.status_code': 200}
 *   items       ['user.id\xFFu-17', 'http.route\xFF/cart', 'http.response.status_code\xFE200']
 *
 * The bytes FF and FE never occur in UTF-8, and what is stored is UTF-8: no key and no value can imitate another item, so an item's
 * presence is the answer itself and the maps need not be read.
 */
import type { AttributeValue } from "../span/span.ts";

/** Longer values (statements, stack traces) have no item: whoever asks for one exactly waits for the scan. The DDL holds the same. */
export const ITEM_VALUE_BYTES_MAX = 64;

/** Registers a bound parameter; returns its placeholder, for instance `{p3:String}`. */
export type Bind = (type: "String" | "Int64", value: string | bigint) => string;

export type SearchableValue = Extract<AttributeValue, { type: "string" | "int" }>;

/** True where the span has an attribute `key` whose value is exactly this string or this int; the types are kept apart. */
export function spanAttributeEqualsSql(key: string, value: SearchableValue, bind: Bind): string {
  return spanAttributeInSql([key], [value], bind);
}

/**
 * True where the span has one of the keys with one of the values: the old and the new name of a convention, or `IN`. Both lists must
 * hold something.
 */
export function spanAttributeInSql(keys: readonly string[], values: readonly SearchableValue[], bind: Bind): string {
  const items: string[] = [];
  const scans: string[] = [];
  for (const key of keys) {
    const name = bind("String", key);
    for (const value of values) {
      if (value.type === "int") items.push(`concat(${name}, '\\xFE', ${bind("String", value.value.toString())})`);
      else if (hasItem(value.value)) items.push(`concat(${name}, '\\xFF', ${bind("String", value.value)})`);
      else scans.push(`has(arrayZip(mapKeys(attr_string), mapValues(attr_string)), (${name}, ${bind("String", value.value)}))`);
    }
  }
  const indexed = items.length === 0 ? [] : [`hasAnyTokens(items, [${items.join(", ")}])`];
  const conditions = [...indexed, ...scans];
  return conditions.length === 1 ? conditions.join("") : `(${conditions.join(" OR ")})`;
}

function hasItem(value: string): boolean {
  return new TextEncoder().encode(value).length <= ITEM_VALUE_BYTES_MAX;
}
