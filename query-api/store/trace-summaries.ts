/**
 * What a search shows of each trace, over all of its spans whenever they started. A page's traces are few and mostly small: their spans
 * are read in one plain statement and summed up here, which costs half of having the server do it. The server counts what is large.
 */
import type { TraceSummary } from "@callchain/schemas/api/traces.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import type { CompiledQuery } from "../search/compile.ts";
import { SUMMARY_TIMEOUT_MS, findMatches, summarizeLargeTraces, type Condition, type FoundMatches } from "./large-traces.ts";
import { traceIdSql } from "@callchain/schemas/clickhouse/id-sql.ts";
import { SMALL_READ, IN_RANGE, rangeParams, type Asking, type TimeRange } from "./range.ts";
import {
  NO_MATCH,
  SPAN_ROW_SQL,
  buildMatch,
  buildSummary,
  spanKeyOf,
  withoutCopies,
  type Match,
  type SpanRow,
} from "./span-rows.ts";

/** Spans of a page read in all; a trace with more than its share is summed up by the server. */
const PAGE_SPAN_COUNT_MAX = 20_000;
const TRACE_SPAN_COUNT_MIN = 100;

/**
 * Where the matching spans come from: told with the spans themselves ("told", for conditions that read no more than a summary does),
 * found before ("seen"): `keys` are the span keys of all that start after `untilNano`, null for all there are; or known in full ("known").
 */
export type Matching =
  | { readonly kind: "told" }
  | { readonly kind: "known"; readonly byId: ReadonlyMap<string, Match> }
  | { readonly kind: "seen"; readonly keys: ReadonlySet<string>; readonly untilNano: bigint | null };

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
  const spans = await readSpans(ids, spanCountMax + 1, matching.kind === "told" ? condition : null, asking);
  const byTrace = Map.groupBy(spans.rows, ({ id }) => id);
  const large = [...byTrace].flatMap(([id, rows]) => (rows.length > spanCountMax ? [id] : []));
  const isMatch = (row: TaggedRow): boolean =>
    matching.kind === "seen" ? matching.keys.has(spanKeyOf(row.id, row.start_nano, row)) : row.matched === 1;
  const open = [...byTrace].flatMap(([id, rows]) => (rows.length > spanCountMax || reachesBack(rows, matching) ? [id] : []));
  const found = await findOpenMatches(open, condition, matching, asking);
  const summaries = new Map<string, TraceSummary>();
  for (const [id, rows] of byTrace) {
    const isFound = matching.kind === "known" || open.includes(id);
    const match = isFound ? (found.byId.get(id) ?? NO_MATCH) : buildMatch(withoutCopies(rows.filter(isMatch)));
    summaries.set(id, buildSummary(id, withoutCopies(rows), match));
  }
  const scans = [spans.scan, ...found.scans];
  if (large.length > 0) {
    const answer = await summarizeLargeTraces(large, found.byId, asking);
    for (const summary of answer.summaries) summaries.set(summary.traceId, summary);
    scans.push(answer.scan);
  }
  return { byId: summaries, scans };
}

const NOTHING_FOUND: FoundMatches = { byId: new Map(), scans: [] };

async function findOpenMatches(
  ids: readonly string[],
  condition: Condition,
  matching: Matching,
  asking: Asking,
): Promise<FoundMatches> {
  if (matching.kind === "known") return { byId: matching.byId, scans: [] };
  return ids.length > 0 ? await findMatches(ids, condition, asking) : NOTHING_FOUND;
}

type TaggedRow = SpanRow & { readonly matched: number };

/** Spans of each trace, up to `spanCountMax` of each. */
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
      settings: SMALL_READ,
    },
  );
}

/** The search stopped short of some of these spans; hardly any trace has such, since a trace's spans lie together. */
function reachesBack(rows: readonly SpanRow[], matching: Matching): boolean {
  if (matching.kind !== "seen" || matching.untilNano === null) return false;
  const { untilNano } = matching;
  return rows.some(({ start_nano }) => BigInt(start_nano) <= untilNano);
}
