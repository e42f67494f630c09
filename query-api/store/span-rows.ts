/** Spans as the trace search reads them, and what is said of a trace from all of its spans. */
import type { MatchedSpan, SpanGroup, TraceSummary } from "@callchain/schemas/api/traces.ts";
import { SPAN_KINDS, STATUS_CODES, type SpanKind, type StatusCode } from "@callchain/schemas/span/span.ts";

/** The columns of a SpanFactsRow. Names differ from the table's, which conditions of the same statement mean. */
export const SPAN_FACTS_SQL = `lower(hex(span_id)) AS span, service AS span_service, name AS span_name, kind AS span_kind,
  status AS span_status, toUnixTimestamp64Nano(start) AS start_nano, duration_nano AS span_duration`;

export interface SpanFactsRow {
  readonly span: string;
  readonly span_service: string;
  readonly span_name: string;
  readonly span_kind: number;
  readonly span_status: number;
  readonly start_nano: string;
  readonly span_duration: string;
}

/** What a list says of a span. */
export interface SpanFacts {
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKind;
  readonly status: StatusCode;
  readonly startNano: string;
  readonly durationNano: number;
}

export function buildSpanFacts(row: SpanFactsRow): SpanFacts {
  return {
    service: row.span_service,
    name: row.span_name,
    kind: SPAN_KINDS[row.span_kind] ?? "unspecified",
    status: STATUS_CODES[row.span_status] ?? "unset",
    startNano: row.start_nano,
    durationNano: Number(row.span_duration),
  };
}

/** The columns of a SpanRow, but for `id`. */
export const SPAN_ROW_SQL = `lower(hex(parent_span_id)) AS parent, ${SPAN_FACTS_SQL}`;

export interface SpanRow extends SpanFactsRow {
  /** Of the trace. */
  readonly id: string;
  readonly parent: string;
}

/** Columns that tell a span from all others of its trace, beside its start: two spans of one call may share an id. */
export const SPAN_KEY_SQL = "lower(hex(span_id)) AS span, kind AS span_kind, duration_nano AS span_duration";
export type SpanKeyRow = Pick<SpanRow, "span" | "span_kind" | "span_duration">;

export function spanKeyOf(traceId: string, startNano: string, row: SpanKeyRow): string {
  return `${traceId} ${startNano} ${row.span} ${row.span_kind} ${row.span_duration}`;
}

/** How many spans of a trace matched, and the first of them by start. */
export interface Match {
  readonly count: number;
  readonly first: readonly MatchedSpan[];
  /** Of a query with by(). */
  readonly groups: readonly SpanGroup[];
}

export const NO_MATCH: Match = { count: 0, first: [], groups: [] };
export const MATCHED_SPANS_MAX = 3;

const NO_PARENT = "0".repeat(16);
const STATUS_ERROR = STATUS_CODES.indexOf("error");
/** Nothing ends later: where a duration leads past the end of time, time ends. */
const NANO_MAX = 2n ** 63n - 1n;

/** Copies of a span (exporters may send twice) count once: they are equal in every column. */
export function withoutCopies<R extends SpanRow>(rows: readonly R[]): R[] {
  return [...new Map(rows.map((row) => [JSON.stringify(Object.values(row)), row])).values()];
}

/** `rows` without copies. */
export function buildMatch(rows: readonly SpanRow[]): Match {
  const first = rows.toSorted(byStart).slice(0, MATCHED_SPANS_MAX);
  return { count: rows.length, first: first.map((row) => buildMatchedSpan(row, [])), groups: [] };
}

function compareNano(a: string, b: string): number {
  const [x, y] = [BigInt(a), BigInt(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byStart(a: SpanRow, b: SpanRow): number {
  return compareNano(a.start_nano, b.start_nano) || compareTexts(a.span, b.span);
}

export function buildMatchedSpan(row: SpanRow, attributes: MatchedSpan["attributes"]): MatchedSpan {
  return {
    spanId: row.span,
    service: row.span_service,
    name: row.span_name,
    startNano: row.start_nano,
    durationNano: Number(row.span_duration),
    status: STATUS_CODES[row.span_status] ?? "unset",
    attributes,
  };
}

/** All spans of one trace, at least one, without copies -> its summary. */
export function buildSummary(id: string, rows: readonly SpanRow[], match: Match): TraceSummary {
  const services = new Map<string, { name: string; spanCount: number; errorCount: number }>();
  let [from, to] = [NANO_MAX, 0n];
  for (const row of rows) {
    const service = services.get(row.span_service) ?? { name: row.span_service, spanCount: 0, errorCount: 0 };
    service.spanCount += 1;
    service.errorCount += row.span_status === STATUS_ERROR ? 1 : 0;
    services.set(row.span_service, service);
    const start = BigInt(row.start_nano);
    const end = start + BigInt(row.span_duration);
    if (start < from) from = start;
    if (end > to) to = end > NANO_MAX ? NANO_MAX : end;
  }
  const roots = rows.filter(({ parent }) => parent === NO_PARENT).toSorted(byStart);
  const spanIds = new Set(rows.map(({ span }) => span));
  const isJoined = rows.every(({ parent }) => parent === NO_PARENT || spanIds.has(parent));
  return {
    traceId: id,
    rootService: roots[0]?.span_service ?? null,
    rootName: roots[0]?.span_name ?? null,
    startNano: from.toString(),
    durationNano: Number(to - from),
    spanCount: rows.length,
    errorCount: rows.filter((row) => row.span_status === STATUS_ERROR).length,
    services: [...services.values()].toSorted((a, b) => b.spanCount - a.spanCount),
    matchedSpanCount: match.count,
    matchedSpans: [...match.first],
    groups: [...match.groups],
    complete: roots.length === 1 && isJoined,
  };
}
