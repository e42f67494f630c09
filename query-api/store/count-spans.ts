/**
 * Spans counted by group, step and duration: the one source of every latency figure. What the rollups hold comes from there, the rest from
 * the raw spans, and both go through the same buckets, so that the figures are the same whatever was counted where.
 *
 * The rows of the rollups say how far each log partition is counted; the raw statement takes the spans behind that (counted-ends.ts), and those
 * of the minutes that the range cuts.
 */
import type { QueryAnswer, ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { durationBucketSql } from "@callchain/schemas/clickhouse/duration-buckets.ts";
import { positionsFrom, type LogEnds } from "@callchain/schemas/clickhouse/log-positions.ts";
import type { UnixNano } from "@callchain/schemas/span/time.ts";
import { readCountedDurations } from "./counted-durations.ts";
import { readWithRest } from "./counted-ends.ts";
import { IS_ENTRY, IS_ROOT, type Asking } from "./range.ts";
import { compileSelection, pointsOf, type CompiledSelection, type RollupSql, type Selection } from "./selection.ts";
import { SpanFigures, mergePoints, type PointFigures } from "./span-figures.ts";

export interface Counted<T> {
  readonly found: T[];
  readonly scans: readonly ScanFigures[];
}

/** With durations and examples. Points without spans are left out. Throws what the database throws. */
export async function countDurations(selection: Selection, asking: Asking): Promise<Counted<PointFigures>> {
  const compiled = await compileSelection(selection, pointsOf(selection), asking);
  const { group, raw } = compiled;
  const { counted, rest, scans } = await countBoth(
    compiled,
    asking,
    (rollup, params) => readCountedDurations({ ...rollup, isSplit: false, params }, asking),
    (ask, tail) =>
      ask<DurationRow>(`SELECT point${group.key}, sum(n) AS calls, sum(e) AS errors, groupArray(bucket) AS buckets, groupArray(toFloat64(n)) AS counts, min(lo) AS minNano, max(hi) AS maxNano, max(hiError) AS maxErrorNano,
       ${hexIds("argMax(slow, hi)")} AS slowest, ${hexIds("argMaxIf(slowError, hiError, e > 0)")} AS slowestError
     FROM (
       SELECT ${raw.point} AS point${group.column}, ${durationBucketSql()} AS bucket, count() AS n, countIf(status = 2) AS e,
         min(duration_nano) AS lo, max(duration_nano) AS hi, maxIf(duration_nano, status = 2) AS hiError,
         argMax((trace_id, span_id), duration_nano) AS slow, argMaxIf((trace_id, span_id), duration_nano, status = 2) AS slowError
       FROM ${raw.source(tail)} GROUP BY point${group.key}, bucket
     )
     GROUP BY point${group.key}`),
  );
  return { found: mergePoints([...counted, ...rest.map(readDurations)]), scans };
}

/** What `readCounts` finds in the rollups, and what `askRest` asks of the spans behind that. */
async function countBoth<C, R>(
  { rollup, params, scans }: CompiledSelection,
  asking: Asking,
  readCounts: (rollup: RollupSql, params: Params) => Promise<CountedRows<C>>,
  askRest: (ask: Ask, tail: string) => Promise<QueryAnswer<R>>,
): Promise<{ counted: readonly C[]; rest: readonly R[]; scans: readonly ScanFigures[] }> {
  const readRest = ({ database, signal }: Asking, tail: string): Promise<QueryAnswer<R>> =>
    askRest((sql) => database.query(sql, { params, signal }), tail);
  if (rollup === null) {
    const rest = await readRest(asking, "1");
    return { counted: [], rest: rest.rows, scans: [...scans, rest.scan] };
  }
  const { counts, rest, scan } = await readWithRest(
    "service_rollups",
    asking,
    () => readCounts(rollup, params),
    (ends, among) => readRest(among, positionsFrom(ends)),
  );
  return { counted: counts.found, rest: rest.rows, scans: [...scans, scan, ...counts.scans, rest.scan] };
}

type Params = CompiledSelection["params"];
type Ask = <T>(sql: string) => Promise<QueryAnswer<T>>;

interface CountedRows<T> {
  readonly ends: LogEnds;
  readonly found: readonly T[];
  readonly scans: readonly ScanFigures[];
}

/** A group's spans: those through which work enters a service with their durations, and the others. Neither has examples. */
export interface EntryFigures {
  readonly by: string | null;
  /** 0: before `splitAt`, 1: from it on. */
  readonly point: bigint;
  readonly isEntry: boolean;
  readonly figures: SpanFigures;
}

/**
 * Each group's entry spans, with their durations, and its other spans, without, on both sides of an instant. Of several of the same all count.
 */
export async function countEntries(
  { splitAt, ...selection }: Pick<Selection, "range" | "query" | "by"> & { readonly splitAt: UnixNano },
  asking: Asking,
): Promise<Counted<EntryFigures>> {
  const compiled = await compileSelection({ ...selection, isEntry: false, groups: null }, { kind: "split", at: splitAt }, asking);
  const { group, raw } = compiled;
  const { counted, rest, scans } = await countBoth(
    compiled,
    asking,
    (rollup, params) => readCountedDurations({ ...rollup, isSplit: true, params }, asking),
    (ask, tail) =>
      ask<EntryRow>(`SELECT isEntry, point${group.key}, sum(n) AS calls, sum(e) AS errors, groupArray(bucket) AS buckets, groupArray(toFloat64(n)) AS counts,
       min(lo) AS minNano, max(hi) AS maxNano, max(last) AS lastNano
     FROM (
       SELECT ${IS_ENTRY} AS isEntry, ${raw.point} AS point${group.column}, if(isEntry, ${durationBucketSql()}, 0) AS bucket, count() AS n,
         countIf(status = 2) AS e, min(duration_nano) AS lo, max(duration_nano) AS hi, toUnixTimestamp64Nano(max(start)) AS last
       FROM ${raw.source(tail)} GROUP BY isEntry, point${group.key}, bucket
     )
     GROUP BY isEntry, point${group.key}`),
  );
  return { found: [...counted, ...rest.map(readEntries)], scans };
}

interface EntryRow {
  readonly by?: string | null;
  readonly point: string;
  readonly isEntry: number;
  readonly calls: string;
  readonly errors: string;
  readonly buckets: readonly number[];
  readonly counts: readonly number[];
  readonly minNano: string;
  readonly maxNano: string;
  readonly lastNano: string;
}

function readEntries(row: EntryRow): EntryFigures {
  const figures = new SpanFigures();
  figures.count = Number(row.calls);
  figures.errorCount = Number(row.errors);
  figures.lastNano = BigInt(row.lastNano);
  const isEntry = row.isEntry === 1;
  if (isEntry) {
    figures.durations.add(row.buckets, row.counts);
    figures.durations.bound(Number(row.minNano), Number(row.maxNano));
  }
  return { by: row.by ?? null, point: BigInt(row.point), isEntry, figures };
}

/** Counts and the last start only. Of groups without number, the `groupCountMax` largest at least. */
export function countCalls(selection: Selection, groupCountMax: number, asking: Asking): Promise<Counted<PointFigures>> {
  return countSpanCalls(selection, groupCountMax, NO_ROOTS, asking);
}

/** As countCalls, and how many of the spans begin a trace. */
export function countCallsAndRoots(selection: Selection, groupCountMax: number, asking: Asking): Promise<Counted<PointFigures>> {
  return countSpanCalls(selection, groupCountMax, ROOTS, asking);
}

const SERVER_ROOT = "kind = 2";
const OTHER_ROOT = "kind NOT IN (2, 5)";
const ROOTS: RootColumns = {
  rollup: `sumIf(spans, is_root AND ${SERVER_ROOT}) AS serverRoots, sumIf(spans, is_root AND ${OTHER_ROOT}) AS otherRoots`,
  raw: `countIf(${IS_ROOT} AND ${SERVER_ROOT}) AS serverRoots, countIf(${IS_ROOT} AND ${OTHER_ROOT}) AS otherRoots`,
};
/** Whether a span has a parent takes 8 bytes of each to tell. */
const NO_ROOTS: RootColumns = { rollup: "0 AS serverRoots, 0 AS otherRoots", raw: "0 AS serverRoots, 0 AS otherRoots" };

interface RootColumns {
  readonly rollup: string;
  readonly raw: string;
}

async function countSpanCalls(
  selection: Selection,
  groupCountMax: number,
  roots: RootColumns,
  asking: Asking,
): Promise<Counted<PointFigures>> {
  const compiled = await compileSelection(selection, pointsOf(selection), asking);
  const { group, rollup, raw } = compiled;
  const { counted, rest, scans } = await countBoth(
    compiled,
    asking,
    countedRows<CallRow>(
      asking,
      ({ point, where }) =>
        `SELECT tier = 0 AS isMark, log_partition${group.column}, if(isMark, 0, ${point}) AS point, max(log_next) AS next,
         sum(spans) AS calls, sumIf(spans, status = 2) AS errors, max(last_nano) AS lastNano, ${roots.rollup}
       FROM service_rollups WHERE tier = 0 OR (${where}) GROUP BY isMark, log_partition, point${group.key}`,
    ),
    (ask, tail) =>
      ask<CallRow>(`SELECT ${raw.point} AS point${group.column}, count() AS calls, countIf(status = 2) AS errors,
       toString(toUnixTimestamp64Nano(max(start))) AS lastNano, ${roots.raw}
     FROM ${raw.source(tail)} GROUP BY point${group.key}
     ${rollup === null ? `ORDER BY calls DESC${group.key} LIMIT ${groupCountMax} BY point` : ""}`),
  );
  return { found: mergePoints([...counted, ...rest].map(readCalls)), scans };
}

export interface BucketRow {
  readonly point: string;
  readonly bucket: number;
  readonly n: string;
  readonly e: string;
}

/** Counts by point and bucket, in buckets that are 2^coarser times as wide; one row may be in two parts. */
export async function countBuckets(selection: Selection, coarser: number, asking: Asking): Promise<Counted<BucketRow>> {
  const compiled = await compileSelection(selection, pointsOf(selection), asking);
  const { raw } = compiled;
  const { counted, rest, scans } = await countBoth(
    compiled,
    asking,
    countedRows<BucketRow>(
      asking,
      ({ point, where }) =>
        `SELECT tier = 0 AS isMark, log_partition, if(isMark, 0, ${point}) AS point, bitShiftRight(fine, ${coarser}) AS bucket,
         max(log_next) AS next, sum(bucketSpans) AS n, sumIf(bucketSpans, status = 2) AS e
       FROM (SELECT tier, log_partition, log_next, service, minute, kind, status, durations FROM service_rollups WHERE tier = 0 OR (${where}))
       LEFT ARRAY JOIN durations.1 AS fine, durations.2 AS bucketSpans
       GROUP BY isMark, log_partition, point, bucket`,
    ),
    (ask, tail) =>
      ask<BucketRow>(`SELECT ${raw.point} AS point, ${durationBucketSql(coarser)} AS bucket, count() AS n, countIf(status = 2) AS e
       FROM ${raw.source(tail)} GROUP BY point, bucket`),
  );
  return { found: [...counted, ...rest], scans };
}

/** Of rows that say how far a log partition is counted. */
interface MarkColumns {
  readonly isMark: number;
  readonly log_partition: number;
  readonly next: string;
}

/** Rows of a statement over the rollups that has the columns of marks. */
function countedRows<T>(
  { database, signal }: Asking,
  sql: (rollup: RollupSql) => string,
): (rollup: RollupSql, params: Params) => Promise<CountedRows<T>> {
  return async (rollup, params) => {
    const { rows, scan } = await database.query<T & MarkColumns>(sql(rollup), { params, signal });
    const marks = rows.filter(({ isMark }) => isMark === 1);
    return {
      ends: new Map(marks.map(({ log_partition: partition, next }) => [partition, BigInt(next)])),
      found: rows.filter(({ isMark }) => isMark === 0),
      scans: [scan],
    };
  };
}

interface GroupColumns {
  /** Left out without groups. */
  readonly by?: string | null;
  readonly point: string;
}
interface CallRow extends GroupColumns {
  readonly calls: string;
  readonly errors: string;
  readonly lastNano: string;
  readonly serverRoots: string;
  readonly otherRoots: string;
}
interface DurationRow extends GroupColumns {
  readonly calls: string;
  readonly errors: string;
  readonly buckets: readonly number[];
  readonly counts: readonly number[];
  readonly minNano: string;
  readonly maxNano: string;
  readonly maxErrorNano: string;
  readonly slowest: readonly [traceId: string, spanId: string];
  readonly slowestError: readonly [traceId: string, spanId: string];
}

const hexIds = (ids: string): string => `[lower(hex(${ids}.1)), lower(hex(${ids}.2))]`;
const NO_TRACE = /^0*$/;

function readCalls({ by = null, point, calls, errors, lastNano, serverRoots, otherRoots }: CallRow): PointFigures {
  const figures = new SpanFigures();
  figures.count = Number(calls);
  figures.errorCount = Number(errors);
  figures.lastNano = BigInt(lastNano);
  figures.serverRootCount = Number(serverRoots);
  figures.otherRootCount = Number(otherRoots);
  return { by, point: BigInt(point), figures };
}

function readDurations(row: DurationRow): PointFigures {
  const { by = null, point, calls, errors, buckets, counts, minNano, maxNano, maxErrorNano, slowest, slowestError } = row;
  const figures = new SpanFigures();
  figures.count = Number(calls);
  figures.errorCount = Number(errors);
  figures.durations.add(buckets, counts);
  figures.durations.bound(Number(minNano), Number(maxNano));
  const [traceId, spanId] = slowest;
  figures.slowest = { traceId, spanId, durationNano: Number(maxNano) };
  const [errorTraceId, errorSpanId] = slowestError;
  if (!NO_TRACE.test(errorTraceId))
    figures.slowestError = { traceId: errorTraceId, spanId: errorSpanId, durationNano: Number(maxErrorNano) };
  return { by, point: BigInt(point), figures };
}
