/** Summaries and matches counted by the server: of traces with too many spans to read them, and of spans whose attributes must be asked. */
import { STATUS_CODES } from "@callchain/schemas/span/span.ts";
import type { TraceSummary } from "@callchain/schemas/api/traces.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { traceIdSql } from "@callchain/schemas/clickhouse/id-sql.ts";
import { NO_PARENT, type Asking } from "./range.ts";
import { MATCHED_SPANS_MAX, NO_MATCH, type Match } from "./span-rows.ts";

export const SUMMARY_TIMEOUT_MS = 10_000;

/** Copies of a span (exporters may send twice) count once. */
const distinctSpans = (ids: readonly string[], condition: string): string => `
    SELECT DISTINCT
        trace_id, span_id, parent_span_id, toString(service) AS service, toString(name) AS name, kind, status, duration_nano,
        toUnixTimestamp64Nano(start) AS from, from + toInt64(least(duration_nano, 9223372036854775807 - from)) AS to,
        parent_span_id = ${NO_PARENT} AS is_root
    FROM spans
    WHERE trace_id IN (${ids.map(traceIdSql).join(", ")}) AND ${condition}`;

const summarySql = (ids: readonly string[]): string => `
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
FROM (${distinctSpans(ids, "1")})
GROUP BY trace_id`;

const matchesSql = (ids: readonly string[], condition: string): string => `
SELECT
    lower(hex(trace_id)) AS id,
    count() AS matches,
    groupArraySorted(${MATCHED_SPANS_MAX})((from, lower(hex(span_id)), service, name, duration_nano, status)) AS matched_spans
FROM (${distinctSpans(ids, condition)})
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

export interface FoundMatches {
  readonly byId: ReadonlyMap<string, Match>;
  readonly scans: readonly ScanFigures[];
}

/** A condition over the columns of `spans`, with what is bound in it. */
export interface Condition {
  readonly sql: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** What matches in each of these traces; by itself, since its indexes keep the attributes of everything else in them unread. */
export async function findMatches(
  ids: readonly string[],
  condition: Condition,
  { database, signal }: Asking,
): Promise<FoundMatches> {
  const options = { params: condition.params, signal, timeoutMs: SUMMARY_TIMEOUT_MS };
  const { rows, scan } = await database.query<MatchRow>(matchesSql(ids, condition.sql), options);
  return { byId: new Map(rows.map((row) => [row.id, buildMatch(row)])), scans: [scan] };
}

function buildMatch({ matches, matched_spans }: MatchRow): Match {
  const first = matched_spans.map(([startNano, spanId, service, name, duration, status]) => ({
    spanId,
    service,
    name,
    startNano,
    durationNano: Number(duration),
    status: STATUS_CODES[status] ?? "unset",
    attributes: [],
  }));
  return { count: Number(matches), first, groups: [] };
}

/** Summaries of these traces, of any size. */
export async function summarizeLargeTraces(
  ids: readonly string[],
  matches: ReadonlyMap<string, Match>,
  { database, signal }: Asking,
): Promise<{ summaries: TraceSummary[]; scan: ScanFigures }> {
  const options = { signal, timeoutMs: SUMMARY_TIMEOUT_MS };
  const { rows, scan } = await database.query<SummaryRow>(summarySql(ids), options);
  return { summaries: rows.map((row) => buildSummary(row, matches.get(row.id) ?? NO_MATCH)), scan };
}

function buildSummary(row: SummaryRow, match: Match): TraceSummary {
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
    matchedSpanCount: match.count,
    matchedSpans: [...match.first],
    groups: [...match.groups],
    complete: row.roots === "1" && Boolean(row.joined),
  };
}
