/**
 * How to point a program at Callchain, for the languages that most services are written in. The variables are OpenTelemetry's
 * (https://opentelemetry.io/docs/specs/otel/protocol/exporter/); the commands are each language's zero-code or shortest set-up.
 */
export interface Snippet {
  readonly name: string;
  readonly code: string;
}

/** `endpoint` is the OTLP/HTTP base URL, e.g. `http://127.0.0.1:4318`. */
export function ingestSnippets(endpoint: string): readonly Snippet[] {
  const variables = [
    "export OTEL_SERVICE_NAME=my-service",
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint}`,
    "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
  ].join("\n");
  return [
    {
      name: "Node.js",
      code: `npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node
${variables}
node --require @opentelemetry/auto-instrumentations-node/register app.js`,
    },
    {
      name: "Python",
      code: `pip install opentelemetry-distro opentelemetry-exporter-otlp
opentelemetry-bootstrap -a install
${variables}
opentelemetry-instrument python app.py`,
    },
    {
      name: "Java",
      code: `${variables}
java -javaagent:opentelemetry-javaagent.jar -jar app.jar`,
    },
    {
      name: "Go",
      code: `${variables}

// go get go.opentelemetry.io/otel/sdk go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp
exporter, err := otlptracehttp.New(ctx)
if err != nil {
    log.Fatal(err)
}
provider := trace.NewTracerProvider(trace.WithBatcher(exporter))
defer provider.Shutdown(ctx)
otel.SetTracerProvider(provider)`,
    },
    {
      name: ".NET",
      code: `dotnet add package OpenTelemetry.Extensions.Hosting
dotnet add package OpenTelemetry.Exporter.OpenTelemetryProtocol
dotnet add package OpenTelemetry.Instrumentation.AspNetCore
${variables}

// Program.cs
builder.Services.AddOpenTelemetry()
    .WithTracing(tracing => tracing.AddAspNetCoreInstrumentation())
    .UseOtlpExporter();`,
    },
    {
      name: "curl",
      code: `now=$(date +%s)
curl ${endpoint}/v1/traces -H 'content-type: application/json' -d '{"resourceSpans":[{
  "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"my-service"}}]},
  "scopeSpans":[{"spans":[{"traceId":"'$(openssl rand -hex 16)'","spanId":"'$(openssl rand -hex 8)'",
    "name":"hello","kind":2,"startTimeUnixNano":"'$now'000000000","endTimeUnixNano":"'$now'250000000"}]}]}]}'`,
    },
  ];
}
