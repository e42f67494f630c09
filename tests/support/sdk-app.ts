/**
 * An instrumented service as a user would write it: an unmodified OpenTelemetry SDK whose exporter takes its endpoint from the
 * environment. Run as `node sdk-app.ts grpc|http/protobuf|http/json`; prints the trace id once everything is exported.
 */
import { SpanKind, SpanStatusCode, context, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as GrpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

const protocol = process.argv[2] ?? "";
const exporters = {
  grpc: () => new GrpcExporter(),
  "http/protobuf": () => new ProtobufExporter(),
  "http/json": () => new JsonExporter(),
};
const make = Object.entries(exporters).find(([name]) => name === protocol)?.[1];
if (make === undefined) throw new Error(`protocol ${JSON.stringify(protocol)}: expected ${Object.keys(exporters).join(", ")}`);

const provider = new TracerProvider({
  resource: resourceFromAttributes({ "service.name": `sdk-${protocol.replace("/", "-")}`, "service.version": "1.2.3" }),
  spanProcessors: [new BatchSpanProcessor({ exporter: make() })],
});
const tracer = provider.getTracer("sdk-app", "0.1.0");
const root = tracer.startSpan("GET /orders", {
  kind: SpanKind.SERVER,
  attributes: { "http.request.method": "GET", items: 3, ratio: 0.5 },
});
const inRoot = trace.setSpan(context.active(), root);
const query = tracer.startSpan(
  "SELECT orders",
  { kind: SpanKind.CLIENT, attributes: { "db.system.name": "postgresql", cached: false } },
  inRoot,
);
query.recordException(new Error("deadlock detected"));
query.setStatus({ code: SpanStatusCode.ERROR, message: "deadlock detected" });
query.end();
root.setAttribute("tags", ["a", "b"]);
root.end();
await provider.forceFlush();
await provider.shutdown();
process.stdout.write(root.spanContext().traceId);
