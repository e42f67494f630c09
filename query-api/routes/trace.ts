/** `GET /traces/{id}` in its views, and `GET /traces/{id}/spans/{spanId}`. */
import { CLOCKS_MEDIA_TYPE, SKELETON_MEDIA_TYPE } from "@callchain/schemas/api/skeleton.ts";
import { SpanDetail, TraceTreeAnswer } from "@callchain/schemas/api/traces.ts";
import { buildTracesJson, encodeTraces } from "@callchain/schemas/otlp/export.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { parseSpanId, type SpanId, type TraceId } from "@callchain/schemas/span/ids.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { z } from "zod";
import { buildCallTree } from "../analysis/tree.ts";
import { readStatusMessages, readTraceColumns } from "../store/trace-columns.ts";
import { getSpan, readTraceSpans } from "../store/trace-spans.ts";
import { pathParam, queryParam } from "./params.ts";
import { BytesReply, defineRoute, type RouteContext } from "./route.ts";
import { encodeClocks, encodeSkeleton } from "../analysis/trace-skeleton.ts";
import { buildSpanDetail, buildTreeAnswer } from "../analysis/trace-tree.ts";

const PROTOBUF = "application/x-protobuf";
const PROTOBUF_ALIAS = "application/protobuf";

/** OTLP/JSON is described by opentelemetry-proto; here only its frame. */
export const OtlpTraces = z
  .object({ resourceSpans: z.array(z.record(z.string(), z.unknown())) })
  .meta({ id: "OtlpTracesData", description: "OTLP/JSON TracesData" });

export const getTrace = defineRoute({
  path: "/traces/{id}",
  summary: "A whole trace: as it was sent (OTLP JSON or protobuf by Accept), as the rebuilt call tree, or as columns",
  params: {
    id: pathParam.traceId("Trace id"),
    view: queryParam.oneOf(
      ["otlp", "tree", "skeleton", "clocks"],
      "otlp",
      "otlp: everything; tree: the call tree with what is missing; skeleton: the tree as columns, streamed, for drawing; clocks: what to add to each of its starts so that the clocks agree",
    ),
    span: queryParam.parsed(
      "A span to read with the spans above it, where a trace is too large to be read whole",
      "16 hex digits, not all zero",
      parseSpanId,
    ),
  },
  answer: z.union([OtlpTraces, TraceTreeAnswer]),
  otherMediaTypes: new Map([
    [PROTOBUF, "OTLP TracesData in protobuf"],
    [SKELETON_MEDIA_TYPE, "view=skeleton: frames described in schemas/api/skeleton.ts"],
    [CLOCKS_MEDIA_TYPE, "view=clocks: nanoseconds as little-endian float64, in the order of the skeleton's rows"],
  ]),
  mayBeMissing: true,
  handle: ({ id, view, span }, context) => (view === "otlp" ? answerOtlp(id, context) : answerTree(id, view, span, context)),
});

export const getTraceSpan = defineRoute({
  path: "/traces/{id}/spans/{spanId}",
  summary: "One span with everything that was sent",
  params: { id: pathParam.traceId("Trace id"), spanId: pathParam.spanId("Span id") },
  answer: SpanDetail,
  mayBeMissing: true,
  handle: async ({ id, spanId }, context) => {
    const span = await getSpan(id, spanId, context);
    if (span === null) throw new Failure("not_found", `trace ${id} has no span ${spanId} here`);
    return buildSpanDetail(span);
  },
});

/** What a question about a trace answers where nothing of it is stored. */
export function missingTrace(id: TraceId): Failure {
  return new Failure(
    "not_found",
    `no span of trace ${id} is stored: it may not have arrived yet, or may have passed its retention`,
  );
}

async function answerTree(
  id: TraceId,
  view: "tree" | "skeleton" | "clocks",
  spanId: SpanId | null,
  context: RouteContext,
): Promise<TraceTreeAnswer | BytesReply> {
  const [found, messages] = await Promise.all([
    readTraceColumns(id, context, { spanId }),
    view === "tree" ? readStatusMessages(id, context) : null,
  ]);
  if (found === null) throw missingTrace(id);
  const tree = buildCallTree(found.columns);
  if (messages !== null) return buildTreeAnswer(id, tree, found, messages);
  if (view === "clocks") return new BytesReply(CLOCKS_MEDIA_TYPE, encodeClocks(tree));
  return new BytesReply(SKELETON_MEDIA_TYPE, encodeSkeleton(id, tree, found));
}

async function answerOtlp(id: TraceId, context: RouteContext): Promise<BytesReply> {
  const mediaType = context.accepts("application/json", PROTOBUF, PROTOBUF_ALIAS) ?? "application/json";
  const batches = readTraceSpans(id, context);
  const first = await batches.next();
  if (first.done === true) throw missingTrace(id);
  const all = prepend(first.value, batches);
  return new BytesReply(mediaType, mediaType === "application/json" ? encodeJson(all) : encodeProtobuf(all));
}

async function* prepend(first: Span[], rest: AsyncIterable<Span[]>): AsyncGenerator<Span[]> {
  yield first;
  yield* rest;
}

/** Concatenated messages of protobuf are one message with all of their repeated fields. */
async function* encodeProtobuf(batches: AsyncIterable<Span[]>): AsyncGenerator<Uint8Array> {
  for await (const batch of batches) yield encodeTraces(batch);
}

/** `{"resourceSpans":[...]}` batch by batch, so that a large trace is never held as one text. */
async function* encodeJson(batches: AsyncIterable<Span[]>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const frame = JSON.stringify(buildTracesJson([])).length - "]}".length;
  let isFirst = true;
  for await (const batch of batches) {
    const items = JSON.stringify(buildTracesJson(batch)).slice(frame, -"]}".length);
    yield encoder.encode(`${isFirst ? '{"resourceSpans":[' : ","}${items}`);
    isFirst = false;
  }
  yield encoder.encode("]}");
}
