/** Services, latency, dependencies, attributes, health. */
import { z } from "zod";
import { Exemplar } from "./aggregates.ts";
import { Count, NanoNumber, NanoString, Scan } from "./common.ts";

/** Rate, errors and duration of the entry spans (server, consumer, and roots) over a range. Percentiles are null without calls. */
export const Red = z
  .object({
    callCount: Count,
    errorCount: Count,
    p50Nano: NanoNumber.nullable(),
    p95Nano: NanoNumber.nullable(),
    p99Nano: NanoNumber.nullable(),
  })
  .meta({ id: "Red" });
export type Red = z.infer<typeof Red>;

export const ServiceSummary = z
  .object({
    name: z.string(),
    spanCount: Count.meta({ description: "All spans of the service; `current.callCount` counts its entry spans" }),
    current: Red,
    previous: Red.nullable().meta({ description: "The range of the same length just before; null when nothing was seen" }),
    sparkline: z.array(Count).meta({
      description: "Calls in equal steps that begin at multiples of the step; the first and the last may be cut by the range",
    }),
    lastSeenNano: NanoString,
  })
  .meta({ id: "ServiceSummary" });
export type ServiceSummary = z.infer<typeof ServiceSummary>;

export const ServicesAnswer = z
  .object({
    services: z.array(ServiceSummary),
    fromNano: NanoString,
    toNano: NanoString,
    sparklineStepSeconds: z.number(),
    scan: Scan,
  })
  .meta({ id: "ServicesAnswer" });
export type ServicesAnswer = z.infer<typeof ServicesAnswer>;

export const ServiceAnswer = z
  .object({
    name: z.string(),
    current: Red,
    previous: Red.nullable(),
    spanNames: z.array(
      z.object({
        name: z.string(),
        kind: z.string(),
        spanCount: Count,
        errorCount: Count,
        p50Nano: NanoNumber,
        p95Nano: NanoNumber,
        p99Nano: NanoNumber,
      }),
    ),
    versions: z.array(z.object({ value: z.string(), spanCount: Count })),
    instances: z.array(z.object({ value: z.string(), spanCount: Count })),
    scan: Scan,
  })
  .meta({ id: "ServiceAnswer" });
export type ServiceAnswer = z.infer<typeof ServiceAnswer>;

export const LatencyPoint = z.object({
  timeNano: NanoString.meta({ description: "Start of the step" }),
  count: Count,
  errorCount: Count,
  percentilesNano: z.array(NanoNumber.nullable()).meta({
    description: "In the order of `percentiles`; null without spans. From a histogram of 32 buckets an octave: within 3.2%",
  }),
  slowest: Exemplar.nullable().meta({ description: "The longest span; null without spans" }),
  slowestError: Exemplar.nullable().meta({ description: "The longest span that failed; null without errors" }),
});
export const LatencyGroup = z.object({
  by: z.string().nullable().meta({ description: "The value of the attribute in `by`; null without `by`, or where it is absent" }),
  total: LatencyPoint.omit({ timeNano: true }),
  points: z.array(LatencyPoint),
});
export const LatencyAnswer = z
  .object({
    fromNano: NanoString,
    toNano: NanoString,
    stepSeconds: z.number(),
    percentiles: z.array(z.number()),
    by: z.string().nullable(),
    query: z.string(),
    groups: z.array(LatencyGroup),
    scan: Scan,
  })
  .meta({ id: "LatencyAnswer" });
export type LatencyAnswer = z.infer<typeof LatencyAnswer>;

export const DependencyNode = z
  .object({
    id: z.string().meta({
      description:
        "Unique in the graph, e.g. `service:cart`, `database:orders`, `messaging:payments`, `external:api.bank.example`",
    }),
    name: z.string(),
    kind: z.enum(["service", "database", "messaging", "external"]),
    spanCount: Count,
    errorCount: Count,
    namespace: z.string().nullable().meta({
      description:
        "`service.namespace` of a service's resources, else `k8s.namespace.name`, as the newest 300,000 spans of the range tell; null where neither was sent",
    }),
    serverRootCount: Count.meta({ description: "Server spans of a service that begin a trace: requests from outside" }),
    otherRootCount: Count.meta({
      description: "Other spans of a service that begin a trace, but consumers: a user's action in a browser, a job",
    }),
  })
  .meta({ id: "DependencyNode" });
export type DependencyNode = z.infer<typeof DependencyNode>;

export const DependencyEdge = z
  .object({
    caller: z.string().meta({ description: "Node id" }),
    callee: z.string().meta({ description: "Node id" }),
    kind: z.enum(["call", "database", "publish", "consume", "external", "internal"]),
    callCount: Count,
    errorCount: Count,
    p50Nano: NanoNumber,
    p95Nano: NanoNumber,
    p99Nano: NanoNumber,
    exampleTraceIds: z.array(z.string()).meta({ description: "Slowest and failing examples, at most 3" }),
  })
  .meta({ id: "DependencyEdge" });
export type DependencyEdge = z.infer<typeof DependencyEdge>;

export const DependencyGraph = z
  .object({
    fromNano: NanoString.meta({
      description:
        "Since when calls are counted: a range of five minutes and more is counted in whole minutes, those it begins and ends in included",
    }),
    toNano: NanoString.meta({ description: "Until when, as far as that has come to pass and was counted" }),
    countedUntilNano: NanoString.nullable().meta({
      description:
        "While spans arrive by the ten thousand, those that were stored in the last seconds may be left to the next answer: since this instant. null: all that are stored were counted",
    }),
    nodes: z.array(DependencyNode),
    edges: z.array(DependencyEdge),
  })
  .meta({ id: "DependencyGraph" });
export type DependencyGraph = z.infer<typeof DependencyGraph>;

export const DependenciesAnswer = DependencyGraph.extend({
  comparison: DependencyGraph.nullable().meta({
    description:
      "The graph of the range compareFrom..compareTo, under the same node ids; with a focus, both graphs hold what lies near it in either. null where none was asked for",
  }),
  scan: Scan,
}).meta({ id: "DependenciesAnswer" });
export type DependenciesAnswer = z.infer<typeof DependenciesAnswer>;

export const AttributesAnswer = z
  .object({
    attributes: z.array(
      z.object({
        key: z.string(),
        scope: z.enum(["span", "resource"]),
        type: z.enum(["string", "int", "double", "json"]),
        spanCount: Count,
      }),
    ),
    scan: Scan,
  })
  .meta({ id: "AttributesAnswer" });
export type AttributesAnswer = z.infer<typeof AttributesAnswer>;

export const AttributeValuesAnswer = z
  .object({
    key: z.string(),
    values: z.array(z.object({ value: z.string(), type: z.enum(["string", "int", "double", "json"]), spanCount: Count })),
    scan: Scan,
  })
  .meta({ id: "AttributeValuesAnswer" });
export type AttributeValuesAnswer = z.infer<typeof AttributeValuesAnswer>;

/** What the empty first page needs to help an exporter arrive. Served at `/api/v1/ingest`. */
export const IngestAnswer = z
  .object({
    otlpHttpUrl: z.string().nullable().meta({ description: "null where this process runs no receiver" }),
    otlpGrpcUrl: z.string().nullable(),
    acceptedSpanCount: Count,
    rejectedSpanCount: Count,
    refusedRequestCount: Count,
    lastRejection: z
      .object({ timeNano: NanoString, transport: z.enum(["http", "grpc"]), status: z.string(), reason: z.string() })
      .nullable(),
  })
  .meta({ id: "IngestAnswer" });
export type IngestAnswer = z.infer<typeof IngestAnswer>;

export const HealthAnswer = z.object({ status: z.enum(["ok", "starting", "unavailable"]) }).meta({ id: "HealthAnswer" });
export type HealthAnswer = z.infer<typeof HealthAnswer>;
