/** What select() shows of a span: any field, as text. */
import type { Bindings } from "../search/bindings.ts";
import { canonicalKey } from "../search/canonical-key.ts";
import { joinOfTraces, traceColumn } from "../search/compile-trace.ts";
import { attributeNames } from "@callchain/schemas/span/conventions.ts";
import { isGroupField, type Field, type IntrinsicName } from "../search/query.ts";
import { compileGroupField } from "./group-by.ts";
import { NO_PARENT } from "./range.ts";

/** Joins for the fields that other spans of the trace tell, to follow `FROM spans`. */
export function joinShownFields(fields: readonly Field[], traceScope: string): string {
  const names = fields.flatMap((field): IntrinsicName[] =>
    field.kind === "intrinsic" && traceColumn(field.name) !== undefined ? [field.name] : [],
  );
  return joinOfTraces(names, traceScope);
}

/**
 * SQL of Nullable(String), NULL where the span has none; durations in nanoseconds. Of events and links it is a JSON array with the value of
 * each that has one.
 */
export function compileShownField(field: Field, bindings: Bindings): string {
  if (isGroupField(field)) return `CAST(${compileGroupField(field, bindings)}, 'Nullable(String)')`;
  if (field.kind === "intrinsic") return `CAST(${intrinsicText(field.name)}, 'Nullable(String)')`;
  const keys = attributeNames(field.key).map((name) => bindings.bind("String", canonicalKey(name)));
  const firstOf = (json: string): string =>
    `coalesce(${keys.map((key) => `nullIf(JSONExtractRaw(${json}, ${key}), '')`).join(", ")})`;
  if (field.scope === "event" || field.scope === "link") {
    const values = `arrayFilter(value -> isNotNull(value), arrayMap(item -> ${firstOf("item")}, ${field.scope}_attributes))`;
    return `CAST(if(empty(${values}), NULL, concat('[', arrayStringConcat(arrayMap(value -> assumeNotNull(value), ${values}), ','), ']')), 'Nullable(String)')`;
  }
  const raw = firstOf("scope");
  return `CAST(if(startsWith(ifNull(${raw}, ''), '"'), JSONExtractString(assumeNotNull(${raw})), ${raw}), 'Nullable(String)')`;
}

function intrinsicText(name: IntrinsicName): string {
  const list = (values: string, from: string): string => `if(empty(${from}), NULL, toJSONString(${values}))`;
  const ofTrace = traceColumn(name);
  if (ofTrace !== undefined) return name === "trace:complete" ? `if(${ofTrace}, 'true', 'false')` : `toString(${ofTrace})`;
  switch (name) {
    case "duration":
      return "toString(duration_nano)";
    case "span:id":
      return "lower(hex(span_id))";
    case "span:parentID":
      return `if(parent_span_id = ${NO_PARENT}, NULL, lower(hex(parent_span_id)))`;
    case "trace:id":
      return "lower(hex(trace_id))";
    case "event:name":
      return list("arrayMap(item -> toString(item), event_name)", "event_name");
    case "event:timeSinceStart":
      return list("arrayMap(item -> toUnixTimestamp64Nano(item) - toUnixTimestamp64Nano(start), event_time)", "event_time");
    case "link:traceID":
      return list("arrayMap(item -> lower(hex(item)), link_trace_id)", "link_trace_id");
    case "link:spanID":
      return list("arrayMap(item -> lower(hex(item)), link_span_id)", "link_span_id");
    default:
      return "NULL";
  }
}
