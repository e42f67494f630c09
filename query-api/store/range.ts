/** What every aggregate over a time range shares: the range as SQL, the choice of percentile function, the account of what was read. */
import type { Scan } from "@callchain/schemas/api/common.ts";
import type { ScanFigures, SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { COUNTS_STRETCHES, STRETCH_NANO, STRETCH_SQL } from "@callchain/schemas/clickhouse/spans-table.ts";
import { Failure } from "@callchain/schemas/span/errors.ts";
import type { UnixNano } from "@callchain/schemas/span/time.ts";
import { hexItemsSql } from "../search/hex-items.ts";

/** Half open: `from` included, `to` not. */
export interface TimeRange {
  readonly from: UnixNano;
  readonly to: UnixNano;
}

/** What a question needs beside its own parameters. */
export interface Asking {
  readonly database: SpanDatabase;
  /** Aborts the statements on the server too. */
  readonly signal: AbortSignal;
}

/** An instant as SQL, from a bound parameter of nanoseconds: comparable with `start`, so that the order key prunes. */
export function instantSql(parameter: string): string {
  return `fromUnixTimestamp64Nano({${parameter}:Int64})`;
}

/** `start` lies in the range bound as {from} and {to}. */
export const IN_RANGE = `start >= ${instantSql("from")} AND start < ${instantSql("to")}`;

export function rangeParams(range: TimeRange): { from: string; to: string } {
  return { from: range.from.toString(), to: range.to.toString() };
}

/** Eight zero bytes: the parent of a span that has none. */
export const NO_PARENT = "toFixedString('', 8)";

/** SELECT of many trace ids. Throws where one is not 32 hex digits. */
export function traceIdsSql(ids: readonly string[]): string {
  if (ids.some((id) => id.length !== 32)) throw new Failure("internal", "not all are trace ids");
  return `SELECT toFixedString(item, 16) FROM (${hexItemsSql(ids.join(""), 16)})`;
}

/** For what reads few rows, each dear: two threads share them from the first on. */
export const SMALL_READ = {
  merge_tree_min_rows_for_concurrent_read: 8192,
  merge_tree_min_bytes_for_concurrent_read: 262_144,
};

/** For what reads one trace: it is little, and somebody waits for it, so it does not stand back as other questions do. */
export const OPENED_TRACE = { os_thread_priority: 0 };

export const IS_ROOT = `parent_span_id = ${NO_PARENT}`;

/** Spans through which work enters a service: server (2), consumer (5), and whatever has no parent. */
export const IS_ENTRY = `(kind IN (2, 5) OR ${IS_ROOT})`;
/** The same of rows of service_rollups. */
export const IS_ENTRY_COUNTED = "(kind IN (2, 5) OR is_root)";

/** Durations held at 8-16 bytes each until the answer is out: beyond this count a digest takes their place. */
const EXACT_SPAN_COUNT_MAX = 10_000_000;

/**
 * The name of the aggregate function for percentiles: exact (the value at index floor(level * n) of the sorted durations) up to ten
 * million spans, a t-digest beyond (within about 1%).
 */
export function quantilesSql(spanCount: number): "quantilesExact" | "quantilesTDigest" {
  return spanCount <= EXACT_SPAN_COUNT_MAX ? "quantilesExact" : "quantilesTDigest";
}

/** Time, memory or rows: a smaller question can be answered. */
export function isBeyondLimits(error: unknown): boolean {
  return error instanceof Failure && (error.code === "timeout" || error.code === "overloaded" || error.code === "too_large");
}

/** How many spans lie in the stretches from `first` up to `end`, by their numbers: counted from the order key, in milliseconds on any table. */
export async function countInStretches(first: bigint, end: bigint, { database, signal }: Asking): Promise<SpanCount> {
  if (first >= end) return { count: 0, scans: [] };
  const { rows, scan } = await database.query<{ n: string }>(
    `SELECT count() AS n FROM spans WHERE ${STRETCH_SQL} >= {first:Int64} AND ${STRETCH_SQL} < {end:Int64}`,
    { params: { first: first.toString(), end: end.toString() }, signal, settings: COUNTS_STRETCHES },
  );
  return { count: Number(rows[0]?.n ?? 0), scans: [scan] };
}

export interface SpanCount {
  readonly count: number;
  readonly scans: readonly ScanFigures[];
}

/** About how many spans start in the range: of the stretches that it covers in part, it is given its share. */
export async function estimateSpanCount({ from, to }: TimeRange, asking: Asking): Promise<SpanCount> {
  const roundUp = (nano: bigint): bigint => (nano + STRETCH_NANO - 1n) / STRETCH_NANO;
  const outer = { first: from / STRETCH_NANO, end: roundUp(to) };
  const inner = { first: roundUp(from), end: to / STRETCH_NANO };
  const [most, least] = await Promise.all([
    countInStretches(outer.first, outer.end, asking),
    countInStretches(inner.first, inner.end, asking),
  ]);
  const innerNano = inner.end > inner.first ? (inner.end - inner.first) * STRETCH_NANO : 0n;
  const restNano = (outer.end - outer.first) * STRETCH_NANO - innerNano;
  const share = restNano > 0n ? Number(to - from - innerNano) / Number(restNano) : 0;
  return { count: least.count + (most.count - least.count) * share, scans: [...most.scans, ...least.scans] };
}

/** One account of two questions, the second asked after the first. */
export function joinScans(first: Scan, second: Scan): Scan {
  const reasons = [first.partialReason, second.partialReason].filter((reason) => reason !== null);
  return {
    rows: first.rows + second.rows,
    bytes: first.bytes + second.bytes,
    elapsedMs: first.elapsedMs + second.elapsedMs,
    partial: first.partial || second.partial,
    partialReason: reasons.length > 0 ? reasons.join(" ") : null,
  };
}

/** One account of several statements. `elapsedMs` is the whole question's, from its start. */
export function buildScan(scans: readonly ScanFigures[], startedMs: number, partialReasons: readonly string[] = []): Scan {
  return {
    rows: scans.reduce((sum, scan) => sum + scan.rows, 0),
    bytes: scans.reduce((sum, scan) => sum + scan.bytes, 0),
    elapsedMs: performance.now() - startedMs,
    partial: partialReasons.length > 0,
    partialReason: partialReasons.length > 0 ? partialReasons.join(" ") : null,
  };
}
