/**
 * Rows of `spans` -> Span. The SELECT list and the parser stand together: ids leave as lower-case hex, times and 64-bit numbers as
 * decimal strings, so that nothing is rounded on the way through JSON.
 */
import { z } from "zod";
import { parseCanonicalObject, parseCanonicalValue } from "../otlp/canonical-json.ts";
import { Failure } from "../span/errors.ts";
import { parseSpanId, parseTraceId } from "../span/ids.ts";
import { SPAN_KINDS, STATUS_CODES } from "../span/span.ts";
import type { Attribute, AttributeValue, Resource, Scope, Span, SpanEvent, SpanLink } from "../span/span.ts";
import { unixNano } from "../span/time.ts";
import { isWordKey } from "./word-keys.ts";

const NO_PARENT = "0000000000000000";

/** A SELECT list of `spans` for `parseSpanRow`; run it through SpanDatabase.query. */
export const SPAN_SELECT = `
  lower(hex(trace_id)) AS trace, lower(hex(span_id)) AS span, lower(hex(parent_span_id)) AS parent,
  toUnixTimestamp64Nano(start) AS start_nano, duration_nano, service, name, kind, status, status_message, trace_state, flags, anomalies,
  resource, scope,
  mapKeys(attr_word) AS word_keys, mapValues(attr_word) AS word_values,
  mapKeys(attr_string) AS string_keys, mapValues(attr_string) AS string_values,
  mapKeys(attr_int) AS int_keys, mapValues(attr_int) AS int_values,
  mapKeys(attr_double) AS double_keys, arrayMap(x -> toString(x), mapValues(attr_double)) AS double_values,
  mapKeys(attr_json) AS json_keys, mapValues(attr_json) AS json_values,
  dropped_attributes, dropped_events, dropped_links,
  arrayMap(x -> toUnixTimestamp64Nano(x), event_time) AS event_nano, event_name, event_attributes, event_dropped_attributes,
  arrayMap(x -> lower(hex(x)), link_trace_id) AS link_trace, arrayMap(x -> lower(hex(x)), link_span_id) AS link_span,
  link_trace_state, link_flags, link_attributes, link_dropped_attributes`;

const texts = z.array(z.string());
const numbers = z.array(z.number());

/** What SPAN_SELECT answers for one span. */
export const spanRow = z.object({
  trace: z.string(),
  span: z.string(),
  parent: z.string(),
  start_nano: z.string(),
  duration_nano: z.string(),
  service: z.string(),
  name: z.string(),
  kind: z.number(),
  status: z.number(),
  status_message: z.string(),
  trace_state: z.string(),
  flags: z.number(),
  anomalies: z.number(),
  resource: z.string(),
  scope: z.string(),
  word_keys: texts,
  word_values: texts,
  string_keys: texts,
  string_values: texts,
  int_keys: texts,
  int_values: texts,
  double_keys: texts,
  double_values: texts,
  json_keys: texts,
  json_values: texts,
  dropped_attributes: z.number(),
  dropped_events: z.number(),
  dropped_links: z.number(),
  event_nano: texts,
  event_name: texts,
  event_attributes: texts,
  event_dropped_attributes: numbers,
  link_trace: texts,
  link_span: texts,
  link_trace_state: texts,
  link_flags: numbers,
  link_attributes: texts,
  link_dropped_attributes: numbers,
});

export type SpanRow = z.infer<typeof spanRow>;

/** Throws Failure "internal" where the row is not what SPAN_SELECT answers: then the table and this file disagree. */
export function parseSpanRow(row: unknown): Span {
  const parsed = spanRow.safeParse(row);
  if (!parsed.success) throw new Failure("internal", `a row of spans is not as expected: ${z.prettifyError(parsed.error)}`);
  return buildSpan(parsed.data);
}

function buildSpan(row: SpanRow): Span {
  return {
    traceId: parseTraceId(row.trace),
    spanId: parseSpanId(row.span),
    parentSpanId: row.parent === NO_PARENT ? null : parseSpanId(row.parent),
    name: row.name,
    kind: SPAN_KINDS[row.kind] ?? "unspecified",
    startNano: unixNano(BigInt(row.start_nano)),
    durationNano: BigInt(row.duration_nano),
    status: { code: STATUS_CODES[row.status] ?? "unset", message: row.status_message },
    traceState: row.trace_state,
    flags: row.flags,
    service: row.service,
    resource: parseResource(row.resource),
    scope: parseScope(row.scope),
    attributes: attributesOf(row),
    droppedAttributesCount: row.dropped_attributes,
    events: row.event_nano.map((time, index) => eventOf(row, time, index)),
    droppedEventsCount: row.dropped_events,
    links: row.link_trace.map((trace, index) => linkOf(row, trace, index)),
    droppedLinksCount: row.dropped_links,
    anomalies: row.anomalies,
  };
}

/** By type, then in the order sent: the order between the types is not kept (OTLP gives it no meaning). */
function attributesOf(row: SpanRow): Attribute[] {
  const text = (value: string): AttributeValue => ({ type: "string", value });
  return [
    ...pairs(row.word_keys, row.word_values, text),
    // A row of an earlier release may hold its words here, too: migration 0005.
    ...pairs(row.string_keys, row.string_values, text).filter(({ key }) => !isWordKey(key)),
    ...pairs(row.int_keys, row.int_values, (value) => ({ type: "int", value: BigInt(value) })),
    ...pairs(row.double_keys, row.double_values, (value) => ({ type: "double", value: parseDouble(value) })),
    ...pairs(row.json_keys, row.json_values, parseCanonicalValue),
  ];
}

function pairs(keys: readonly string[], values: readonly string[], read: (text: string) => AttributeValue): Attribute[] {
  return keys.map((key, index) => ({ key, value: read(values[index] ?? "") }));
}

/** ClickHouse writes `inf`, `-inf` and `nan`. */
function parseDouble(text: string): number {
  if (text === "inf") return Infinity;
  if (text === "-inf") return -Infinity;
  return Number(text);
}

function eventOf(row: SpanRow, time: string, index: number): SpanEvent {
  return {
    timeNano: unixNano(BigInt(time)),
    name: row.event_name[index] ?? "",
    attributes: parseCanonicalObject(row.event_attributes[index] ?? "").attributes,
    droppedAttributesCount: row.event_dropped_attributes[index] ?? 0,
  };
}

/** A link may carry ids that are all zero or missing bytes; they are shown as they came. */
function linkOf(row: SpanRow, trace: string, index: number): SpanLink {
  return {
    // Hex by the SELECT list; an all-zero id of a link is kept, which parseTraceId would refuse.
    traceId: trace as SpanLink["traceId"],
    // The same.
    spanId: (row.link_span[index] ?? NO_PARENT) as SpanLink["spanId"],
    traceState: row.link_trace_state[index] ?? "",
    flags: row.link_flags[index] ?? 0,
    attributes: parseCanonicalObject(row.link_attributes[index] ?? "").attributes,
    droppedAttributesCount: row.link_dropped_attributes[index] ?? 0,
  };
}

/** The column `resource` (canonical JSON). */
export function parseResource(text: string): Resource {
  const { attributes, marks } = parseCanonicalObject(text);
  return { attributes, droppedAttributesCount: countMark(marks, "dropped"), schemaUrl: textMark(marks, "schema") };
}

/** The column `scope` (canonical JSON). */
export function parseScope(text: string): Scope {
  const { attributes, marks } = parseCanonicalObject(text);
  return {
    name: textMark(marks, "name"),
    version: textMark(marks, "version"),
    attributes,
    droppedAttributesCount: countMark(marks, "dropped"),
    schemaUrl: textMark(marks, "schema"),
  };
}

type Marks = ReadonlyMap<string, AttributeValue>;

function textMark(marks: Marks, name: string): string {
  const mark = marks.get(name);
  return mark?.type === "string" ? mark.value : "";
}

function countMark(marks: Marks, name: string): number {
  const mark = marks.get(name);
  return mark?.type === "int" ? Number(mark.value) : 0;
}
