/** Attributes as a person reads them, and as a clause of a query. Values are OTLP/JSON AnyValues (schemas/api/common.ts). */
import type { AnyValueJson, KeyValueJson } from "@callchain/schemas/api/common.ts";

/** One line: texts as they are, everything else as JSON would write it; bytes as base64. */
export function formatValue(value: AnyValueJson): string {
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.intValue !== undefined) return value.intValue;
  if (value.doubleValue !== undefined) return `${value.doubleValue}`;
  if (value.boolValue !== undefined) return `${value.boolValue}`;
  if (value.bytesValue !== undefined) return value.bytesValue;
  if (value.arrayValue !== undefined) return `[${value.arrayValue.values.map(formatNested).join(", ")}]`;
  if (value.kvlistValue !== undefined) {
    return `{${value.kvlistValue.values.map(({ key, value: inner }) => `${JSON.stringify(key)}: ${formatNested(inner)}`).join(", ")}}`;
  }
  return "";
}

function formatNested(value: AnyValueJson): string {
  return value.stringValue === undefined ? formatValue(value) : JSON.stringify(value.stringValue);
}

/** The type's name where the text alone does not tell it: a number in quotes is another thing than a number. */
export function typeName(value: AnyValueJson): "int" | "double" | "bool" | "bytes" | "array" | "map" | "empty" | null {
  if (value.stringValue !== undefined) return null;
  if (value.intValue !== undefined) return "int";
  if (value.doubleValue !== undefined) return "double";
  if (value.boolValue !== undefined) return "bool";
  if (value.bytesValue !== undefined) return "bytes";
  if (value.arrayValue !== undefined) return "array";
  return value.kvlistValue === undefined ? "empty" : "map";
}

const PLAIN_KEY = /^[A-Za-z_][\w.-]*$/;

/** Text in TraceQL's double quotes: backslash and quote are escaped, and what would end the line. */
export function quoteText(text: string): string {
  const escaped = text.replace(/[\\"]/g, (sign) => `\\${sign}`);
  return `"${escaped.replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t")}"`;
}

/** `{ span.http.route = "/cart" }`; null for a value that equality cannot name (bytes, arrays, maps, empty, not a number). */
export function queryFor(scope: "span" | "resource", key: string, value: AnyValueJson): string | null {
  const literal = literalOf(value);
  if (literal === null) return null;
  return `{ ${scope}.${PLAIN_KEY.test(key) ? key : quoteText(key)} = ${literal} }`;
}

function literalOf(value: AnyValueJson): string | null {
  if (value.stringValue !== undefined) return quoteText(value.stringValue);
  if (value.intValue !== undefined) return value.intValue;
  if (typeof value.doubleValue === "number") return `${value.doubleValue}`;
  if (value.boolValue !== undefined) return `${value.boolValue}`;
  return null;
}

/** The pairs whose key or value has the text in it, whatever the case. */
export function filterAttributes(attributes: readonly KeyValueJson[], text: string): KeyValueJson[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === "") return [...attributes];
  return attributes.filter(
    ({ key, value }) => key.toLowerCase().includes(wanted) || formatValue(value).toLowerCase().includes(wanted),
  );
}

/** The text of an attribute, undefined where it is absent or no text. */
export function textOf(attributes: readonly KeyValueJson[], key: string): string | undefined {
  return attributes.find((attribute) => attribute.key === key)?.value.stringValue;
}
