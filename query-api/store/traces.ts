/**
 * Trace search in two steps: the traces with matching spans, best first, then a summary of each over all of its spans. Both orders stop
 * early: "newest" looks at the newest first (looks.ts), "slowest" skips by the duration's minmax index.
 */
import type { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { asksForTraces, readsCoreColumns, type CompiledQuery } from "../search/compile.ts";
import type { Query } from "../search/query.ts";
import { planQuery } from "../search/plan.ts";
import { asSpanQuery, formatTraceQuery, type TraceQuery } from "../search/trace-query.ts";
import { compileInRange } from "./compile-in-range.ts";
import { asksForDensity, firstLook, nextLook, type Look, type Wanted } from "./looks.ts";
import { FILTERS_FIRST, NO_DENSITY, findDensity } from "./newest.ts";
import { findResources } from "./resources.ts";
import { IN_RANGE, buildScan, instantSql, isBeyondLimits, rangeParams, type Asking, type TimeRange } from "./range.ts";
import { SPAN_KEY_SQL, spanKeyOf, type SpanKeyRow } from "./span-rows.ts";
import { compareKeys, type TraceKey, type TraceSort } from "./trace-keys.ts";
import { findByQuery } from "./trace-query/find.ts";
import { readMatches } from "./trace-query/matches.ts";
import { summarizeTraces, type Matching } from "./trace-summaries.ts";

export interface TraceQuestion {
  readonly range: TimeRange;
  readonly query: TraceQuery;
  readonly sort: TraceSort;
  readonly limit: number;
  /** The last trace of the page before, or null for the first page. */
  readonly after: TraceKey | null;
}

export interface TracePage extends Omit<TraceSearchAnswer, "nextCursor"> {
  /** The last trace of this page, where there is another page. */
  readonly last: TraceKey | null;
}

const FIND_TIMEOUT_MS = 8_000;
const SECOND_LOOK_TIMEOUT_MS = 4_000;

const KEY_SQL: Readonly<Record<TraceSort, string>> = { newest: "start", slowest: "duration_nano" };
const KEY_PLACEHOLDER: Readonly<Record<TraceSort, (name: string) => string>> = {
  newest: instantSql,
  slowest: (name) => `{${name}:UInt64}`,
};
/** As a number, for the answer. */
const KEY_NUMBER: Readonly<Record<TraceSort, string>> = { newest: "toUnixTimestamp64Nano(start)", slowest: "duration_nano" };

/**
 * A query about spans alone is answered by SQL; one that relates spans, has a pipeline or asks for traces as a whole, by looking at
 * candidate traces.
 */
export async function findTraces(question: TraceQuestion, asking: Asking): Promise<TracePage> {
  const query = asSpanQuery(question.query);
  const page =
    query === null || asksForTraces(query)
      ? await findByEvaluation(question, asking)
      : await findBySpans({ ...question, query }, asking);
  return { ...page, query: formatTraceQuery(question.query) };
}

type FoundPage = Omit<TracePage, "query">;

async function findByEvaluation(question: TraceQuestion, asking: Asking): Promise<FoundPage> {
  const startedMs = performance.now();
  const { range, sort, limit, after } = question;
  const plan = planQuery(question.query);
  const known = await findResources(plan.filters, range, asking);
  const search = { plan, range, sort, wanted: limit + 1, after, resources: known.resources };
  const found = await findByQuery(search, asking);
  const page = found.traces.slice(0, limit);
  const matches = await readMatches(page, plan, range, asking);
  const ids = page.map(({ traceId }) => traceId);
  const matching: Matching = { kind: "known", byId: matches.byId };
  const summaries = await summarizeTraces(ids, range, { where: "0", params: {} }, matching, asking);
  return {
    traces: ids.flatMap((id) => summaries.byId.get(id) ?? []),
    last: found.traces.length > limit ? (page.at(-1) ?? null) : found.stoppedAt,
    scan: buildScan([...known.scans, ...found.scans, ...matches.scans, ...summaries.scans], startedMs, found.partialReasons),
  };
}

/** A question about spans alone. */
type SpanQuestion = Omit<TraceQuestion, "query"> & { readonly query: Query };

async function findBySpans(question: SpanQuestion, asking: Asking): Promise<FoundPage> {
  const startedMs = performance.now();
  const compiled = await compileInRange(question.query, question.range, asking);
  const found = await findKeys(question, compiled, asking);
  const page = found.keys.slice(0, question.limit);
  const ids = page.map(({ traceId }) => traceId);
  const summaries = await summarizeTraces(ids, found.range, compiled, found.matching, asking);
  return {
    traces: ids.flatMap((id) => summaries.byId.get(id) ?? []),
    last: found.keys.length > question.limit ? (page.at(-1) ?? null) : null,
    scan: buildScan([...compiled.scans, ...found.scans, ...summaries.scans], startedMs, found.partialReasons),
  };
}

interface FoundKeys {
  /** One more than asked for where there is another page. */
  readonly keys: readonly TraceKey[];
  readonly matching: Matching;
  /** What was looked through in the end. */
  readonly range: TimeRange;
  readonly scans: readonly ScanFigures[];
  readonly partialReasons: readonly string[];
}

/** Falls back to the newest sixteenth of the range where the whole cannot be looked through in time. */
async function findKeys(question: SpanQuestion, compiled: CompiledQuery, asking: Asking): Promise<FoundKeys> {
  try {
    return { ...(await findKeysIn(question, compiled, asking, FIND_TIMEOUT_MS)), range: question.range, partialReasons: [] };
  } catch (error) {
    if (!isBeyondLimits(error) || asking.signal.aborted) throw error;
  }
  const { from, to } = question.range;
  const range = { from: unixNano(to - (to - from) / 16n), to };
  const looked = `Only the newest sixteenth of the time range was searched, since all of it takes too long; narrow the time range or the query.`;
  try {
    const found = await findKeysIn({ ...question, range }, compiled, asking, SECOND_LOOK_TIMEOUT_MS);
    return { ...found, range, partialReasons: [looked] };
  } catch (error) {
    if (!isBeyondLimits(error) || asking.signal.aborted) throw error;
    const nothing = "The search took longer than it may and was stopped; narrow the time range or the query.";
    return { keys: [], matching: { kind: "told" }, range, scans: [], partialReasons: [nothing] };
  }
}

interface KeyRow {
  readonly id: string;
  readonly key: string;
}

/** Of the newest-first search by attributes, whose rows tell the spans: asking which they are again would read the attributes again. */
type FoundRow = KeyRow & Partial<SpanKeyRow>;

/**
 * ORDER BY has the key alone, since a second column would make the server read everything instead of stopping early. Which of several
 * spans with the very last key came is then arbitrary, so what stands at that boundary is asked for again, in full.
 */
async function findKeysIn(
  question: SpanQuestion,
  compiled: CompiledQuery,
  asking: Asking,
  timeoutMs: number,
): Promise<{ keys: TraceKey[]; matching: Matching; scans: ScanFigures[] }> {
  const { database, signal } = asking;
  const wanted = question.limit + 1;
  const isTold = readsCoreColumns(question.query);
  const scans: ScanFigures[] = [];
  const ask = async (statement: string, params: Record<string, unknown>, settings: Look["settings"]): Promise<FoundRow[]> => {
    const { rows, scan } = await database.query<FoundRow>(statement, { params, signal, timeoutMs, settings });
    scans.push(scan);
    return rows;
  };
  const params = bindAll(question, compiled);
  const select = selectKeys(question, compiled);
  let matching: Matching = isTold ? { kind: "told" } : { kind: "seen", keys: new Set(), untilNano: question.range.to };
  const bringsSpans = !isTold && question.sort === "newest";
  const columns = bringsSpans ? `, ${SPAN_KEY_SQL}` : "";
  const withTied = async (rows: readonly FoundRow[], boundary: string): Promise<TraceKey[]> => {
    const at = `${KEY_SQL[question.sort]} = ${KEY_PLACEHOLDER[question.sort]("boundary")}`;
    const tied = await ask(
      `${select} AND ${at} ORDER BY trace_id DESC LIMIT 1 BY trace_id LIMIT ${wanted}`,
      {
        ...params,
        boundary,
      },
      FILTERS_FIRST,
    );
    return rankKeys([...rows.filter(({ key }) => key !== boundary), ...tied]).slice(0, wanted);
  };
  const best: Wanted = { ...question, range: rangeLeft(question), traceCount: wanted };
  const density = asksForDensity(best) ? await findDensity(best.range, asking) : NO_DENSITY;
  scans.push(...density.scans);
  for (let look: Look | null = firstLook(best, density); look !== null;) {
    const { spanCountMax, from, order, settings } = look;
    // What the conditions ask of other spans still holds in the whole range.
    const isPart = from > question.range.from;
    const part = isPart ? `AND start >= ${instantSql("lookFrom")}` : "";
    const statement = `${selectKeys(question, compiled, columns)} ${part} ${order} LIMIT ${spanCountMax}`;
    const spans = await ask(statement, isPart ? { ...params, lookFrom: from.toString() } : params, settings);
    const isAll = spans.length < spanCountMax && !isPart;
    const last = spans.at(-1)?.key;
    if (bringsSpans) {
      const keys = new Set(spans.filter(isSpan).map((row) => spanKeyOf(row.id, row.key, row)));
      matching = { kind: "seen", keys, untilNano: isAll ? null : BigInt(last ?? 0) };
    }
    const certain = rankKeys(isAll ? spans : spans.filter(({ key }) => key !== last));
    if (isAll || certain.length >= wanted) return { keys: certain.slice(0, wanted), matching, scans };
    if (last !== undefined && rankKeys(spans).length >= wanted) return { keys: await withTied(spans, last), matching, scans };
    look = nextLook(look, best, { spanCount: spans.length, traceCount: certain.length });
  }
  // Few traces hold the best spans: the server keeps one span of each. One more than wanted shows whether the last place is contested.
  const traces = await ask(
    `${select} ORDER BY ${KEY_SQL[question.sort]} DESC LIMIT 1 BY trace_id LIMIT ${wanted + 1}`,
    params,
    {},
  );
  const boundary = traces[wanted - 1]?.key;
  if (boundary === undefined || traces[wanted]?.key !== boundary) {
    return { keys: rankKeys(traces).slice(0, wanted), matching, scans };
  }
  return { keys: await withTied(traces, boundary), matching, scans };
}

/** Where the spans may be that are still to come: newest first none begins behind the last of the page before. */
function rangeLeft({ range, sort, after }: SpanQuestion): TimeRange {
  return sort === "newest" && after !== null && after.key < range.to ? { from: range.from, to: unixNano(after.key + 1n) } : range;
}

function isSpan(row: FoundRow): row is KeyRow & SpanKeyRow {
  return row.span !== undefined;
}

/** Each trace under the best of its keys, best first; the id decides between equals. */
function rankKeys(rows: readonly KeyRow[]): TraceKey[] {
  const best = new Map<string, bigint>();
  for (const { id, key } of rows) {
    const value = BigInt(key);
    if (value > (best.get(id) ?? -1n)) best.set(id, value);
  }
  return [...best].map(([traceId, key]) => ({ traceId, key })).toSorted(compareKeys);
}

/**
 * Matching spans, best first. On a further page a trace that stood on an earlier one must not come again with a lesser span: whatever
 * has a matching span at or before the cursor is left out.
 */
function selectKeys({ sort, after }: SpanQuestion, { where }: CompiledQuery, columns = ""): string {
  const key = KEY_SQL[sort];
  const select = `SELECT lower(hex(trace_id)) AS id, ${KEY_NUMBER[sort]} AS key${columns} FROM spans WHERE ${IN_RANGE} AND ${where}`;
  if (after === null) return select;
  const afterKey = KEY_PLACEHOLDER[sort]("afterKey");
  const cursor = `(${afterKey}, toFixedString(unhex({afterId:String}), 16))`;
  const shown = `SELECT trace_id FROM spans WHERE ${IN_RANGE} AND ${where} AND ${key} >= ${afterKey} AND (${key}, trace_id) >= ${cursor}`;
  return `${select} AND ${key} <= ${afterKey} AND (${key}, trace_id) < ${cursor} AND trace_id NOT IN (${shown})`;
}

function bindAll({ range, after }: SpanQuestion, { params }: CompiledQuery): Record<string, unknown> {
  const cursor = after === null ? {} : { afterKey: after.key.toString(), afterId: after.traceId };
  return { ...params, ...rangeParams(range), ...cursor };
}
