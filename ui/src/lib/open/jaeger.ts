/**
 * Jaeger's JSON, as its UI downloads it: `{"data": [{"traceID", "spans", "processes"}]}`, times in microseconds. What OpenTelemetry's
 * exporters put into tags is read back by the same names (opentelemetry-specification trace/sdk_exporters/jaeger.md).
 */
import { InvalidError } from "@callchain/schemas/span/errors.ts";
import {
  SPAN_KINDS,
  type Attribute,
  type AttributeValue,
  type Resource,
  type Scope,
  type Span,
  type SpanEvent,
  type SpanLink,
} from "@callchain/schemas/span/span.ts";
import {
  NO_SCOPE,
  SpanCollector,
  clampNano,
  countOf,
  isObject,
  objectOf,
  objectsOf,
  readNano,
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

/** Whether the document looks like Jaeger's: a list of traces under `data`, or one trace. */
export function isJaeger(document: JsonObject): boolean {
  return Array.isArray(document["data"]) || (Array.isArray(document["spans"]) && isObject(document["processes"]));
}

/** Throws InvalidError where there is nothing that is a trace. */
export function readJaeger(document: JsonObject): ReadSpans {
  const traces = Array.isArray(document["data"]) ? objectsOf(document["data"]) : [document];
  const collector = new SpanCollector();
  for (const trace of traces) {
    if (!Array.isArray(trace["spans"])) {
      throw new InvalidError(
        `data: given an object with ${Object.keys(trace).slice(0, 8).join(", ")}, accepted are traces with spans and processes`,
      );
    }
    const resources = new Map(
      Object.entries(objectOf(trace["processes"])).map(([id, process]) => [id, readProcess(objectOf(process))]),
    );
    for (const span of objectsOf(trace["spans"])) collector.add(() => readSpan(span, resources));
  }
  return collector;
}

function readProcess(process: JsonObject): Resource {
  return resourceOf(textOf(process["serviceName"]) || "unknown_service", readTags(process["tags"]));
}

function readSpan(span: JsonObject, resources: ReadonlyMap<string, Resource>): Span {
  const traceId = readTraceId(span["traceID"]);
  const resource = resources.get(textOf(span["processID"])) ?? readProcess(objectOf(span["process"]));
  const references = objectsOf(span["references"]);
  const parent =
    references.find(
      (reference) => textOf(reference["refType"]) === "CHILD_OF" && readTraceId(reference["traceID"]) === traceId,
    ) ?? references.find((reference) => readTraceId(reference["traceID"]) === traceId);
  const start = readNano(span["startTime"], "startTime", NANO_PER_MICRO);
  const tags = new Tags(readTags(span["tags"]));
  const kind = tags.take("span.kind");
  const isError = tags.take("error") === "true";
  const code = tags.take("otel.status_code").toLowerCase();
  const status = isError || code === "error" ? "error" : code === "ok" ? "ok" : "unset";
  return {
    traceId,
    spanId: readSpanId(span["spanID"]),
    parentSpanId: parent === undefined ? null : readSpanId(parent["spanID"]),
    name: textOf(span["operationName"]),
    kind: SPAN_KINDS.find((name) => name === kind) ?? "unspecified",
    ...timesOf(start, start + readNano(span["duration"], "duration", NANO_PER_MICRO)),
    status: { code: status, message: tags.take("otel.status_description") },
    traceState: tags.take("w3c.tracestate"),
    flags: countOf(span["flags"]),
    service: textOf(objectOf(resource.attributes[0]?.value)["value"]),
    resource,
    scope: readScope(tags),
    attributes: tags.rest,
    droppedAttributesCount: 0,
    events: objectsOf(span["logs"]).map(readLog),
    droppedEventsCount: 0,
    links: references.filter((reference) => reference !== parent).map(readReference),
    droppedLinksCount: 0,
  };
}

/** Tags, less those that say something of the span itself. */
class Tags {
  rest: Attribute[];

  constructor(tags: Attribute[]) {
    this.rest = tags;
  }

  /** The value as text, "" where there is no such tag. */
  take(key: string): string {
    const tag = this.rest.find((item) => item.key === key);
    if (tag === undefined || !("value" in tag.value) || typeof tag.value.value === "object") return "";
    this.rest = this.rest.filter((item) => item !== tag);
    return String(tag.value.value);
  }
}

function readScope(tags: Tags): Scope {
  const name = tags.take("otel.scope.name") || tags.take("otel.library.name");
  return { ...NO_SCOPE, name, version: tags.take("otel.scope.version") || tags.take("otel.library.version") };
}

function readLog(log: JsonObject): SpanEvent {
  const tags = new Tags(readTags(log["fields"]));
  const name = tags.take("event") || tags.take("message");
  return {
    timeNano: clampNano(readNano(log["timestamp"], "timestamp", NANO_PER_MICRO)),
    name,
    attributes: tags.rest,
    droppedAttributesCount: 0,
  };
}

function readReference(reference: JsonObject): SpanLink {
  return {
    traceId: readTraceId(reference["traceID"]),
    spanId: readSpanId(reference["spanID"]),
    traceState: "",
    flags: 0,
    attributes: [{ key: "opentracing.ref_type", value: text(textOf(reference["refType"]).toLowerCase()) }],
    droppedAttributesCount: 0,
  };
}

function readTags(tags: unknown): Attribute[] {
  return objectsOf(tags).map((tag) => ({ key: textOf(tag["key"]), value: readTag(textOf(tag["type"]), tag["value"]) }));
}

function readTag(type: string, value: unknown): AttributeValue {
  if (typeof value === "boolean") return { type: "bool", value };
  if (type === "int64") return { type: "int", value: readNano(value, "an int64 tag") };
  if (typeof value === "number") {
    return type === "float64" || !Number.isSafeInteger(value) ? { type: "double", value } : { type: "int", value: BigInt(value) };
  }
  return text(typeof value === "string" ? value : JSON.stringify(value ?? ""));
}
