/**
 * The corpus as Zipkin v2 JSON, since Zipkin takes no OTLP: what OpenTelemetry's specification for Zipkin exporters says of each field.
 * Attributes of span, resource and scope become tags of strings, events annotations with their attributes as JSON.
 */
import { z } from "zod";
import { ExportRequest } from "./otlp-schema.ts";

const AnyValue = z.object({
  stringValue: z.string().optional(),
  boolValue: z.boolean().optional(),
  intValue: z.string().optional(),
  doubleValue: z.number().optional(),
});
const KeyValue = z.object({ key: z.string(), value: AnyValue.default({}) });
const Attributes = z.array(KeyValue).default([]);
const Event = z.object({ timeUnixNano: z.string(), name: z.string(), attributes: Attributes });
const Span = z.object({
  traceId: z.base64(),
  spanId: z.base64(),
  parentSpanId: z.base64().default(""),
  name: z.string(),
  kind: z.int().default(0),
  startTimeUnixNano: z.string(),
  endTimeUnixNano: z.string(),
  attributes: Attributes,
  events: z.array(Event).default([]),
  status: z.object({ message: z.string().default(""), code: z.int().default(0) }).default({ message: "", code: 0 }),
});
const Scope = z.object({ name: z.string().default(""), version: z.string().default("") }).default({ name: "", version: "" });
const Request = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: Attributes }).default({ attributes: [] }),
      scopeSpans: z.array(z.object({ scope: Scope, spans: z.array(Span).default([]) })).default([]),
    }),
  ),
});

type Tags = [key: string, value: string][];
const KINDS = [undefined, undefined, "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
const STATUS_NAMES = ["UNSET", "OK", "ERROR"];

/** The body of POST /api/v2/spans for an ExportTraceServiceRequest in protobuf. Structured attribute values are not in the corpus. */
export function encodeZipkin(request: Uint8Array): Buffer {
  const decoded = ExportRequest.toObject(ExportRequest.decode(Buffer.from(request)), { longs: String, bytes: String });
  const { resourceSpans } = Request.parse(decoded);
  const spans = resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = resource.attributes.find(({ key }) => key === "service.name");
    const resourceTags = tagsOf(resource.attributes.filter((attribute) => attribute !== service));
    return scopeSpans.flatMap(({ scope, spans: members }) => {
      const shared: Tags = [...resourceTags, ["otel.scope.name", scope.name], ["otel.scope.version", scope.version]];
      return members.map((span) => buildSpan(span, service?.value.stringValue ?? "unknown_service", shared));
    });
  });
  return Buffer.from(JSON.stringify(spans));
}

function buildSpan(span: z.infer<typeof Span>, serviceName: string, shared: Tags): object {
  const tags = [...tagsOf(span.attributes), ...shared];
  if (span.status.code !== 0) tags.push(["otel.status_code", STATUS_NAMES[span.status.code] ?? ""]);
  if (span.status.code === 2) tags.push(["error", span.status.message === "" ? "true" : span.status.message]);
  const durationMicro = micro(span.endTimeUnixNano) - micro(span.startTimeUnixNano);
  return {
    traceId: hex(span.traceId),
    id: hex(span.spanId),
    ...(span.parentSpanId === "" ? {} : { parentId: hex(span.parentSpanId) }),
    name: span.name,
    ...(KINDS[span.kind] === undefined ? {} : { kind: KINDS[span.kind] }),
    timestamp: micro(span.startTimeUnixNano),
    duration: Math.max(1, durationMicro),
    localEndpoint: { serviceName },
    annotations: span.events.map((event) => ({ timestamp: micro(event.timeUnixNano), value: annotationOf(event) })),
    tags: Object.fromEntries(tags),
  };
}

const hex = (base64: string): string => Buffer.from(base64, "base64").toString("hex");
const micro = (nano: string): number => Number(BigInt(nano) / 1000n);

function tagsOf(attributes: readonly z.infer<typeof KeyValue>[]): Tags {
  return attributes.map(({ key, value }) => [key, String(plainValue(value))]);
}

function plainValue(value: z.infer<typeof AnyValue>): string | number | boolean {
  return value.stringValue ?? value.intValue ?? value.doubleValue ?? value.boolValue ?? "";
}

function annotationOf({ name, attributes }: z.infer<typeof Event>): string {
  if (attributes.length === 0) return name;
  return JSON.stringify({ [name]: Object.fromEntries(attributes.map(({ key, value }) => [key, plainValue(value)])) });
}
