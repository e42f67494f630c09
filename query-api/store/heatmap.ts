/** Spans counted by start and duration, and the spans behind a region of that. */
import type { ExemplarsAnswer, HeatmapAnswer, HeatmapCell } from "@callchain/schemas/api/aggregates.ts";
import { durationBucketLowerNano } from "@callchain/schemas/clickhouse/duration-buckets.ts";
import { SPAN_KINDS, STATUS_CODES } from "@callchain/schemas/span/span.ts";
import { formatQuery, type Query } from "../search/query.ts";
import { chooseStep } from "./choose-step.ts";
import { compileInRange } from "./compile-in-range.ts";
import { countBuckets, type BucketRow } from "./count-spans.ts";
import { IN_RANGE, buildScan, rangeParams, type Asking, type TimeRange } from "./range.ts";
import { countPoints } from "./steps.ts";

export interface HeatmapQuestion {
  readonly range: TimeRange;
  readonly query: Query;
  /** null: chooseStep's. */
  readonly stepNano: bigint | null;
}

/** Rows of the heatmap: four an octave, eight buckets of the histograms each. */
const ROW_COARSER = 3;

/** Every stored span counts. Throws Failure "timeout" or "overloaded" where the range is too much for the limits in force. */
export async function getHeatmap(question: HeatmapQuestion, asking: Asking): Promise<HeatmapAnswer> {
  const startedMs = performance.now();
  const { range, query } = question;
  const selection = { range, query, by: null, isEntry: false, groups: null };
  const step = await chooseStep({ ...selection, stepNano: question.stepNano }, asking);
  const { stepNano } = step;
  const { found, scans } = await countBuckets({ ...selection, stepNano }, ROW_COARSER, asking);
  const firstPoint = range.from / stepNano;
  return {
    fromNano: range.from.toString(),
    toNano: range.to.toString(),
    stepSeconds: Number(stepNano) / 1e9,
    timesNano: Array.from({ length: countPoints(range, stepNano) }, (_, index) =>
      ((firstPoint + BigInt(index)) * stepNano).toString(),
    ),
    ...buildCells(found, firstPoint),
    query: formatQuery(query),
    scan: buildScan([...step.scans, ...scans], startedMs),
  };
}

function buildCells(rows: readonly BucketRow[], firstPoint: bigint): Pick<HeatmapAnswer, "durationBoundsNano" | "cells"> {
  let [low, high] = [Infinity, -1];
  for (const { bucket } of rows) [low, high] = [Math.min(low, bucket), Math.max(high, bucket)];
  const rowCount = Math.max(0, high - low + 1);
  const cells = new Map<string, HeatmapCell>();
  for (const { point, bucket, n, e } of rows) {
    const key = `${point} ${bucket}`;
    const known = cells.get(key);
    cells.set(key, {
      time: Number(BigInt(point) - firstPoint),
      duration: bucket - low,
      count: Number(n) + (known?.count ?? 0),
      errorCount: Number(e) + (known?.errorCount ?? 0),
    });
  }
  return {
    durationBoundsNano:
      rowCount === 0 ? [] : Array.from({ length: rowCount + 1 }, (_, index) => durationBucketLowerNano(low + index, ROW_COARSER)),
    cells: [...cells.values()].toSorted((a, b) => a.time - b.time || a.duration - b.duration),
  };
}

interface ExemplarRow {
  readonly traceId: string;
  readonly spanId: string;
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly status: number;
  readonly startNano: string;
  readonly durationNano: string;
}

/** Spans looked at for each one wanted, in turn; then every trace is. */
const SPANS_PER_TRACE = [6, 60];

/** The slowest matching spans, one a trace; of equals the first. Throws what the database throws. */
export async function listExemplars(
  { range, query, limit }: { readonly range: TimeRange; readonly query: Query; readonly limit: number },
  asking: Asking,
): Promise<ExemplarsAnswer> {
  const startedMs = performance.now();
  const compiled = await compileInRange(query, range, asking);
  const scans = [...compiled.scans];
  const ask = async (rest: string, params: Record<string, unknown> = {}): Promise<ExemplarRow[]> => {
    const { rows, scan } = await asking.database.query<ExemplarRow>(
      `SELECT lower(hex(trace_id)) AS traceId, lower(hex(span_id)) AS spanId, service, name, kind, status,
         toString(toUnixTimestamp64Nano(start)) AS startNano, toString(duration_nano) AS durationNano
       FROM spans WHERE ${IN_RANGE} AND (${compiled.where}) ${rest}`,
      { params: { ...rangeParams(range), ...compiled.params, ...params }, signal: asking.signal },
    );
    scans.push(scan);
    return rows;
  };
  const rows = await findSlowest(ask, limit);
  return {
    spans: rows.map((row) => ({
      ...row,
      durationNano: Number(row.durationNano),
      kind: SPAN_KINDS[row.kind] ?? "unspecified",
      status: STATUS_CODES[row.status] ?? "unset",
    })),
    query: formatQuery(query),
    scan: buildScan(scans, startedMs),
  };
}

/** Whoever asks for spans alone need not keep one of each trace: of the slowest there are mostly enough, and the server skips all others. */
async function findSlowest(
  ask: (rest: string, params?: Record<string, unknown>) => Promise<ExemplarRow[]>,
  limit: number,
): Promise<ExemplarRow[]> {
  const inOrder = `ORDER BY duration_nano DESC, spans.start, spans.span_id LIMIT 1 BY traceId LIMIT ${limit}`;
  for (const perTrace of SPANS_PER_TRACE) {
    const rows = await ask(`ORDER BY duration_nano DESC LIMIT ${limit * perTrace}`);
    const isAll = rows.length < limit * perTrace;
    const boundary = rows.at(-1)?.durationNano ?? "";
    const certain = isAll ? rows : rows.filter(({ durationNano }) => durationNano !== boundary);
    const best = onePerTrace(certain);
    if (isAll || best.length >= limit) return best.slice(0, limit);
    if (onePerTrace(rows).length < limit) continue;
    const tied = await ask(`AND duration_nano = {boundary:UInt64} ${inOrder}`, { boundary });
    return onePerTrace([...certain, ...tied]).slice(0, limit);
  }
  return await ask(inOrder);
}

function onePerTrace(rows: readonly ExemplarRow[]): ExemplarRow[] {
  const inOrder = rows.toSorted(
    (a, b) =>
      compare(BigInt(b.durationNano), BigInt(a.durationNano)) ||
      compare(BigInt(a.startNano), BigInt(b.startNano)) ||
      compare(a.spanId, b.spanId),
  );
  const seen = new Set<string>();
  return inOrder.filter(({ traceId }) => !seen.has(traceId) && seen.add(traceId));
}

function compare<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
