/** For tests: random OTLP requests, and the rows that protobufjs' reading of them must give. */
import * as fc from "fast-check";
import { ExportRequest } from "../bench/otlp-schema.ts";
import { isWordKey } from "@callchain/schemas/clickhouse/word-keys.ts";
import { parseCanonicalObject, parseCanonicalValue } from "@callchain/schemas/otlp/canonical-json.ts";
import { ANOMALY, type Attribute, type AttributeValue } from "@callchain/schemas/span/span.ts";
import type { NativeRow } from "./block-reader.ts";

/** A protobufjs message as plain data. */
type Plain = Readonly<Record<string, unknown>>;

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: "binary", maxLength: 200 }), fc.constant("$ref"));
const key = fc.oneof(fc.constantFrom("http.route", "db.system", "a", "", "__proto__", "constructor", "$schema", "$$"), text);
const int64 = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -3n, max: 300n })).map(String);
const uint64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 1_700_000_000_000_000_000n, max: 1_700_000_000_000_000_900n }),
  fc.constantFrom(0n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n),
);
const count = fc.oneof(fc.constant(0), fc.nat(300), fc.constant(2 ** 32 - 1));
const bytes = (size: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: size, maxLength: size }).filter((id) => id.some((byte) => byte !== 0));

const { anyValue } = fc.letrec<{ anyValue: Plain; keyValue: Plain }>((tie) => ({
  anyValue: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    text.map((stringValue) => ({ stringValue })),
    int64.map((intValue) => ({ intValue })),
    fc.double().map((doubleValue) => ({ doubleValue })),
    fc.boolean().map((boolValue) => ({ boolValue })),
    fc.uint8Array({ maxLength: 40 }).map((bytesValue) => ({ bytesValue })),
    fc.constant({}),
    fc.array(tie("anyValue"), { maxLength: 4 }).map((values) => ({ arrayValue: { values } })),
    fc.array(tie("keyValue"), { maxLength: 4 }).map((values) => ({ kvlistValue: { values } })),
  ),
  keyValue: fc.record({ key, value: tie("anyValue") }),
}));
const attributes = fc.array(fc.record({ key, value: anyValue }, { requiredKeys: ["key"] }), { maxLength: 8 });

const span = fc.record({
  traceId: bytes(16),
  spanId: bytes(8),
  parentSpanId: fc.oneof(fc.constant(new Uint8Array(0)), bytes(8)),
  traceState: text,
  name: text,
  kind: fc.nat(7),
  startTimeUnixNano: uint64.map(String),
  endTimeUnixNano: uint64.map(String),
  attributes,
  droppedAttributesCount: count,
  events: fc.array(fc.record({ timeUnixNano: uint64.map(String), name: text, attributes, droppedAttributesCount: count }), {
    maxLength: 3,
  }),
  droppedEventsCount: count,
  links: fc.array(
    fc.record({
      traceId: bytes(16),
      spanId: bytes(8),
      traceState: text,
      attributes,
      droppedAttributesCount: count,
      flags: count,
    }),
    { maxLength: 3 },
  ),
  droppedLinksCount: count,
  status: fc.record({ message: text, code: fc.nat(3) }),
  flags: count,
});

/** Requests that hold only spans that can be stored. */
export const exportRequest: fc.Arbitrary<Plain> = fc.record({
  resourceSpans: fc.array(
    fc.record({
      resource: fc.record({
        attributes: fc
          .tuple(attributes, fc.option(text))
          .map(([some, name]) => (name === null ? some : [...some, { key: "service.name", value: { stringValue: name } }])),
        droppedAttributesCount: count,
      }),
      schemaUrl: text,
      scopeSpans: fc.array(
        fc.record({
          scope: fc.record({ name: text, version: text, attributes, droppedAttributesCount: count }),
          schemaUrl: text,
          spans: fc.array(span, { maxLength: 4 }),
        }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 3 },
  ),
});

export function encodeWithProtobufjs(request: Plain): Uint8Array {
  return ExportRequest.encode(ExportRequest.fromObject({ ...request })).finish();
}

/** What a row must hold, in the words of `readRow`. */
export function expectRows(request: Uint8Array): unknown[] {
  const rows: unknown[] = [];
  const decoded: Plain = ExportRequest.toObject(ExportRequest.decode(request), { longs: String, defaults: true, arrays: true });
  for (const resourceSpans of list(decoded["resourceSpans"])) {
    for (const scopeSpans of list(resourceSpans["scopeSpans"])) {
      for (const each of list(scopeSpans["spans"])) rows.push(expectRow(resourceSpans, scopeSpans, each));
    }
  }
  return rows;
}

function expectRow(resourceSpans: Plain, scopeSpans: Plain, each: Plain): unknown {
  const resource = plain(resourceSpans["resource"]);
  const scope = plain(scopeSpans["scope"]);
  const resourceAttributes = toAttributes(resource["attributes"]);
  const named = resourceAttributes.find(({ key: name, value }) => name === "service.name" && value.type === "string");
  const service = named?.value.type === "string" ? named.value.value : "";
  const status = plain(each["status"]);
  const all = toAttributes(each["attributes"]);
  return {
    traceId: hex(each["traceId"]),
    spanId: hex(each["spanId"]),
    parentSpanId: hex(each["parentSpanId"]) || "0".repeat(16),
    ...expectTimes(each),
    service: service === "" ? "unknown_service" : service,
    name: each["name"],
    kind: Number(each["kind"]) > 5 ? 0 : each["kind"],
    status: Number(status["code"] ?? 0) > 2 ? 0 : (status["code"] ?? 0),
    statusMessage: status["message"] ?? "",
    traceState: each["traceState"],
    flags: each["flags"],
    resource: {
      attributes: resourceAttributes,
      marks: marks({ schema: resourceSpans["schemaUrl"], dropped: resource["droppedAttributesCount"] }),
    },
    scope: {
      attributes: toAttributes(scope["attributes"]),
      marks: marks({
        name: scope["name"],
        version: scope["version"],
        schema: scopeSpans["schemaUrl"],
        dropped: scope["droppedAttributesCount"],
      }),
    },
    words: all.filter(({ key, value }) => value.type === "string" && isWordKey(key)),
    strings: all.filter(({ key, value }) => value.type === "string" && !isWordKey(key)),
    ints: all.filter(({ value }) => value.type === "int"),
    doubles: all.filter(({ value }) => value.type === "double"),
    others: all.filter(({ value }) => !["string", "int", "double"].includes(value.type)),
    dropped: [each["droppedAttributesCount"], each["droppedEventsCount"], each["droppedLinksCount"]],
    events: list(each["events"]).map((event) => [
      clamp(event["timeUnixNano"]),
      event["name"],
      toAttributes(event["attributes"]),
      event["droppedAttributesCount"],
    ]),
    links: list(each["links"]).map((link) => [
      hex(link["traceId"]),
      hex(link["spanId"]),
      link["traceState"],
      link["flags"],
      toAttributes(link["attributes"]),
      link["droppedAttributesCount"],
    ]),
  };
}

const TIME_MAX = 2n ** 63n - 1n;

function expectTimes(each: Plain): { start: bigint; duration: bigint; anomalies: number } {
  const sentStart = BigInt(String(each["startTimeUnixNano"]));
  const sentEnd = BigInt(String(each["endTimeUnixNano"]));
  const times = [sentStart, sentEnd, ...list(each["events"]).map((event) => BigInt(String(event["timeUnixNano"])))];
  const end = clamp(sentEnd);
  const start = sentStart === 0n ? end : clamp(sentStart);
  let anomalies = 0;
  if (times.some((time) => time > TIME_MAX)) anomalies |= ANOMALY.timeClamped;
  if (sentStart === 0n) anomalies |= ANOMALY.startMissing;
  if (end < start) anomalies |= ANOMALY.endBeforeStart;
  return { start, duration: end < start ? 0n : end - start, anomalies };
}

function clamp(time: unknown): bigint {
  const nano = BigInt(String(time));
  return nano > TIME_MAX ? TIME_MAX : nano;
}

function marks(values: Plain): Map<string, AttributeValue> {
  const kept = Object.entries(values).filter(([, value]) => value !== undefined && value !== "" && value !== 0);
  return new Map(
    kept.map(([name, value]) => [
      name,
      typeof value === "string" ? { type: "string", value } : { type: "int", value: BigInt(String(value)) },
    ]),
  );
}

export function readRow(row: NativeRow): unknown {
  const pairs = (name: string, type: "string" | "int" | "double" | "json"): unknown[] =>
    items(row.get(name)).map((pair) => {
      const [pairKey, value] = items(pair);
      return { key: pairKey, value: type === "json" ? parseCanonicalValue(String(value)) : { type, value } };
    });
  const column = (name: string): unknown[] => items(row.get(name));
  const object = (value: unknown): Attribute[] => parseCanonicalObject(String(value)).attributes;
  return {
    traceId: row.get("trace_id"),
    spanId: row.get("span_id"),
    parentSpanId: row.get("parent_span_id"),
    start: row.get("start"),
    duration: row.get("duration_nano"),
    anomalies: row.get("anomalies"),
    service: row.get("service"),
    name: row.get("name"),
    kind: row.get("kind"),
    status: row.get("status"),
    statusMessage: row.get("status_message"),
    traceState: row.get("trace_state"),
    flags: row.get("flags"),
    resource: parseCanonicalObject(String(row.get("resource"))),
    scope: parseCanonicalObject(String(row.get("scope"))),
    words: pairs("attr_word", "string"),
    strings: pairs("attr_string", "string"),
    ints: pairs("attr_int", "int"),
    doubles: pairs("attr_double", "double"),
    others: pairs("attr_json", "json"),
    dropped: [row.get("dropped_attributes"), row.get("dropped_events"), row.get("dropped_links")],
    events: column("event_time").map((time, at) => [
      time,
      column("event_name")[at],
      object(column("event_attributes")[at]),
      column("event_dropped_attributes")[at],
    ]),
    links: column("link_trace_id").map((traceId, at) => [
      traceId,
      column("link_span_id")[at],
      column("link_trace_state")[at],
      column("link_flags")[at],
      object(column("link_attributes")[at]),
      column("link_dropped_attributes")[at],
    ]),
  };
}

/** protobufjs' KeyValues as our attributes. */
function toAttributes(value: unknown): Attribute[] {
  return list(value).map((pair) => ({ key: asText(pair["key"]), value: toValue(plain(pair["value"])) }));
}

function toValue(value: Plain): AttributeValue {
  if (typeof value["stringValue"] === "string") return { type: "string", value: value["stringValue"] };
  if (value["intValue"] !== undefined) return { type: "int", value: BigInt(asText(value["intValue"])) };
  if (value["doubleValue"] !== undefined) return { type: "double", value: Number(value["doubleValue"]) };
  if (value["boolValue"] !== undefined) return { type: "bool", value: value["boolValue"] === true };
  if (value["bytesValue"] instanceof Uint8Array) return { type: "bytes", value: new Uint8Array(value["bytesValue"]) };
  if (value["arrayValue"] !== undefined) {
    return { type: "array", value: list(plain(value["arrayValue"])["values"]).map(toValue) };
  }
  if (value["kvlistValue"] !== undefined) return { type: "map", value: toAttributes(plain(value["kvlistValue"])["values"]) };
  return { type: "empty" };
}

function items(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function list(value: unknown): Plain[] {
  return items(value).map(plain);
}

function plain(value: unknown): Plain {
  // A message as protobufjs' toObject gives it, or absent.
  return typeof value === "object" && value !== null ? (value as Plain) : {};
}

function hex(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : "";
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}
