/** Spans back to OTLP: TracesData in OTLP/JSON (the mapping of opentelemetry-proto, ids in hex) and in protobuf. */
import type { AnyValueJson, KeyValueJson } from "../api/common.ts";
import { SPAN_KINDS, STATUS_CODES, type Attribute, type AttributeValue, type Span } from "../span/span.ts";
import { encodeBase64 } from "./base64.ts";
import { groupByResource, sentTimes } from "./group.ts";

export { encodeTraces } from "./export-protobuf.ts";

/** OTLP/JSON TracesData (`{"resourceSpans": [...]}`). Fields at their default are left out, but for ids, names, times and kind. */
export function buildTracesJson(spans: readonly Span[]): object {
  return {
    resourceSpans: groupByResource(spans).map(({ resource, scopes }) => ({
      resource: {
        attributes: buildKeyValueJson(resource.attributes),
        ...counted("droppedAttributesCount", resource.droppedAttributesCount),
      },
      scopeSpans: scopes.map(({ scope, spans: members }) => ({
        scope: {
          name: scope.name,
          ...(scope.version === "" ? {} : { version: scope.version }),
          ...(scope.attributes.length === 0 ? {} : { attributes: buildKeyValueJson(scope.attributes) }),
          ...counted("droppedAttributesCount", scope.droppedAttributesCount),
        },
        spans: members.map(buildSpanJson),
        ...(scope.schemaUrl === "" ? {} : { schemaUrl: scope.schemaUrl }),
      })),
      ...(resource.schemaUrl === "" ? {} : { schemaUrl: resource.schemaUrl }),
    })),
  };
}

function buildSpanJson(span: Span): object {
  const { start, end } = sentTimes(span);
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId === null ? {} : { parentSpanId: span.parentSpanId }),
    ...(span.traceState === "" ? {} : { traceState: span.traceState }),
    ...counted("flags", span.flags),
    name: span.name,
    kind: SPAN_KINDS.indexOf(span.kind),
    startTimeUnixNano: start.toString(),
    endTimeUnixNano: end.toString(),
    attributes: buildKeyValueJson(span.attributes),
    ...counted("droppedAttributesCount", span.droppedAttributesCount),
    events: span.events.map((event) => ({
      timeUnixNano: event.timeNano.toString(),
      name: event.name,
      attributes: buildKeyValueJson(event.attributes),
      ...counted("droppedAttributesCount", event.droppedAttributesCount),
    })),
    ...counted("droppedEventsCount", span.droppedEventsCount),
    links: span.links.map((link) => ({
      traceId: link.traceId,
      spanId: link.spanId,
      ...(link.traceState === "" ? {} : { traceState: link.traceState }),
      attributes: buildKeyValueJson(link.attributes),
      ...counted("droppedAttributesCount", link.droppedAttributesCount),
      ...counted("flags", link.flags),
    })),
    ...counted("droppedLinksCount", span.droppedLinksCount),
    status: {
      ...(span.status.message === "" ? {} : { message: span.status.message }),
      ...counted("code", STATUS_CODES.indexOf(span.status.code)),
    },
  };
}

function counted(name: string, count: number): object {
  return count === 0 ? {} : { [name]: count };
}

/** Attributes as OTLP/JSON KeyValues. */
export function buildKeyValueJson(attributes: readonly Attribute[]): KeyValueJson[] {
  return attributes.map(({ key, value }) => ({ key, value: buildAnyValueJson(value) }));
}

function buildAnyValueJson(value: AttributeValue): AnyValueJson {
  switch (value.type) {
    case "string":
      return { stringValue: value.value };
    case "int":
      return { intValue: value.value.toString() };
    case "double":
      return { doubleValue: buildDoubleJson(value.value) };
    case "bool":
      return { boolValue: value.value };
    case "bytes":
      return { bytesValue: encodeBase64(value.value) };
    case "array":
      return { arrayValue: { values: value.value.map(buildAnyValueJson) } };
    case "map":
      return { kvlistValue: { values: buildKeyValueJson(value.value) } };
    default:
      return {};
  }
}

function buildDoubleJson(value: number): number | "NaN" | "Infinity" | "-Infinity" {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "Infinity";
  return value === -Infinity ? "-Infinity" : value;
}
