/**
 * Zipkin v2 JSON: a list of spans, or of traces that are lists of spans; times in microseconds. Source: zipkin-api zipkin2-api.yaml.
 * Client and server may share one span id.
 */
import type { Attribute, Span, SpanEvent, SpanKind } from "@callchain/schemas/span/span.ts";
import {
  NO_SCOPE,
  SpanCollector,
  clampNano,
  isObject,
  objectOf,
  objectsOf,
  readNano,
  readParentId,
  readSpanId,
  readTraceId,
  resourceOf,
  text,
  textOf,
  timesOf,
  type JsonObject,
  type ReadSpans,
} from "./draft.ts";

const NANO_PER_MICRO = 1_000n;
const KINDS: ReadonlyMap<unknown, SpanKind> = new Map([
  ["CLIENT", "client"],
  ["SERVER", "server"],
  ["PRODUCER", "producer"],
  ["CONSUMER", "consumer"],
]);

/** Whether it is a list of what has Zipkin's ids, or of lists of it. An empty list is one without spans. */
export function isZipkin(document: unknown): document is readonly unknown[] {
  if (!Array.isArray(document)) return false;
  return document.every((item) => (Array.isArray(item) ? isZipkin(item) : isObject(item) && "traceId" in item && "id" in item));
}

export function readZipkin(document: readonly unknown[]): ReadSpans {
  const collector = new SpanCollector();
  for (const span of objectsOf(document.flat())) collector.add(() => readSpan(span));
  return collector;
}

function readSpan(span: JsonObject): Span {
  const start = readNano(span["timestamp"], "timestamp", NANO_PER_MICRO);
  const service = textOf(objectOf(span["localEndpoint"])["serviceName"]) || "unknown_service";
  const tags = Object.entries(objectOf(span["tags"]));
  const tag = (name: string): string => textOf(tags.find(([key]) => key === name)?.[1]);
  const hasError = tags.some(([key]) => key === "error");
  const code = tag("otel.status_code").toLowerCase();
  return {
    traceId: readTraceId(span["traceId"]),
    spanId: readSpanId(span["id"]),
    parentSpanId: readParentId(span["parentId"]),
    name: textOf(span["name"]),
    kind: KINDS.get(span["kind"]) ?? "unspecified",
    ...timesOf(start, start + readNano(span["duration"], "duration", NANO_PER_MICRO)),
    status: {
      code: hasError || code === "error" ? "error" : code === "ok" ? "ok" : "unset",
      message: hasError && tag("error") !== "true" ? tag("error") : "",
    },
    traceState: "",
    flags: 0,
    service,
    resource: resourceOf(service, readEndpoint(objectOf(span["localEndpoint"]), "host.ip")),
    scope: NO_SCOPE,
    attributes: [
      ...tags.map(([key, value]) => ({ key, value: text(typeof value === "string" ? value : JSON.stringify(value)) })),
      ...readRemote(objectOf(span["remoteEndpoint"])),
    ],
    droppedAttributesCount: 0,
    events: objectsOf(span["annotations"]).map(readAnnotation),
    droppedEventsCount: 0,
    links: [],
    droppedLinksCount: 0,
  };
}

function readEndpoint(endpoint: JsonObject, key: string): Attribute[] {
  const address = textOf(endpoint["ipv4"]) || textOf(endpoint["ipv6"]);
  return address === "" ? [] : [{ key, value: text(address) }];
}

function readRemote(endpoint: JsonObject): Attribute[] {
  const { serviceName, port } = endpoint as { readonly serviceName?: unknown; readonly port?: unknown }; // both are checked here
  return [
    ...(textOf(serviceName) === "" ? [] : [{ key: "peer.service", value: text(textOf(serviceName)) }]),
    ...readEndpoint(endpoint, "network.peer.address"),
    ...(typeof port === "number" && Number.isSafeInteger(port)
      ? [{ key: "network.peer.port", value: { type: "int", value: BigInt(port) } } as const]
      : []),
  ];
}

function readAnnotation(annotation: JsonObject): SpanEvent {
  return {
    timeNano: clampNano(readNano(annotation["timestamp"], "timestamp", NANO_PER_MICRO)),
    name: textOf(annotation["value"]),
    attributes: [],
    droppedAttributesCount: 0,
  };
}
