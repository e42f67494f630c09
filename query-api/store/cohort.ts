/**
 * The spans of many traces as columns: of the newest traces that a query finds, up to 10,000 traces. Where the query is about spans alone,
 * two statements: since when the sample reaches, then every span of its traces; a question beyond the limits of time and memory is asked
 * of the newest sixteenth. Other queries go through the search of traces first, which has limits of its own.
 */
import type { TraceSample } from "@callchain/schemas/api/analysis.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { UNIX_NANO_MAX } from "@callchain/schemas/span/time.ts";
import { Bindings } from "../search/bindings.ts";
import { asksForTraces } from "../search/compile.ts";
import { planQuery } from "../search/plan.ts";
import type { Query } from "../search/query.ts";
import { asSpanQuery, formatTraceQuery, type TraceQuery } from "../search/trace-query.ts";
import { DETAIL_SQL } from "./call-details.ts";
import { isSameTrace, type CohortSpans } from "./cohort-traces.ts";
import { compileGroupField, type GroupField } from "./group-by.ts";
import { compileInRange } from "./compile-in-range.ts";
import { askWithinLimits } from "./limits.ts";
import { joinFixed, joinTexts, type TextColumn } from "@callchain/schemas/clickhouse/native/join-columns.ts";
import { readBlocks, type ReadBlocks } from "@callchain/schemas/clickhouse/native/read-blocks.ts";
import { SPAN_COLUMNS_SQL, joinSpanColumns } from "./native-columns.ts";
import { EARLY_STOP, NEWEST_FIRST } from "./newest.ts";
import { IN_RANGE, instantSql, rangeParams, traceIdsSql, type Asking, type TimeRange } from "./range.ts";
import { findResources } from "./resources.ts";
import { findByQuery } from "./trace-query/find.ts";

export const COHORT_TRACE_COUNT_MAX = 10_000;
/** Spans of all traces together; it bounds memory here and the time until other requests get their turn. */
const COHORT_SPAN_COUNT_MAX = 500_000;
const FIND_TIMEOUT_MS = 8_000;
const READ_TIMEOUT_MS = 15_000;
/** How far from the matching spans the other spans of their traces are looked for: each hour more is read for every question. */
const SLACK_NANO = 3_600_000_000_000n;
/** Up to so many traces the bloom filters find their spans; more of them take longer to ask than to read. */
const BLOOM_TRACE_COUNT_MAX = 100;

export interface CohortQuestion {
  readonly range: TimeRange;
  readonly query: TraceQuery;
  readonly traceCountMax: number;
  /** A further column of texts: "" where the span has none, else "=" and the value. */
  readonly extra: GroupField | "detail" | null;
}

export interface Cohort extends CohortSpans {
  readonly query: string;
  readonly extra: TextColumn | null;
  readonly sample: TraceSample;
  readonly scans: readonly ScanFigures[];
  readonly partialReasons: readonly string[];
}

export async function readCohort(question: CohortQuestion, asking: Asking): Promise<Cohort> {
  const { answer, reasons } = await askWithinLimits(question.range, asking, (range) =>
    readCohortIn({ ...question, range }, asking),
  );
  if (reasons.length === 0) return answer;
  return { ...answer, sample: { ...answer.sample, whole: false }, partialReasons: [...reasons, ...answer.partialReasons] };
}

/** The traces of the sample. */
interface Chosen {
  readonly traceCount: number;
  /** Starts of the oldest and the newest matching span that stand for a trace of the sample. */
  readonly oldest: bigint;
  readonly newest: bigint;
  /** SELECT of their ids; it may use the parameters {oldest} and {to}. */
  readonly idsSql: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Whether there are no further ones. */
  readonly isWhole: boolean;
  readonly scans: readonly ScanFigures[];
  readonly partialReasons: readonly string[];
}

async function readCohortIn(question: CohortQuestion, asking: Asking): Promise<Cohort> {
  const { range, query, traceCountMax } = question;
  const ofSpans = asSpanQuery(query);
  const chosen =
    ofSpans === null || asksForTraces(ofSpans)
      ? await chooseByEvaluation(question, asking)
      : await chooseBySpans(ofSpans, question, asking);
  const read = await readSpans(question, chosen, asking);
  const reasons = [...chosen.partialReasons, ...read.partialReasons];
  if (!chosen.isWhole && chosen.traceCount >= traceCountMax)
    reasons.push(
      `The newest ${traceCountMax} matching traces were looked at, since ${chosen.oldest} ns; narrow the time range or the query for all.`,
    );
  return {
    query: formatTraceQuery(query),
    ...read.cohort,
    sample: {
      traceCount: read.traceCount,
      spanCount: read.cohort.columns.count,
      fromNano: (chosen.isWhole ? range.from : chosen.oldest).toString(),
      toNano: range.to.toString(),
      whole: reasons.length === 0,
    },
    scans: [...chosen.scans, read.scan],
    partialReasons: reasons,
  };
}

async function chooseBySpans(query: Query, { range, traceCountMax }: CohortQuestion, asking: Asking): Promise<Chosen> {
  const { where, params, scans } = await compileInRange(query, range, asking);
  const { rows, scan } = await asking.database.query<{ n: string; oldest: string; newest: string }>(
    `SELECT count() AS n, min(nano) AS oldest, max(nano) AS newest
     FROM (SELECT toUnixTimestamp64Nano(start) AS nano FROM spans WHERE ${IN_RANGE} AND (${where})
           ${NEWEST_FIRST} LIMIT 1 BY trace_id LIMIT ${traceCountMax})`,
    { params: { ...params, ...rangeParams(range) }, signal: asking.signal, timeoutMs: FIND_TIMEOUT_MS, settings: EARLY_STOP },
  );
  const traceCount = Number(rows[0]?.n ?? 0);
  return {
    traceCount,
    oldest: BigInt(rows[0]?.oldest ?? 0),
    newest: BigInt(rows[0]?.newest ?? 0),
    idsSql: `SELECT trace_id FROM spans WHERE start >= ${instantSql("oldest")} AND start < ${instantSql("to")} AND (${where})`,
    params,
    isWhole: traceCount < traceCountMax,
    scans: [...scans, scan],
    partialReasons: [],
  };
}

async function chooseByEvaluation({ range, query, traceCountMax }: CohortQuestion, asking: Asking): Promise<Chosen> {
  const plan = planQuery(query);
  const known = await findResources(plan.filters, range, asking);
  const search = {
    plan,
    range,
    sort: "newest" as const,
    wanted: traceCountMax,
    after: null,
    resources: known.resources,
  };
  const { traces, stoppedAt, scans, partialReasons } = await findByQuery(search, asking);
  const ids = traces.map(({ traceId }) => traceId);
  return {
    traceCount: ids.length,
    oldest: traces.at(-1)?.key ?? 0n,
    newest: traces[0]?.key ?? 0n,
    idsSql: traceIdsSql(ids),
    params: {},
    isWhole: stoppedAt === null && ids.length < traceCountMax,
    scans: [...known.scans, ...scans],
    partialReasons,
  };
}

interface ReadSpans {
  readonly cohort: Pick<Cohort, "columns" | "traceIds" | "extra">;
  readonly traceCount: number;
  readonly scan: ScanFigures;
  readonly partialReasons: readonly string[];
}

const NOTHING: ReadBlocks = { blocks: [], rowCount: 0, scan: { rows: 0, bytes: 0, elapsedMs: 0 } };

async function readSpans({ range, extra }: CohortQuestion, chosen: Chosen, { database, signal }: Asking): Promise<ReadSpans> {
  const bindings = new Bindings("x");
  const extraSql = extra === null ? "" : `, ${extra === "detail" ? DETAIL_SQL : extraTextSql(extra, bindings)} AS extra`;
  const sql = `SELECT trace_id, ${SPAN_COLUMNS_SQL}${extraSql} FROM spans
    WHERE start >= ${instantSql("firstNano")} AND start < ${instantSql("lastNano")} AND trace_id IN (${chosen.idsSql})
    ORDER BY trace_id, start, span_id LIMIT ${COHORT_SPAN_COUNT_MAX + 1}`;
  const params = {
    ...chosen.params,
    ...bindings.params,
    ...rangeParams(range),
    oldest: chosen.oldest.toString(),
    firstNano: (chosen.oldest > SLACK_NANO ? chosen.oldest - SLACK_NANO : 0n).toString(),
    lastNano: (chosen.newest < UNIX_NANO_MAX - SLACK_NANO ? chosen.newest + SLACK_NANO : UNIX_NANO_MAX).toString(),
  };
  const settings =
    chosen.traceCount > BLOOM_TRACE_COUNT_MAX ? { ignore_data_skipping_indices: "trace_id_bloom, trace_id_coarse" } : {};
  const options = { params, signal, timeoutMs: READ_TIMEOUT_MS, settings };
  const { blocks, rowCount: rows, scan } = chosen.traceCount > 0 ? await readBlocks(database, sql, options) : NOTHING;
  const traceIds = new Uint8Array(joinFixed(blocks, "trace_id", 16, rows));
  const isCut = rows > COHORT_SPAN_COUNT_MAX;
  // The last trace that came may lack its end, unless it is the only one.
  const count = isCut ? startOfLast(traceIds, COHORT_SPAN_COUNT_MAX) || COHORT_SPAN_COUNT_MAX : rows;
  const cohort = {
    columns: joinSpanColumns(blocks, count),
    traceIds: traceIds.subarray(0, 16 * count),
    extra: extra === null ? null : joinTexts(blocks, "extra", count),
  };
  const traceCount = countTraces(cohort.traceIds);
  return {
    cohort,
    traceCount,
    scan,
    partialReasons: isCut
      ? [
          `${traceCount} of ${chosen.traceCount} traces were looked at: together they have more than ${COHORT_SPAN_COUNT_MAX} spans.`,
        ]
      : [],
  };
}

function extraTextSql(field: GroupField, bindings: Bindings): string {
  return `toLowCardinality(ifNull(concat('=', ${compileGroupField(field, bindings)}), ''))`;
}

/** The first row of the trace that stands at `row`. */
function startOfLast(traceIds: Uint8Array, row: number): number {
  let first = row;
  while (first > 0 && isSameTrace(traceIds, first - 1, row)) first -= 1;
  return first;
}

function countTraces(traceIds: Uint8Array): number {
  let count = 0;
  for (let row = 0; 16 * row < traceIds.length; row += 1) if (row === 0 || !isSameTrace(traceIds, row - 1, row)) count += 1;
  return count;
}
