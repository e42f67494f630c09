/** Spans back to OTLP protobuf (field numbers: wire.ts). */
import { SPAN_KINDS, STATUS_CODES, type Attribute, type AttributeValue, type Span } from "../span/span.ts";
import { groupByResource, sentTimes, type ScopeGroup } from "./group.ts";
import {
  ANY_VALUE,
  EVENT,
  KEY_VALUE,
  LINK,
  LIST,
  REQUEST,
  RESOURCE,
  RESOURCE_SPANS,
  SCOPE,
  SCOPE_SPANS,
  SPAN,
  STATUS,
} from "./wire.ts";
import { ProtobufWriter } from "./writer.ts";

/** TracesData, which on the wire is an ExportTraceServiceRequest too. */
export function encodeTraces(spans: readonly Span[]): Uint8Array {
  const writer = new ProtobufWriter(Math.max(1024, spans.length * 512));
  for (const { resource, scopes } of groupByResource(spans)) {
    const resourceSpans = writer.begin(REQUEST.resourceSpans);
    const message = writer.begin(RESOURCE_SPANS.resource);
    writeAttributes(writer, RESOURCE.attributes, resource.attributes);
    writeCount(writer, RESOURCE.droppedAttributesCount, resource.droppedAttributesCount);
    writer.end(message);
    for (const group of scopes) writeScopeSpans(writer, group);
    writeText(writer, RESOURCE_SPANS.schemaUrl, resource.schemaUrl);
    writer.end(resourceSpans);
  }
  return writer.finish();
}

function writeScopeSpans(writer: ProtobufWriter, { scope, spans }: ScopeGroup): void {
  const scopeSpans = writer.begin(RESOURCE_SPANS.scopeSpans);
  const message = writer.begin(SCOPE_SPANS.scope);
  writeText(writer, SCOPE.name, scope.name);
  writeText(writer, SCOPE.version, scope.version);
  writeAttributes(writer, SCOPE.attributes, scope.attributes);
  writeCount(writer, SCOPE.droppedAttributesCount, scope.droppedAttributesCount);
  writer.end(message);
  for (const span of spans) writeSpan(writer, span);
  writeText(writer, SCOPE_SPANS.schemaUrl, scope.schemaUrl);
  writer.end(scopeSpans);
}

function writeSpan(writer: ProtobufWriter, span: Span): void {
  const message = writer.begin(SCOPE_SPANS.spans);
  const { start, end } = sentTimes(span);
  writer.bytesField(SPAN.traceId, bytesOfHex(span.traceId));
  writer.bytesField(SPAN.spanId, bytesOfHex(span.spanId));
  writeText(writer, SPAN.traceState, span.traceState);
  if (span.parentSpanId !== null) writer.bytesField(SPAN.parentSpanId, bytesOfHex(span.parentSpanId));
  writeText(writer, SPAN.name, span.name);
  writeCount(writer, SPAN.kind, SPAN_KINDS.indexOf(span.kind));
  writer.fixed64Field(SPAN.startTimeUnixNano, start);
  writer.fixed64Field(SPAN.endTimeUnixNano, end);
  writeAttributes(writer, SPAN.attributes, span.attributes);
  writeCount(writer, SPAN.droppedAttributesCount, span.droppedAttributesCount);
  for (const event of span.events) {
    const inner = writer.begin(SPAN.events);
    writer.fixed64Field(EVENT.timeUnixNano, event.timeNano);
    writeText(writer, EVENT.name, event.name);
    writeAttributes(writer, EVENT.attributes, event.attributes);
    writeCount(writer, EVENT.droppedAttributesCount, event.droppedAttributesCount);
    writer.end(inner);
  }
  writeCount(writer, SPAN.droppedEventsCount, span.droppedEventsCount);
  writeLinks(writer, span);
  writeCount(writer, SPAN.droppedLinksCount, span.droppedLinksCount);
  const status = writer.begin(SPAN.status);
  writeText(writer, STATUS.message, span.status.message);
  writeCount(writer, STATUS.code, STATUS_CODES.indexOf(span.status.code));
  writer.end(status);
  if (span.flags !== 0) writer.fixed32Field(SPAN.flags, span.flags);
  writer.end(message);
}

function writeLinks(writer: ProtobufWriter, span: Span): void {
  for (const link of span.links) {
    const inner = writer.begin(SPAN.links);
    writer.bytesField(LINK.traceId, bytesOfHex(link.traceId));
    writer.bytesField(LINK.spanId, bytesOfHex(link.spanId));
    writeText(writer, LINK.traceState, link.traceState);
    writeAttributes(writer, LINK.attributes, link.attributes);
    writeCount(writer, LINK.droppedAttributesCount, link.droppedAttributesCount);
    if (link.flags !== 0) writer.fixed32Field(LINK.flags, link.flags);
    writer.end(inner);
  }
}

function writeText(writer: ProtobufWriter, tag: number, text: string): void {
  if (text !== "") writer.stringField(tag, text);
}

function writeCount(writer: ProtobufWriter, tag: number, count: number): void {
  if (count !== 0) writer.varintField(tag, count);
}

function writeAttributes(writer: ProtobufWriter, tag: number, attributes: readonly Attribute[]): void {
  for (const { key, value } of attributes) {
    const keyValue = writer.begin(tag);
    writeText(writer, KEY_VALUE.key, key);
    const inner = writer.begin(KEY_VALUE.value);
    writeAnyValue(writer, value);
    writer.end(inner);
    writer.end(keyValue);
  }
}

function writeAnyValue(writer: ProtobufWriter, value: AttributeValue): void {
  switch (value.type) {
    case "string":
      return writer.stringField(ANY_VALUE.stringValue, value.value);
    case "int":
      return writer.varintField(ANY_VALUE.intValue, value.value);
    case "double":
      return writer.doubleField(ANY_VALUE.doubleValue, value.value);
    case "bool":
      return writer.varintField(ANY_VALUE.boolValue, value.value ? 1 : 0);
    case "bytes":
      return writer.bytesField(ANY_VALUE.bytesValue, value.value);
    case "array": {
      const list = writer.begin(ANY_VALUE.arrayValue);
      for (const item of value.value) {
        const inner = writer.begin(LIST.values);
        writeAnyValue(writer, item);
        writer.end(inner);
      }
      return writer.end(list);
    }
    case "map": {
      const list = writer.begin(ANY_VALUE.kvlistValue);
      writeAttributes(writer, LIST.values, value.value);
      return writer.end(list);
    }
    default:
    // "empty": an AnyValue without fields.
  }
}

function bytesOfHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let index = 0; index < bytes.length; index++) bytes[index] = parseInt(hex.slice(index * 2, index * 2 + 2), 16);
  return bytes;
}
