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

export interface TraceSummaries {
  readonly byId: ReadonlyMap<string, TraceSummary>;
  readonly scans: readonly ScanFigures[];
}

export async function summarizeTraces(
  keys: readonly TraceKey[],
  range: TimeRange,
  { where, params }: CompiledQuery,
  { database, signal }: Asking,
): Promise<TraceSummaries> {
  if (keys.length === 0) return { byId: new Map(), scans: [] };
  const ids = Object.fromEntries(keys.map(({ traceId }, at) => [`trace${at}`, traceId]));
  const placeholders = Object.keys(ids)
    .map((name) => `toFixedString(unhex({${name}:String}), 16)`)
    .join(", ");
  const options = { signal, timeoutMs: TIMEOUT_MS };
  const [summaries, matches] = await Promise.all([
    database.query<SummaryRow>(SUMMARY_SQL(placeholders), { params: ids, ...options }),
    database.query<MatchRow>(MATCHES_SQL(placeholders, where), {
      params: { ...params, ...rangeParams(range), ...ids },
      ...options,
    }),
  ]);
  const matchesOf = new Map(matches.rows.map((row) => [row.id, row]));
  return {
    byId: new Map(summaries.rows.map((row) => [row.id, buildSummary(row, matchesOf.get(row.id))])),
    scans: [summaries.scan, matches.scan],
  };
}

function buildSummary(row: SummaryRow, match: MatchRow | undefined): TraceSummary {
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
    matchedSpanCount: Number(match?.matches ?? 0),
    matchedSpans: (match?.matched_spans ?? []).map(([startNano, spanId, service, name, duration, status]): MatchedSpan => ({
      spanId,
      service,
      name,
      startNano,
      durationNano: Number(duration),
      status: STATUS_CODES[status] ?? "unset",
    })),
    complete: row.roots === "1" && Boolean(row.joined),
  };
}
