/** Where the relatives of fresh spans are: what a count of edges must read beside them. */
import type { QueryOptions, ScanFigures, SpanDatabase } from "../database.ts";
import {
  LINGER_NANO,
  LONG_NANO,
  NEAR_NANO,
  REACH_NANO,
  SKEW_NANO,
  covers,
  mergeStretches,
  startsIn,
  touchedTraces,
  type EdgeScope,
  type Stretch,
} from "./scope.ts";

export type Subject = Pick<EdgeScope, "fresh" | "context" | "isContextCounted" | "facts">;

const MINUTE_NANO = 60n * 1_000_000_000n;
/** A bloom filter of trace ids is asked for so many; with more of them, reading everything is no dearer. */
const FAR_TRACE_COUNT_MAX = 300;
/** Minutes with less than this part of the fresh spans have stragglers. */
const STRAGGLERS = 1000;

interface MinuteRow {
  readonly minute: string;
  readonly spans: string;
  readonly reach: string;
  readonly receivers: string;
  readonly senders: string;
}

interface TraceRow {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

const BEGAN = "toUnixTimestamp64Nano(start)";
const ENDED = `${BEGAN} + toInt64(least(duration_nano, ${LINGER_NANO}))`;
const EXTENT = `lower(hex(trace_id)) AS id, toString(min(${BEGAN})) AS from, toString(max(${ENDED})) AS to`;

export interface PlannedScope {
  /** null: there are no fresh spans. */
  readonly scope: EdgeScope | null;
  readonly spanCount: number;
  readonly scans: readonly ScanFigures[];
}

/** Reads the times of the fresh spans and of long ones in their traces, two or three small statements. */
export async function planScope(database: SpanDatabase, subject: Subject, options: QueryOptions): Promise<PlannedScope> {
  const scans: ScanFigures[] = [];
  const ask = async <T>(sql: string): Promise<T[]> => {
    const { rows, scan } = await database.query<T>(sql, options);
    scans.push(scan);
    return rows;
  };
  const { fresh, context } = subject;
  const minutes = await ask<MinuteRow>(
    `SELECT intDiv(${BEGAN}, ${MINUTE_NANO}) AS minute, count() AS spans, max(least(duration_nano, ${LINGER_NANO})) AS reach,
       countIf(kind = 5 OR (kind IN (0, 1, 2) AND notEmpty(link_span_id))) AS receivers, countIf(kind = 4) AS senders
     FROM spans WHERE ${fresh} GROUP BY minute`,
  );
  const spanCount = minutes.reduce((sum, { spans }) => sum + Number(spans), 0);
  if (spanCount === 0) return { scope: null, spanCount, scans };
  const around = (before: bigint, after: bigint): Stretch[] =>
    mergeStretches(minutes.map((row) => stretchOf(row, before, after)));
  const hasSenders = minutes.some(({ senders }) => Number(senders) > 0);
  const hasReceivers = minutes.some(({ receivers }) => Number(receivers) > 0);
  const messages = {
    receivers: hasSenders ? around(SKEW_NANO, REACH_NANO) : [],
    senders: hasSenders || hasReceivers ? around(REACH_NANO + SKEW_NANO, REACH_NANO + SKEW_NANO) : [],
  };
  const none = { near: [], bulk: null, far: { traceIds: [], stretches: [] } };
  if (context === null) return { scope: { ...subject, ...messages, ...none }, spanCount, scans };

  const { near, condition } = splitMinutes(minutes, spanCount);
  const limit = `GROUP BY trace_id LIMIT ${FAR_TRACE_COUNT_MAX + 1}`;
  const stragglers =
    condition === null ? [] : await ask<TraceRow>(`SELECT ${EXTENT} FROM spans WHERE ${fresh} AND ${condition} ${limit}`);
  // Where only few traces have long spans, that they may not be those of fresh spans costs less than finding out.
  const findLong = (traces: string): Promise<TraceRow[]> =>
    ask<TraceRow>(
      `SELECT ${EXTENT} FROM spans PREWHERE ${startsIn(around(REACH_NANO, SKEW_NANO))} AND duration_nano > ${LONG_NANO} ${traces} WHERE ${context} ${limit}`,
    );
  const someLong = await findLong("");
  const long = someLong.length <= FAR_TRACE_COUNT_MAX ? someLong : await findLong(`AND trace_id IN (${touchedTraces(subject)})`);
  return {
    scope: {
      ...subject,
      ...messages,
      bulk: near.find((one) => covers([one], stretchOf(densestOf(minutes), 0n, 0n))) ?? null,
      ...chooseReading(near, [...stragglers, ...long], () => around(REACH_NANO + NEAR_NANO, REACH_NANO + NEAR_NANO)),
    },
    spanCount,
    scans,
  };
}

function stretchOf({ minute }: MinuteRow, before: bigint, after: bigint): Stretch {
  const from = BigInt(minute) * MINUTE_NANO;
  return { from: from - before, to: from + MINUTE_NANO + after };
}

function densestOf(minutes: readonly MinuteRow[]): MinuteRow {
  return minutes.reduce((densest, row) => (Number(row.spans) > Number(densest.spans) ? row : densest));
}

/** What is read for all traces, and the condition of the fresh spans whose relatives may lie elsewhere; null: of none. */
function splitMinutes(minutes: readonly MinuteRow[], spanCount: number): { near: Stretch[]; condition: string | null } {
  const near = mergeStretches(
    minutes.filter(({ spans }) => Number(spans) * STRAGGLERS >= spanCount).map((row) => stretchOf(row, NEAR_NANO, NEAR_NANO)),
  );
  const bare = (row: MinuteRow): Stretch => stretchOf(row, 0n, 0n);
  const lone = minutes.filter((row) => !covers(near, stretchOf(row, NEAR_NANO, NEAR_NANO))).map(bare);
  const lasting = minutes
    .filter((row) => BigInt(row.reach) > LONG_NANO && !covers(near, stretchOf(row, NEAR_NANO, BigInt(row.reach) + NEAR_NANO)))
    .map(bare);
  if (lone.length + lasting.length === 0) return { near, condition: null };
  const isLasting = `(duration_nano > ${LONG_NANO} AND ${startsIn(mergeStretches(lasting))})`;
  return { near, condition: `(${startsIn(mergeStretches(lone))} OR ${isLasting})` };
}

/** Few traces are read wherever they are; with many, so is everything in the `widest` stretches. */
function chooseReading(
  near: readonly Stretch[],
  found: readonly TraceRow[],
  widest: () => Stretch[],
): Pick<EdgeScope, "near" | "far"> {
  const elsewhere = found
    .map(({ id, from, to }) => ({ id, stretch: { from: BigInt(from) - NEAR_NANO, to: BigInt(to) + NEAR_NANO } }))
    .filter(({ stretch }) => !covers(near, stretch));
  const traceIds = [...new Set(elsewhere.map(({ id }) => id))];
  if (traceIds.length > FAR_TRACE_COUNT_MAX) return { near: widest(), far: { traceIds: [], stretches: [] } };
  return { near, far: { traceIds, stretches: mergeStretches(elsewhere.map(({ stretch }) => stretch)) } };
}
