/**
 * OTLP/JSON to OTLP protobuf, so that everything behind the receiver knows one encoding. Source: opentelemetry-proto
 * docs/specification.md "JSON Protobuf Encoding" and protobuf's JSON mapping.
 *
 *   trace and span ids   hex in either case        64-bit integers    strings or numbers, exact either way
 *   enums                integers (names too)      bytes_value        base64, either alphabet
 *   field names          lowerCamelCase            unknown fields     ignored, null means absent
 */
import { InvalidError } from "../span/errors.ts";
import { JsonPath, parseJson, readArray, readObject, type JsonObject } from "./json-input.ts";
import { writeAttributes, writeCount, writeEnum, writeId, writeText, writeTime } from "./json-fields.ts";
import { EVENT, LINK, REQUEST, RESOURCE, RESOURCE_SPANS, SCOPE, SCOPE_SPANS, SPAN, STATUS } from "./wire.ts";
import { ProtobufWriter } from "./writer.ts";

const KIND_NAMES = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"].map((name) => `SPAN_KIND_${name}`);
const STATUS_NAMES = ["UNSET", "OK", "ERROR"].map((name) => `STATUS_CODE_${name}`);

/**
 * The body of an OTLP/JSON export as ExportTraceServiceRequest in protobuf. Throws InvalidError that names the path, as in
 * `resourceSpans[0].scopeSpans[0].spans[3].traceId: expected 32 hex digits, given "xyz"`. Ids of a wrong length pass: the scan that
 * follows leaves out their spans one by one.
 */
export function encodeRequestFromJson(body: Uint8Array): Uint8Array {
  const path = new JsonPath();
  const request = parseJson(body);
  const writer = new ProtobufWriter(Math.max(1024, body.length >>> 1));
  try {
    writeEach(writer, REQUEST.resourceSpans, request, "resourceSpans", path, writeResourceSpans);
  } catch (error) {
    // The walk recurses with the input; a hostile depth ends here.
    if (error instanceof RangeError) throw new InvalidError(`${path.toString()}: the values nest too deep`, { cause: error });
    throw error;
  }
  return writer.finish();
}

type WriteMessage = (writer: ProtobufWriter, message: JsonObject, path: JsonPath) => void;

/** A repeated message field. */
function writeEach(
  writer: ProtobufWriter,
  tag: number,
  from: JsonObject,
  name: string,
  path: JsonPath,
  write: WriteMessage,
): void {
  const items = readArray(from[name], name, path);
  for (let index = 0; index < items.length; index++) {
    path.push(name, index);
    const message = writer.begin(tag);
    write(writer, readObject(items[index], path), path);
    writer.end(message);
    path.pop();
  }
}

/** A message field; absent and null write nothing. */
function writeOne(
  writer: ProtobufWriter,
  tag: number,
  from: JsonObject,
  name: string,
  path: JsonPath,
  write: WriteMessage,
): void {
  const value = from[name];
  if (value === undefined || value === null) return;
  path.push(name, -1);
  const message = writer.begin(tag);
  write(writer, readObject(value, path), path);
  writer.end(message);
  path.pop();
}

function writeResourceSpans(writer: ProtobufWriter, message: JsonObject, path: JsonPath): void {
  writeOne(writer, RESOURCE_SPANS.resource, message, "resource", path, writeResource);
  writeEach(writer, RESOURCE_SPANS.scopeSpans, message, "scopeSpans", path, writeScopeSpans);
  writeText(writer, RESOURCE_SPANS.schemaUrl, message, "schemaUrl", path);
}

function writeResource(writer: ProtobufWriter, message: JsonObject, path: JsonPath): void {
  writeAttributes(writer, RESOURCE.attributes, message, "attributes", path);
  writeCount(writer, RESOURCE.droppedAttributesCount, message, "droppedAttributesCount", path);
}

function writeScopeSpans(writer: ProtobufWriter, message: JsonObject, path: JsonPath): void {
  writeOne(writer, SCOPE_SPANS.scope, message, "scope", path, writeScope);
  writeEach(writer, SCOPE_SPANS.spans, message, "spans", path, writeSpan);
  writeText(writer, SCOPE_SPANS.schemaUrl, message, "schemaUrl", path);
}

function writeScope(writer: ProtobufWriter, message: JsonObject, path: JsonPath): void {
  writeText(writer, SCOPE.name, message, "name", path);
  writeText(writer, SCOPE.version, message, "version", path);
  writeAttributes(writer, SCOPE.attributes, message, "attributes", path);
  writeCount(writer, SCOPE.droppedAttributesCount, message, "droppedAttributesCount", path);
}

function writeSpan(writer: ProtobufWriter, message: JsonObject, path: JsonPath): void {
  writeId(writer, SPAN.traceId, message, "traceId", 16, path);
  writeId(writer, SPAN.spanId, message, "spanId", 8, path);
  writeText(writer, SPAN.traceState, message, "traceState", path);
  writeId(writer, SPAN.parentSpanId, message, "parentSpanId", 8, path);
  writeText(writer, SPAN.name, message, "name", path);
  writeEnum(writer, SPAN.kind, message, "kind", KIND_NAMES, path);
  writeTime(writer, SPAN.startTimeUnixNano, message, "startTimeUnixNano", path);
  writeTime(writer, SPAN.endTimeUnixNano, message, "endTimeUnixNano", path);
  writeAttributes(writer, SPAN.attributes, message, "attributes", path);
  writeCount(writer, SPAN.droppedAttributesCount, message, "droppedAttributesCount", path);
  writeEach(writer, SPAN.events, message, "events", path, writeEvent);
  writeCount(writer, SPAN.droppedEventsCount, message, "droppedEventsCount", path);
  writeEach(writer, SPAN.links, message, "links", path, writeLink);
  writeCount(writer, SPAN.droppedLinksCount, message, "droppedLinksCount", path);
  writeOne(writer, SPAN.status, message, "status", path, writeStatus);
  writeCount(writer, SPAN.flags, message, "flags", path);
}

function writeEvent(writer: ProtobufWriter, message: JsonObject, path: JsonPath): void {
  writeTime(writer, EVENT.timeUnixNano, message, "timeUnixNano", path);
  writeText(writer, EVENT.name, message, "name", path);
  writeAttributes(writer, EVENT.attributes, message, "attributes", path);
  writeCount(writer, EVENT.droppedAttributesCount, message, "droppedAttributesCount", path);
}

function writeLink(writer: ProtobufWriter, message: JsonObject, path: JsonPath): void {
  writeId(writer, LINK.traceId, message, "traceId", 16, path);
  writeId(writer, LINK.spanId, message, "spanId", 8, path);
  writeText(writer, LINK.traceState, message, "traceState", path);
  writeAttributes(writer, LINK.attributes, message, "attributes", path);
  writeCount(writer, LINK.droppedAttributesCount, message, "droppedAttributesCount", path);
  writeCount(writer, LINK.flags, message, "flags", path);
}

function writeStatus(writer: ProtobufWriter, message: JsonObject, path: JsonPath): void {
  writeText(writer, STATUS.message, message, "message", path);
  writeEnum(writer, STATUS.code, message, "code", STATUS_NAMES, path);
}
