/** OTLP/JSON as spans. Source: opentelemetry-proto docs/specification.md "JSON Protobuf Encoding". */
import { decodeBase64 } from "@callchain/schemas/otlp/base64.ts";
import { parseJson } from "@callchain/schemas/otlp/json-input.ts";
import { ResourceSpansSplitter } from "@callchain/schemas/otlp/json-split.ts";
import { InvalidError } from "@callchain/schemas/span/errors.ts";
import {
  SPAN_KINDS,
  STATUS_CODES,
  type Attribute,
  type AttributeValue,
  type Resource,
  type Scope,
  type Span,
  type SpanEvent,
  type SpanLink,
} from "@callchain/schemas/span/span.ts";
import {
  SpanCollector,
  clampNano,
  countOf,
  isObject,
  objectOf,
  objectsOf,
  readNano,
  readParentId,
  readSpanId,
  readTraceId,
  serviceOf,
  textOf,
  timesOf,
  type JsonObject,
  type ReadSpans,
} from "./draft.ts";

const ELEMENT_MAX_BYTES = 256 * 1024 * 1024;

/** One document, or one per line. Throws InvalidError naming the line where it is neither. */
export function readOtlp(bytes: Uint8Array): ReadSpans {
  const splitter = new ResourceSpansSplitter(ELEMENT_MAX_BYTES);
  const collector = new SpanCollector();
  for (const element of splitter.push(bytes)) {
    const resourceSpans = parseJson(element.bytes);
    const resource = readResource(resourceSpans);
    for (const scopeSpans of objectsOf(resourceSpans["scopeSpans"])) {
      const scope = readScope(scopeSpans);
      for (const span of objectsOf(scopeSpans["spans"])) collector.add(() => readSpan(span, resource, scope));
    }
  }
  splitter.finish();
  return collector;
}

function readResource(resourceSpans: JsonObject): Resource {
  const resource = objectOf(resourceSpans["resource"]);
  return {
    attributes: readAttributes(resource["attributes"]),
    droppedAttributesCount: countOf(resource["droppedAttributesCount"]),
    schemaUrl: textOf(resourceSpans["schemaUrl"]),
  };
}

function readScope(scopeSpans: JsonObject): Scope {
  const scope = objectOf(scopeSpans["scope"]);
  return {
    name: textOf(scope["name"]),
    version: textOf(scope["version"]),
    attributes: readAttributes(scope["attributes"]),
    droppedAttributesCount: countOf(scope["droppedAttributesCount"]),
    schemaUrl: textOf(scopeSpans["schemaUrl"]),
  };
}

function readSpan(span: JsonObject, resource: Resource, scope: Scope): Span {
  const status = objectOf(span["status"]);
  return {
    traceId: readTraceId(span["traceId"]),
    spanId: readSpanId(span["spanId"]),
    parentSpanId: readParentId(span["parentSpanId"]),
    name: textOf(span["name"]),
    kind: readEnum(SPAN_KINDS, span["kind"], "SPAN_KIND_"),
    ...timesOf(readNano(span["startTimeUnixNano"], "startTimeUnixNano"), readNano(span["endTimeUnixNano"], "endTimeUnixNano")),
    status: { code: readEnum(STATUS_CODES, status["code"], "STATUS_CODE_"), message: textOf(status["message"]) },
    traceState: textOf(span["traceState"]),
    flags: countOf(span["flags"]),
    service: serviceOf(resource),
    resource,
    scope,
    attributes: readAttributes(span["attributes"]),
    droppedAttributesCount: countOf(span["droppedAttributesCount"]),
    events: objectsOf(span["events"]).map(readEvent),
    droppedEventsCount: countOf(span["droppedEventsCount"]),
    links: objectsOf(span["links"]).map(readLink),
    droppedLinksCount: countOf(span["droppedLinksCount"]),
  };
}

/** The wire value, or the name in capitals. */
function readEnum<T extends string>(names: readonly [T, ...T[]], value: unknown, prefix: string): T {
  const found = typeof value === "number" ? names[value] : names.find((name) => `${prefix}${name.toUpperCase()}` === value);
  return found ?? names[0];
}

function readEvent(event: JsonObject): SpanEvent {
  return {
    timeNano: clampNano(readNano(event["timeUnixNano"], "timeUnixNano")),
    name: textOf(event["name"]),
    attributes: readAttributes(event["attributes"]),
    droppedAttributesCount: countOf(event["droppedAttributesCount"]),
  };
}

function readLink(link: JsonObject): SpanLink {
  return {
    traceId: readTraceId(link["traceId"]),
    spanId: readSpanId(link["spanId"]),
    traceState: textOf(link["traceState"]),
    flags: countOf(link["flags"]),
    attributes: readAttributes(link["attributes"]),
    droppedAttributesCount: countOf(link["droppedAttributesCount"]),
  };
}

function readAttributes(list: unknown): Attribute[] {
  return objectsOf(list).map((item) => ({ key: textOf(item["key"]), value: readValue(objectOf(item["value"])) }));
}

function readValue(value: JsonObject): AttributeValue {
  if (typeof value["stringValue"] === "string") return { type: "string", value: value["stringValue"] };
  if (value["intValue"] !== undefined) return { type: "int", value: readNano(value["intValue"], "intValue") };
  if (value["doubleValue"] !== undefined) return { type: "double", value: readDouble(value["doubleValue"]) };
  if (typeof value["boolValue"] === "boolean") return { type: "bool", value: value["boolValue"] };
  if (typeof value["bytesValue"] === "string") return { type: "bytes", value: readBytes(value["bytesValue"]) };
  if (isObject(value["arrayValue"])) return { type: "array", value: objectsOf(value["arrayValue"]["values"]).map(readValue) };
  if (isObject(value["kvlistValue"])) return { type: "map", value: readAttributes(value["kvlistValue"]["values"]) };
  return { type: "empty" };
}

function readDouble(value: unknown): number {
  const number = typeof value === "number" ? value : Number(value);
  if (Number.isNaN(number) && value !== "NaN")
    throw new InvalidError(`doubleValue: given ${JSON.stringify(value)}, accepted is a number`);
  return number;
}

function readBytes(base64: string): Uint8Array {
  const bytes = decodeBase64(base64);
  if (bytes === null) throw new InvalidError(`bytesValue: given ${JSON.stringify(base64.slice(0, 80))}, accepted is base64`);
  return bytes;
}
