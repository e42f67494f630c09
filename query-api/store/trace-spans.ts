/** Whole spans of traces, as they were sent. */
import { SPAN_SELECT, parseSpanRow } from "@callchain/schemas/clickhouse/rows.ts";
import type { SpanId, TraceId } from "@callchain/schemas/span/ids.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { traceIdSql } from "@callchain/schemas/clickhouse/id-sql.ts";
import { OPENED_TRACE, type Asking } from "./range.ts";

const TIMEOUT_MS = 30_000;
/** Spans held as objects at a time. */
const BATCH_SPAN_COUNT = 2_000;

/** What exporters sent twice comes once: copies are equal in all of this. */
const WITHOUT_COPIES =
  "LIMIT 1 BY spans.trace_id, spans.span_id, spans.parent_span_id, spans.start, spans.duration_nano, spans.name, spans.kind, spans.status, cityHash64(spans.attr_word, spans.attr_string)";
/** Numbers as texts where they could be rounded, see SPAN_SELECT. */
const SETTINGS = { optimize_read_in_order: 0, output_format_json_quote_64bit_integers: 1 };

/** Two spans of one call may share their id and even their start. */
const ORDER = "ORDER BY spans.trace_id, spans.start, spans.span_id, spans.kind, spans.name, spans.duration_nano";

/** All spans by start in batches; nothing where the trace is unknown. */
export function readTraceSpans(id: TraceId, asking: Asking): AsyncGenerator<Span[]> {
  return readSpansOf([id], asking, OPENED_TRACE);
}

/** All spans of the traces by trace id and start, in batches that may hold several traces. `ids` has at least one. */
export async function* readSpansOf(ids: readonly TraceId[], { database, signal }: Asking, settings = {}): AsyncGenerator<Span[]> {
  const sql = `SELECT ${SPAN_SELECT} FROM spans WHERE trace_id IN (${ids.map(traceIdSql).join(", ")}) ${ORDER} ${WITHOUT_COPIES} FORMAT JSONEachRow`;
  const lines = readLines(await database.stream(sql, { signal, timeoutMs: TIMEOUT_MS, settings: { ...SETTINGS, ...settings } }));
  let batch: Span[] = [];
  for await (const line of lines) {
    batch.push(parseSpanRow(JSON.parse(line)));
    if (batch.length < BATCH_SPAN_COUNT) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** One span; where several share the id, the earliest of them. null where it is not stored. */
export async function getSpan(id: TraceId, spanId: SpanId, { database, signal }: Asking): Promise<Span | null> {
  const sql = `SELECT ${SPAN_SELECT} FROM spans WHERE trace_id = ${traceIdSql(id)} AND span_id = toFixedString(unhex({spanId:String}), 8) ORDER BY spans.start LIMIT 1`;
  const { rows } = await database.query<unknown>(sql, {
    params: { spanId },
    signal,
    timeoutMs: TIMEOUT_MS,
    settings: { ...SETTINGS, ...OPENED_TRACE },
  });
  return rows.length === 0 ? null : parseSpanRow(rows[0]);
}

async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}
