/**
 * What a search shows of each trace, over all of its spans whenever they started. A page's traces are few and mostly small: their spans
 * are read in one plain statement and summed up here, which costs half of having the server do it. The server counts what is large.
 */
import type { TraceSummary } from "@callchain/schemas/api/traces.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import type { CompiledQuery } from "../search/compile.ts";
import { SUMMARY_TIMEOUT_MS, findMatches, summarizeLargeTraces, type Condition, type FoundMatches } from "./large-traces.ts";
import { IN_RANGE, instantSql, rangeParams, traceIdSql, type Asking, type TimeRange } from "./range.ts";
import {
  NO_MATCH,
  SPAN_ROW_SQL,
  buildMatch,
  buildSummary,
  joinMatches,
  withoutCopies,
  type Match,
  type SpanRow,
} from "./span-rows.ts";

/** Spans of a page read in all; a trace with more than its share is summed up by the server. */
const PAGE_SPAN_COUNT_MAX = 20_000;
const TRACE_SPAN_COUNT_MIN = 100;

/**
 * Where the matching spans come from: told with the spans themselves ("told", for conditions that read no more than a summary does), or
 * found before ("seen"): all of them that start after `untilNano`, null for all there are.
 */
export type Matching =
  | { readonly kind: "told" }
  | { readonly kind: "seen"; readonly rows: readonly SpanRow[]; readonly untilNano: bigint | null };

export interface TraceSummaries {
  readonly byId: ReadonlyMap<string, TraceSummary>;
  readonly scans: readonly ScanFigures[];
}

/** `ids` distinct, 200 at most; `compiled` is the search's condition, which holds in `range`. */
export async function summarizeTraces(
  ids: readonly string[],
  range: TimeRange,
  compiled: CompiledQuery,
  matching: Matching,
  asking: Asking,
): Promise<TraceSummaries> {
  if (ids.length === 0) return { byId: new Map(), scans: [] };
  const condition: Condition = {
    sql: `${IN_RANGE} AND ${compiled.where}`,
    params: { ...compiled.params, ...rangeParams(range) },
  };
  const spanCountMax = Math.max(TRACE_SPAN_COUNT_MIN, Math.floor(PAGE_SPAN_COUNT_MAX / ids.length));
  const [spans, found] = await Promise.all([
    readSpans(ids, spanCountMax + 1, matching.kind === "told" ? condition : null, asking),
    matching.kind === "told" ? NOTHING_FOUND : completeMatches(ids, condition, matching, asking),
  ]);
  const byTrace = Map.groupBy(spans.rows, ({ id }) => id);
  const large = [...byTrace].flatMap(([id, rows]) => (rows.length > spanCountMax ? [id] : []));
  const summaries = new Map<string, TraceSummary>();
  for (const [id, rows] of byTrace) {
    const match = found.byId.get(id) ?? buildMatch(withoutCopies(rows.filter(({ matched }) => matched === 1)));
    summaries.set(id, buildSummary(id, withoutCopies(rows), match));
  }
  const scans = [spans.scan, ...found.scans];
  if (large.length > 0) {
    const counted = matching.kind === "told" ? await findMatches(large, condition, asking) : found;
    const answer = await summarizeLargeTraces(large, counted.byId, asking);
    for (const summary of answer.summaries) summaries.set(summary.traceId, summary);
    scans.push(answer.scan, ...(counted === found ? [] : counted.scans));
  }
  return { byId: summaries, scans };
}

const NOTHING_FOUND: FoundMatches = { byId: new Map(), scans: [] };

type TaggedRow = SpanRow & { readonly matched: number };

/** Spans of each trace, up to `spanCountMax` of each. Indexes first: read along with the data, they would leave far more of it to look at. */
async function readSpans(
  ids: readonly string[],
  spanCountMax: number,
  condition: Condition | null,
  { database, signal }: Asking,
): Promise<{ rows: TaggedRow[]; scan: ScanFigures }> {
  return await database.query<TaggedRow>(
    `SELECT lower(hex(trace_id)) AS id, ${SPAN_ROW_SQL}, ${condition === null ? "0" : `toUInt8(${condition.sql})`} AS matched
     FROM spans WHERE trace_id IN (${ids.map(traceIdSql).join(", ")}) LIMIT ${spanCountMax} BY trace_id`,
    {
      params: condition?.params ?? {},
      signal,
      timeoutMs: SUMMARY_TIMEOUT_MS,
      settings: { use_skip_indexes_on_data_read: 0 },
    },
  );
}

/** The spans seen, and those that the search stopped short of. */
async function completeMatches(
  ids: readonly string[],
  { sql, params }: Condition,
  { rows, untilNano }: Matching & { kind: "seen" },
  asking: Asking,
): Promise<FoundMatches> {
  const seen = withoutCopies(untilNano === null ? rows : rows.filter((row) => BigInt(row.start_nano) > untilNano));
  const seenOf = Map.groupBy(seen, ({ id }) => id);
  const rest =
    untilNano === null
      ? NOTHING_FOUND
      : await findMatches(
          ids,
          { sql: `${sql} AND start <= ${instantSql("until")}`, params: { ...params, until: untilNano.toString() } },
          asking,
        );
  const matchOf = (id: string): Match => joinMatches(buildMatch(seenOf.get(id) ?? []), rest.byId.get(id) ?? NO_MATCH);
  return { byId: new Map(ids.map((id) => [id, matchOf(id)])), scans: rest.scans };
}
