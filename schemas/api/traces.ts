/** Search, one trace, one span. */
import { z } from "zod";
import { Count, KeyValueJson, KindName, NanoNumber, NanoString, Scan, StatusName } from "./common.ts";

/** What could not be joined when the call tree was rebuilt. `complete`: one root, no missing parent, no cycle. */
export const Completeness = z
  .object({
    complete: z.boolean(),
    rootCount: Count.meta({ description: "Spans without a parent id" }),
    orphanCount: Count.meta({ description: "Spans whose parent is not in the trace; each hangs under the trace's top level" }),
    missingParentIds: z.array(z.string()).meta({ description: "Distinct ids of absent parents, at most 100" }),
    missingParentCount: Count,
    cycleCount: Count.meta({ description: "Spans whose parent edge was cut because it closed a cycle" }),
    duplicateCount: Count.meta({ description: "Copies of a span that were left out because they equal another" }),
    conflictCount: Count.meta({ description: "Spans that share an id with a different span and were kept beside it" }),
    skewedCount: Count.meta({
      description: "Spans that lie outside of their parent although the call is synchronous: clocks differ",
    }),
  })
  .meta({ id: "Completeness" });
export type Completeness = z.infer<typeof Completeness>;

/** A field of a span as text: strings as they stand, other types in JSON; null where the span has none. */
export const FieldValue = z.object({ field: z.string(), value: z.string().nullable() }).meta({ id: "FieldValue" });
export type FieldValue = z.infer<typeof FieldValue>;

export const MatchedSpan = z
  .object({
    spanId: z.string(),
    service: z.string(),
    name: z.string(),
    startNano: NanoString,
    durationNano: NanoNumber,
    status: StatusName,
    attributes: z.array(FieldValue).meta({ description: "What the query's select() asks for, in its order" }),
  })
  .meta({ id: "MatchedSpan" });
export type MatchedSpan = z.infer<typeof MatchedSpan>;

/** Matched spans of a trace that are equal in what the query's by() asks for. */
export const SpanGroup = z
  .object({
    by: z.array(FieldValue),
    matchedSpanCount: Count,
    matchedSpans: z.array(MatchedSpan).meta({ description: "The first of them, at most 3" }),
  })
  .meta({ id: "SpanGroup" });
export type SpanGroup = z.infer<typeof SpanGroup>;

export const TraceSummary = z
  .object({
    traceId: z.string(),
    rootService: z.string().nullable().meta({ description: "null while the root span is missing" }),
    rootName: z.string().nullable(),
    startNano: NanoString,
    durationNano: NanoNumber,
    spanCount: Count,
    errorCount: Count,
    services: z.array(z.object({ name: z.string(), spanCount: Count, errorCount: Count })),
    matchedSpanCount: Count,
    matchedSpans: z.array(MatchedSpan).meta({ description: "The first few spans that matched, at most 3" }),
    groups: z.array(SpanGroup).meta({ description: "Largest first, at most 20; empty without by()" }),
    complete: z.boolean().meta({ description: "One root and no missing parents" }),
  })
  .meta({ id: "TraceSummary" });
export type TraceSummary = z.infer<typeof TraceSummary>;

export const TraceSearchAnswer = z
  .object({
    traces: z.array(TraceSummary),
    nextCursor: z.string().nullable(),
    /** The query in TraceQL, as it was understood. */
    query: z.string(),
    scan: Scan,
  })
  .meta({ id: "TraceSearchAnswer" });
export type TraceSearchAnswer = z.infer<typeof TraceSearchAnswer>;

/** One span of the rebuilt tree. The list is in pre-order (a parent before its children, siblings by start). */
export const TreeSpan = z
  .object({
    spanId: z.string(),
    parentSpanId: z.string().nullable(),
    parentIndex: z.int().min(-1).meta({ description: "Index of the parent in this list; -1 at the top level" }),
    depth: Count,
    descendantCount: Count,
    service: z.string(),
    name: z.string(),
    kind: KindName,
    status: StatusName,
    statusMessage: z.string(),
    startNano: NanoString,
    durationNano: NanoNumber,
    selfNano: NanoNumber.meta({ description: "Time covered by none of its children" }),
    orphan: z.boolean(),
    skewNano: z
      .number()
      .meta({ description: "Estimated clock offset to add to the start so that it fits its parent; 0: none seen" }),
  })
  .meta({ id: "TreeSpan" });
export type TreeSpan = z.infer<typeof TreeSpan>;

export const TraceTreeAnswer = z
  .object({
    traceId: z.string(),
    startNano: NanoString,
    durationNano: NanoNumber,
    spanCount: Count,
    errorCount: Count,
    serviceCount: Count,
    completeness: Completeness,
    spans: z.array(TreeSpan),
    scan: Scan,
  })
  .meta({ id: "TraceTreeAnswer" });
export type TraceTreeAnswer = z.infer<typeof TraceTreeAnswer>;

export const SpanEventJson = z.object({
  timeNano: NanoString,
  name: z.string(),
  attributes: z.array(KeyValueJson),
  droppedAttributesCount: Count,
});
export type SpanEventJson = z.infer<typeof SpanEventJson>;

export const SpanLinkJson = z.object({
  traceId: z.string(),
  spanId: z.string(),
  traceState: z.string(),
  flags: Count,
  attributes: z.array(KeyValueJson),
  droppedAttributesCount: Count,
});
export type SpanLinkJson = z.infer<typeof SpanLinkJson>;

/** One span with everything that was sent. */
export const SpanDetail = z
  .object({
    traceId: z.string(),
    spanId: z.string(),
    parentSpanId: z.string().nullable(),
    service: z.string(),
    name: z.string(),
    kind: KindName,
    startNano: NanoString,
    durationNano: NanoString,
    status: z.object({ code: StatusName, message: z.string() }),
    traceState: z.string(),
    flags: Count,
    attributes: z.array(KeyValueJson),
    droppedAttributesCount: Count,
    events: z.array(SpanEventJson),
    droppedEventsCount: Count,
    links: z.array(SpanLinkJson),
    droppedLinksCount: Count,
    resource: z.object({ attributes: z.array(KeyValueJson), droppedAttributesCount: Count, schemaUrl: z.string() }),
    scope: z.object({
      name: z.string(),
      version: z.string(),
      attributes: z.array(KeyValueJson),
      droppedAttributesCount: Count,
      schemaUrl: z.string(),
    }),
    anomalies: z.array(z.enum(["endBeforeStart", "timeClamped", "textRepaired", "startMissing"])),
  })
  .meta({ id: "SpanDetail" });
export type SpanDetail = z.infer<typeof SpanDetail>;
