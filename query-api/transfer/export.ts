/** Whole traces as lines of OTLP/JSON, page by page of a search, so that neither the traces nor their ids are ever held in full. */
import type { TraceSummary } from "@callchain/schemas/api/traces.ts";
import { buildTracesJson } from "@callchain/schemas/otlp/export.ts";
import { parseTraceId, type TraceId } from "@callchain/schemas/span/ids.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import type { Asking } from "../store/range.ts";
import type { TraceKey } from "../store/trace-keys.ts";
import { readSpansOf } from "../store/trace-spans.ts";
import { findTraces, type TraceQuestion } from "../store/traces.ts";

export const EXPORT_TRACE_COUNT_MAX = 100_000;
const PAGE_TRACE_COUNT = 200;
/** Spans of the traces that one statement reads; a larger trace has its own. */
const READ_SPAN_COUNT = 5_000;

/** A line is a trace, or 2,000 spans of a larger one. Traces newest first by page, spans by start. */
export async function* exportTraces(question: Omit<TraceQuestion, "sort" | "after">, asking: Asking): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const reasons = new Set<string>();
  let after: TraceKey | null = null;
  for (let left = question.limit; left > 0;) {
    const limit = Math.min(PAGE_TRACE_COUNT, left);
    const page = await findTraces({ ...question, limit, sort: "newest", after }, asking);
    if (page.scan.partialReason !== null) reasons.add(page.scan.partialReason);
    for (const ids of groupBySize(page.traces)) {
      for await (const spans of readSpansOf(ids, asking)) yield encoder.encode(formatLines(spans));
    }
    left -= limit;
    after = page.last;
    if (after === null) break;
  }
  if (after !== null)
    reasons.add(`These are the newest ${question.limit} traces; there are more: raise limit or narrow the time range.`);
  if (reasons.size > 0) yield encoder.encode(formatCut([...reasons].join(" ")));
}

/** Ids of traces that are read together. */
function groupBySize(traces: readonly TraceSummary[]): TraceId[][] {
  const groups: TraceId[][] = [];
  let spanCount = Infinity;
  for (const trace of traces) {
    if (spanCount + trace.spanCount > READ_SPAN_COUNT) {
      groups.push([]);
      spanCount = 0;
    }
    groups.at(-1)?.push(parseTraceId(trace.traceId));
    spanCount += trace.spanCount;
  }
  return groups;
}

/** A line per trace. */
function formatLines(spans: readonly Span[]): string {
  return [...Map.groupBy(spans, ({ traceId }) => traceId).values()]
    .map((trace) => `${JSON.stringify(buildTracesJson(trace))}\n`)
    .join("");
}

/** OTLP/JSON too: readers pass over fields that they do not know. */
function formatCut(reason: string): string {
  return `${JSON.stringify({ resourceSpans: [], callchain: { cut: reason } })}\n`;
}
