/** Analyses of one trace and of many: critical path, repeated calls, links, differences, outliers, clocks. */
import { z } from "zod";
import { Count, KeyValueJson, KindName, NanoNumber, NanoString, Scan, StatusName } from "./common.ts";
import { Completeness } from "./traces.ts";

/** A part of a whole. */
export const Share = z.number().min(0).max(1);

/** May be negative. */
const SignedNano = z.number().meta({ description: "Nanoseconds, either way" });

/** The traces that an answer over many traces looked at: the newest that match. */
export const TraceSample = z
  .object({
    traceCount: Count,
    spanCount: Count,
    fromNano: NanoString.meta({ description: "Since when every matching trace is in the sample" }),
    toNano: NanoString,
    whole: z.boolean().meta({ description: "Every matching trace of the time range is in the sample" }),
  })
  .meta({ id: "TraceSample" });
export type TraceSample = z.infer<typeof TraceSample>;

/** How far one host's clock is from its caller's, from the calls between them. */
export const ClockOffset = z
  .object({
    callerHost: z.string().meta({ description: "host.id, host.name, k8s.node.name, service.instance.id or the service" }),
    calleeHost: z.string(),
    offsetNano: SignedNano.meta({ description: "To add to the callee's times; 0: the clocks agree as far as can be seen" }),
    leastNano: SignedNano.meta({ description: "The offset is hardly less: what most calls allow" }),
    greatestNano: SignedNano.meta({ description: "The offset is hardly more" }),
    callCount: Count.meta({ description: "Synchronous calls that tell something" }),
    misfitCount: Count.meta({ description: "Of them, calls that cannot have happened as stamped" }),
    fitShare: Share.meta({ description: "Share of the calls that can have happened once the offset is added" }),
    confidence: z.enum(["low", "medium", "high"]).meta({
      description:
        "high: 20 calls or more, 95% of them fit, and the offset is known to half of its size or to 1 ms; medium: 3 calls or more, 80% fit; low: all else",
    }),
  })
  .meta({ id: "ClockOffset" });
export type ClockOffset = z.infer<typeof ClockOffset>;

/** `GET /skew` */
export const SkewAnswer = z
  .object({
    pairs: z.array(ClockOffset).meta({ description: "Clocks that differ first, then by calls" }),
    sample: TraceSample,
    scan: Scan,
  })
  .meta({ id: "SkewAnswer" });
export type SkewAnswer = z.infer<typeof SkewAnswer>;

const PathTime = { pathNano: NanoNumber.meta({ description: "Time on the critical path" }), share: Share };

/** `GET /traces/{id}/critical-path` */
export const TraceCriticalPathAnswer = z
  .object({
    traceId: z.string(),
    startNano: NanoString,
    durationNano: NanoNumber.meta({ description: "Of the whole trace" }),
    rootSpanId: z.string().meta({ description: "The longest span at the top level: where the path begins and ends" }),
    pathNano: NanoNumber.meta({ description: "Length of the path: the duration of that span, and the sum of the segments" }),
    segments: z
      .array(
        z.object({
          spanId: z.string(),
          fromNano: SignedNano.meta({ description: "From the trace's start, clocks adjusted" }),
          toNano: SignedNano,
        }),
      )
      .meta({ description: "Early to late, without gaps" }),
    spans: z
      .array(z.object({ spanId: z.string(), service: z.string(), name: z.string(), kind: KindName, ...PathTime }))
      .meta({ description: "Most time first, as are the lists below" }),
    services: z.array(z.object({ service: z.string(), ...PathTime, spanCount: Count })),
    names: z.array(z.object({ service: z.string(), name: z.string(), kind: KindName, ...PathTime, spanCount: Count })),
    clocks: z.array(ClockOffset).meta({ description: "Pairs of hosts whose calls tell about their clocks" }),
    completeness: Completeness,
    scan: Scan,
  })
  .meta({ id: "TraceCriticalPathAnswer" });
export type TraceCriticalPathAnswer = z.infer<typeof TraceCriticalPathAnswer>;

/** `GET /critical-path` */
export const CriticalPathAnswer = z
  .object({
    query: z.string().meta({ description: "Traces with a span that matches" }),
    by: z.string(),
    pathNano: NanoNumber.meta({ description: "All paths of the sample together" }),
    groups: z
      .array(
        z.object({
          service: z.string().nullable().meta({ description: "With by=name and by=service" }),
          value: z.string().nullable().meta({ description: "Span name, service or attribute value; null where it is absent" }),
          ...PathTime,
          spanCount: Count.meta({ description: "Spans with time on a path" }),
          traceCount: Count.meta({ description: "Traces on whose path it stands" }),
          exampleTraceIds: z.array(z.string()).meta({ description: "Where it holds most time, at most 3" }),
        }),
      )
      .meta({ description: "Most time first" }),
    sample: TraceSample,
    scan: Scan,
  })
  .meta({ id: "CriticalPathAnswer" });
export type CriticalPathAnswer = z.infer<typeof CriticalPathAnswer>;

/** What calls have in common that are said to be alike. */
const CallPattern = {
  service: z.string(),
  name: z.string(),
  kind: KindName,
  detail: z
    .string()
    .nullable()
    .meta({ description: "Database statement without its literals, or route, or destination; null where there is none" }),
};

const RepeatFigures = {
  spanCount: Count,
  errorCount: Count,
  totalNano: NanoNumber.meta({ description: "Sum of the durations" }),
  minNano: NanoNumber,
  medianNano: NanoNumber,
  maxNano: NanoNumber,
  costNano: NanoNumber.meta({
    description: "What one call in place of them would save: the time that they cover, less the longest of them",
  }),
};

/** serial: never two at once; parallel: all at once; mixed: neither. */
const Concurrency = z.enum(["serial", "parallel", "mixed"]);
/** repeated: serial client calls that one batch could have answered (N+1); retries: serial client calls most of which failed. */
const RepeatPattern = z.enum(["repeated", "retries"]).nullable();

/** Siblings of one parent that are alike. */
export const RepeatedCalls = z
  .object({
    parentSpanId: z.string().nullable().meta({ description: "null at the top level" }),
    parentService: z.string().nullable(),
    parentName: z.string().nullable(),
    ...CallPattern,
    ...RepeatFigures,
    concurrency: Concurrency,
    concurrencyMax: Count.meta({ description: "Most that ran at the same instant" }),
    pattern: RepeatPattern,
    spanIds: z.array(z.string()).meta({ description: "By start, at most 100" }),
  })
  .meta({ id: "RepeatedCalls" });
export type RepeatedCalls = z.infer<typeof RepeatedCalls>;

/** `GET /traces/{id}/repeats` */
export const TraceRepeatsAnswer = z
  .object({
    traceId: z.string(),
    repeats: z.array(RepeatedCalls).meta({ description: "Dearest first" }),
    scan: Scan,
  })
  .meta({ id: "TraceRepeatsAnswer" });
export type TraceRepeatsAnswer = z.infer<typeof TraceRepeatsAnswer>;

/** `GET /repeats` */
export const RepeatsAnswer = z
  .object({
    query: z.string(),
    repeats: z
      .array(
        z.object({
          parentService: z.string().nullable(),
          parentName: z.string().nullable(),
          ...CallPattern,
          ...RepeatFigures,
          parentCount: Count.meta({ description: "Callers that repeat it" }),
          traceCount: Count,
          perParent: z.number().min(0).meta({ description: "Calls per caller that repeats it" }),
          serialShare: Share.meta({ description: "Of those callers, the share that calls one after the other" }),
          pattern: RepeatPattern,
          exampleTraceIds: z.array(z.string()).meta({ description: "Where it costs most, at most 3" }),
        }),
      )
      .meta({ description: "Dearest first" }),
    sample: TraceSample,
    scan: Scan,
  })
  .meta({ id: "RepeatsAnswer" });
export type RepeatsAnswer = z.infer<typeof RepeatsAnswer>;

/** One end of a link. What is not stored has its ids only. */
export const LinkEnd = z
  .object({
    traceId: z.string(),
    spanId: z.string(),
    span: z
      .object({
        service: z.string(),
        name: z.string(),
        kind: KindName,
        status: StatusName,
        startNano: NanoString,
        durationNano: NanoNumber,
      })
      .nullable(),
  })
  .meta({ id: "LinkEnd" });
export type LinkEnd = z.infer<typeof LinkEnd>;

/** A link as it was sent: `source` names `target`. */
export const TraceLink = z
  .object({
    source: LinkEnd,
    target: LinkEnd,
    attributes: z.array(KeyValueJson),
    waitNano: SignedNano.nullable().meta({
      description:
        "Queue wait: from the target's end to the source's start; negative where the source began before; null where the target is not stored",
    }),
  })
  .meta({ id: "TraceLink" });
export type TraceLink = z.infer<typeof TraceLink>;

/** `GET /traces/{id}/links` */
export const TraceLinksAnswer = z
  .object({
    traceId: z.string(),
    links: z.array(TraceLink).meta({ description: "Of this trace's spans, by the source's start" }),
    backlinks: z.array(TraceLink).meta({ description: "Of spans of other traces to this trace's, by the source's start" }),
    fromNano: NanoString.meta({ description: "Where backlinks were looked for" }),
    toNano: NanoString,
    scan: Scan,
  })
  .meta({ id: "TraceLinksAnswer" });
export type TraceLinksAnswer = z.infer<typeof TraceLinksAnswer>;

/** One side of a comparison: one trace, or the traces of a query. */
export const DiffSide = z
  .object({
    kind: z.enum(["trace", "query"]),
    text: z.string().meta({ description: "Trace id, or the query as it was understood" }),
    sample: TraceSample,
    errorCount: Count,
    durationNano: NanoNumber.meta({ description: "Of a trace, or the mean over the traces" }),
  })
  .meta({ id: "DiffSide" });
export type DiffSide = z.infer<typeof DiffSide>;

/** Sums over the side's sample; divide by its traceCount to compare. */
export const DiffFigures = z
  .object({
    spanCount: Count,
    errorCount: Count,
    totalNano: NanoNumber.meta({ description: "Sum of the durations" }),
    selfNano: NanoNumber,
    traceCount: Count.meta({ description: "Traces that have the call path" }),
  })
  .meta({ id: "DiffFigures" });
export type DiffFigures = z.infer<typeof DiffFigures>;

/** The spans of one call path: service, name and kind from the top level down. The list is in pre-order. */
export const DiffNode = z
  .object({
    parentIndex: z.int().min(-1).meta({ description: "Index of the parent in this list; -1 at the top level" }),
    depth: Count,
    service: z.string(),
    name: z.string(),
    kind: KindName,
    change: z.enum(["same", "changed", "onlyA", "onlyB"]),
    a: DiffFigures.nullable(),
    b: DiffFigures.nullable(),
    perTrace: z
      .object({ spanCount: z.number(), errorCount: z.number(), totalNano: z.number(), selfNano: z.number() })
      .meta({ description: "b less a, each divided by its side's traces" }),
  })
  .meta({ id: "DiffNode" });
export type DiffNode = z.infer<typeof DiffNode>;

/** `GET /diff` */
export const DiffAnswer = z
  .object({
    a: DiffSide,
    b: DiffSide,
    nodes: z.array(DiffNode),
    changedCount: Count.meta({ description: "Call paths that are not the same, those left out included" }),
    scan: Scan,
  })
  .meta({ id: "DiffAnswer" });
export type DiffAnswer = z.infer<typeof DiffAnswer>;

/** How many spans of a side have it. */
const SideCount = z.object({
  spanCount: Count.meta({ description: "Of the spans that were looked at" }),
  share: Share.meta({ description: "Of the side's spans that were looked at" }),
});

export const OutlierValue = z
  .object({
    value: z.string().meta({ description: "As text; a range of numbers as e.g. >= 128" }),
    condition: z.string().nullable().meta({
      description: 'TraceQL that holds for the spans with it, e.g. resource.host.name = "h3"; null where it cannot be written',
    }),
    selection: SideCount,
    rest: SideCount,
    score: z.number().min(-1).max(1).meta({
      description:
        "How much larger the value's share is in the selection, less the margin of chance (95%); negative: how much smaller; 0: no more than chance",
    }),
  })
  .meta({ id: "OutlierValue" });
export type OutlierValue = z.infer<typeof OutlierValue>;

export const OutlierField = z
  .object({
    field: z.string().meta({ description: "As in TraceQL: span.http.route, resource.host.name, name, kind, status, duration" }),
    type: z.enum(["text", "number"]),
    score: Share.meta({ description: "The largest score of its values" }),
    selection: SideCount.meta({ description: "Spans that have the field at all" }),
    rest: SideCount,
    valueCount: Count.meta({ description: "Distinct values among the spans looked at" }),
    values: z.array(OutlierValue).meta({ description: "Highest score first; at most 10" }),
  })
  .meta({ id: "OutlierField" });
export type OutlierField = z.infer<typeof OutlierField>;

/** `GET /outliers` */
export const OutliersAnswer = z
  .object({
    query: z.string(),
    selection: z.string().meta({ description: "The selection in TraceQL, as it was understood" }),
    selectionSpanCount: Count.meta({ description: "Spans of the selection in the time range" }),
    restSpanCount: Count.meta({ description: "Spans that match the query but not the selection" }),
    sample: z.object({
      selectionSpanCount: Count.meta({ description: "Looked at" }),
      restSpanCount: Count,
      fromNano: NanoString,
      toNano: NanoString,
    }),
    fields: z
      .array(OutlierField)
      .meta({ description: "Highest score first; fields that the selection itself names are left out" }),
    leftOut: z.array(z.string()).meta({ description: "Fields that the selection names" }),
    scan: Scan,
  })
  .meta({ id: "OutliersAnswer" });
export type OutliersAnswer = z.infer<typeof OutliersAnswer>;
