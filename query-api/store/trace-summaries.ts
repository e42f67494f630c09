/** What a search shows of each trace, over all of its spans whenever they started. */
import { STATUS_CODES } from "@callchain/schemas/span/span.ts";
import type { MatchedSpan, TraceSummary } from "@callchain/schemas/api/traces.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import type { CompiledQuery } from "../search/compile.ts";
import { IN_RANGE, NO_PARENT, rangeParams, type Asking, type TimeRange } from "./range.ts";
import type { TraceKey } from "./traces.ts";

const TIMEOUT_MS = 10_000;

/** Copies of a span (exporters may send twice) count once. */
const DISTINCT_SPANS = (ids: string, condition: string): string => `
    SELECT DISTINCT
        trace_id, span_id, parent_span_id, toString(service) AS service, toString(name) AS name, kind, status, duration_nano,
        toUnixTimestamp64Nano(start) AS from, from + toInt64(least(duration_nano, 9223372036854775807 - from)) AS to,
        parent_span_id = ${NO_PARENT} AS is_root
    FROM spans
    WHERE trace_id IN (${ids}) AND ${condition}`;

const SUMMARY_SQL = (ids: string): string => `
SELECT
    lower(hex(trace_id)) AS id,
    min(from) AS start,
    max(to) - min(from) AS duration,
    count() AS spans,
    countIf(status = 2) AS errors,
    sumMap([service], [toUInt64(1)]) AS service_spans,
    sumMap([service], [toUInt64(status = 2)]) AS service_errors,
    countIf(is_root) AS roots,
    argMinIf((service, name), (from, span_id), is_root) AS root,
    groupUniqArrayIf(parent_span_id, NOT is_root) AS parents,
    length(arrayIntersect(parents, groupUniqArray(span_id))) = length(parents) AS joined
FROM (${DISTINCT_SPANS(ids, "1")})
GROUP BY trace_id`;

/** By itself, since its condition may need attributes: its indexes keep the maps of everything else in those traces unread. */
const MATCHES_SQL = (ids: string, where: string): string => `
SELECT
    lower(hex(trace_id)) AS id,
    count() AS matches,
    groupArraySorted(3)((from, lower(hex(span_id)), service, name, duration_nano, status)) AS matched_spans
FROM (${DISTINCT_SPANS(ids, `${IN_RANGE} AND ${where}`)})
GROUP BY trace_id`;

interface SummaryRow {
  readonly id: string;
  readonly start: string;
  readonly duration: string;
  readonly spans: string;
  readonly errors: string;
  readonly service_spans: readonly [names: readonly string[], counts: readonly string[]];
  readonly service_errors: readonly [names: readonly string[], counts: readonly string[]];
  readonly roots: string;
  readonly root: readonly [service: string, name: string];
  readonly joined: number;
}

interface MatchRow {
  readonly id: string;
  readonly matches: string;
  readonly matched_spans: readonly (readonly [
    start: string,
    id: string,
    service: string,
    name: string,
    duration: string,
    status: number,
  ])[];
}

/** By trace id: how many spans matched, and the first of them. */
export type Matches = ReadonlyMap<string, { readonly count: number; readonly first: readonly MatchedSpan[] }>;

/** A matching span as the search's first step can bring it along. */
export interface MatchedRow {
  readonly span: string;
  readonly parent: string;
  readonly span_service: string;
  readonly span_name: string;
  readonly span_duration: string;
  readonly span_kind: number;
  readonly span_status: number;
}

const MATCHED_SPANS_MAX = 3;

/** `key` is the start. Copies count once, as in the statements above. */
export function groupMatches(rows: readonly (MatchedRow & { readonly id: string; readonly key: string })[]): Matches {
  const distinct = new Map(rows.map((row) => [JSON.stringify(row), row]));
  const byTrace = Map.groupBy(distinct.values(), ({ id }) => id);
  return new Map(
    [...byTrace].map(([id, spans]) => {
      const first = spans
        .toSorted((a, b) => Number(BigInt(a.key) - BigInt(b.key)) || (a.span < b.span ? -1 : 1))
        .slice(0, MATCHED_SPANS_MAX)
        .map((row) => buildMatchedSpan([row.key, row.span, row.span_service, row.span_name, row.span_duration, row.span_status]));
      return [id, { count: spans.length, first }];
    }),
  );
}

async function findMatches(
  ids: string,
  params: Readonly<Record<string, unknown>>,
  where: string,
  { database, signal }: Asking,
): Promise<{ matches: Matches; scans: ScanFigures[] }> {
  const { rows, scan } = await database.query<MatchRow>(MATCHES_SQL(ids, where), { params, signal, timeoutMs: TIMEOUT_MS });
  const matches = new Map(
    rows.map((row) => [row.id, { count: Number(row.matches), first: row.matched_spans.map(buildMatchedSpan) }]),
  );
  return { matches, scans: [scan] };
}

export interface TraceSummaries {
  readonly byId: ReadonlyMap<string, TraceSummary>;
  readonly scans: readonly ScanFigures[];
}

export async function summarizeTraces(
  keys: readonly TraceKey[],
  range: TimeRange,
  { where, params }: CompiledQuery,
  known: Matches | null,
  asking: Asking,
): Promise<TraceSummaries> {
  if (keys.length === 0) return { byId: new Map(), scans: [] };
  const ids = Object.fromEntries(keys.map(({ traceId }, at) => [`trace${at}`, traceId]));
  const placeholders = Object.keys(ids)
    .map((name) => `toFixedString(unhex({${name}:String}), 16)`)
    .join(", ");
  const [summaries, { matches, scans }] = await Promise.all([
    asking.database.query<SummaryRow>(SUMMARY_SQL(placeholders), { params: ids, signal: asking.signal, timeoutMs: TIMEOUT_MS }),
    known === null
      ? findMatches(placeholders, { ...params, ...rangeParams(range), ...ids }, where, asking)
      : { matches: known, scans: [] },
  ]);
  return {
    byId: new Map(summaries.rows.map((row) => [row.id, buildSummary(row, matches)])),
    scans: [summaries.scan, ...scans],
  };
}

function buildMatchedSpan([startNano, spanId, service, name, duration, status]: MatchRow["matched_spans"][number]): MatchedSpan {
  return { spanId, service, name, startNano, durationNano: Number(duration), status: STATUS_CODES[status] ?? "unset" };
}

function buildSummary(row: SummaryRow, matches: Matches): TraceSummary {
  const match = matches.get(row.id);
  const hasRoot = row.roots !== "0";
  const errorsOf = new Map(row.service_errors[0].map((name, at) => [name, Number(row.service_errors[1][at] ?? 0)]));
  return {
    traceId: row.id,
    rootService: hasRoot ? row.root[0] : null,
    rootName: hasRoot ? row.root[1] : null,
    startNano: row.start,
    durationNano: Number(row.duration),
    spanCount: Number(row.spans),
    errorCount: Number(row.errors),
    services: row.service_spans[0]
      .map((name, at) => ({ name, spanCount: Number(row.service_spans[1][at] ?? 0), errorCount: errorsOf.get(name) ?? 0 }))
      .toSorted((a, b) => b.spanCount - a.spanCount),
    matchedSpanCount: match?.count ?? 0,
    matchedSpans: [...(match?.first ?? [])],
    complete: row.roots === "1" && Boolean(row.joined),
  };
}
