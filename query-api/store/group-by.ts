/** The value of one field of a span as SQL text, for grouping and counting. */
import { isWordKey, textMapOf } from "@callchain/schemas/clickhouse/word-keys.ts";
import { SPAN_KINDS, STATUS_CODES } from "@callchain/schemas/span/span.ts";
import type { Bindings } from "../search/bindings.ts";
import { canonicalKey } from "../search/canonical-key.ts";
import { attributeNames } from "@callchain/schemas/span/conventions.ts";
import { parseField } from "../search/parse-field.ts";
import { attribute, isGroupField, type Field, type GROUP_INTRINSICS, type GroupField } from "../search/query.ts";

const INTRINSIC_SQL: Readonly<Record<(typeof GROUP_INTRINSICS)[number], string>> = {
  name: "toString(name)",
  kind: `transform(kind, [${SPAN_KINDS.map((_, index) => index).join(", ")}], [${SPAN_KINDS.map((kind) => `'${kind}'`).join(", ")}], 'unspecified')`,
  status: `transform(status, [${STATUS_CODES.map((_, index) => index).join(", ")}], [${STATUS_CODES.map((code) => `'${code}'`).join(", ")}], 'unset')`,
  statusMessage: "status_message",
  "instrumentation:name": "JSONExtractString(scope, '$name')",
  "instrumentation:version": "JSONExtractString(scope, '$version')",
};

export type { GroupField } from "../search/query.ts";

export const GROUP_FIELD_ACCEPTED = `service, ${Object.keys(INTRINSIC_SQL).join(", ")}, or an attribute: span.http.route, resource.service.version, .region or region`;

/** Namespaces that semantic conventions give to resources: without a scope they mean the resource, so that no span attributes are read. */
const RESOURCE_KEY = /^(?:service\.(?!peer\.)|telemetry\.|k8s\.|host\.|cloud\.|container\.|deployment\.|os\.)/;

/**
 * A field to group by; a bare key is an attribute of the span or the resource (of the resource alone in its own namespaces, such as
 * service.version). undefined: not one that spans can be grouped by.
 */
export function parseGroupField(text: string): GroupField | undefined {
  if (text === "" || text.includes("\0")) return undefined;
  if (text === "service") return { kind: "attribute", scope: "resource", key: "service.name" };
  const field: Field = parseField(text) ?? attribute("any", text);
  if (field.kind === "attribute" && field.scope === "any" && RESOURCE_KEY.test(field.key)) {
    return { kind: "attribute", scope: "resource", key: field.key };
  }
  return isGroupField(field) ? field : undefined;
}

/**
 * SQL of Nullable(String): the field's value as text, NULL where the span has none. Strings stand as they are, other types in canonical
 * JSON. An attribute that semantic conventions renamed is looked up under all its names; the first that is there wins.
 */
export function compileGroupField(field: GroupField, bindings: Bindings): string {
  if (field.kind === "intrinsic") return `toNullable(${INTRINSIC_SQL[field.name]})`;
  const isService = field.key === "service.name" && field.scope !== "span";
  if (isService) return "toNullable(toString(service))";
  const places: string[] = [];
  for (const name of attributeNames(field.key)) {
    if (field.scope !== "resource") places.push(...spanValues(name, bindings.bind("String", name)));
    if (field.scope !== "span") places.push(resourceValue(bindings.bind("String", canonicalKey(name))));
  }
  return `coalesce(${places.join(", ")})`;
}

/** Position in keys, then the value there: half the cost of `attr_string[key]`, which rebuilds the keys as full strings. */
function spanValues(name: string, key: string): string[] {
  const valueIn = (map: string, toText: string): string =>
    `if(has(${map}.keys, ${key}), ${toText}(${map}.values[indexOf(${map}.keys, ${key})]), NULL)`;
  return [
    valueIn(textMapOf(name), isWordKey(name) ? "toString" : ""),
    valueIn("attr_int", "toString"),
    valueIn("attr_double", "toString"),
    valueIn("attr_json", ""),
  ];
}

/** Value of a canonical JSON text as SQL of Nullable(String): a string as it stands, what else there is as JSON. */
function resourceValue(key: string): string {
  const raw = `JSONExtractRaw(resource, ${key})`;
  return `if(startsWith(${raw}, '"'), JSONExtractString(resource, ${key}), nullIf(${raw}, ''))`;
}
