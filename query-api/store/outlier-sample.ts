/**
 * Which spans are looked at to tell what sets a selection apart: the newest of the selection, and of the rest what starts in short windows spread
 * over the same time, which keeps most granules unread. How many follows from how far apart the selected spans lie: attributes are unpacked by
 * whole granules.
 */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { unixNano, type UnixNano } from "@callchain/schemas/span/time.ts";
import type { SideCounts } from "../analysis/outliers.ts";
import type { Query } from "../search/query.ts";
import { compileInRange } from "./compile-in-range.ts";
import type { OutlierSample } from "./outlier-counts.ts";
import { namesService } from "../search/compile.ts";
import { IN_RANGE, estimateSpanCount, instantSql, rangeParams, type Asking, type TimeRange } from "./range.ts";

interface SampleSize {
  readonly selection: number;
  readonly rest: number;
}
/** Spans looked at of each side. */
const DENSE: SampleSize = { selection: 10_000, rest: 30_000 };
/**
 * As much of a long range where nearly every selected span lies in a granule (2048 spans) of its own. Shares are then known within one or two
 * hundredths.
 */
const SPARSE: SampleSize = { selection: 4_000, rest: 8_000 };
/** Spans stored for each one selected. */
const SPARSE_DISTANCE = 200;
/** Fewer stored spans are no long range: less than a second to unpack. */
const LONG_RANGE_SPAN_COUNT = 4_000_000;
/** Over which the rest's sample is spread. */
const WINDOW_COUNT = 64n;
/** Parts of the range in which both sides are counted, to find the newest ones. */
const PERIOD_COUNT = 1_000n;
/** How often the oldest part of a sample is counted again, in parts of its own: there may be far more in it than are looked at. */
const FINER_COUNT_MAX = 3;
const SURPLUS_MAX = 1.1;
const TIMEOUT_MS = 10_000;

export interface ChosenSample extends OutlierSample {
  readonly from: UnixNano;
  /** All spans of both sides in the range. */
  readonly counted: SideCounts;
  readonly scans: readonly ScanFigures[];
  readonly partialReasons: readonly string[];
}

export interface OutliersQuestion {
  readonly range: TimeRange;
  readonly query: Query;
  readonly selection: Query;
  /** Narrow the selection alone in time, as a box in a heatmap does; null: no further than the range. */
  readonly selectionFrom: UnixNano | null;
  readonly selectionTo: UnixNano | null;
}

export async function chooseSample(question: OutliersQuestion, asking: Asking): Promise<ChosenSample> {
  const { range, selectionFrom, selectionTo } = question;
  const { database, signal } = asking;
  const inQuery = await compileInRange(question.query, range, asking, "q");
  const inSelection = await compileInRange(question.selection, range, asking, "s");
  const selected = [
    `(${inSelection.where})`,
    ...(selectionFrom === null ? [] : [`start >= ${instantSql("selectionFrom")}`]),
    ...(selectionTo === null ? [] : [`start < ${instantSql("selectionTo")}`]),
  ].join(" AND ");
  const bound = {
    ...inQuery.params,
    ...inSelection.params,
    ...(selectionFrom === null ? {} : { selectionFrom: selectionFrom.toString() }),
    ...(selectionTo === null ? {} : { selectionTo: selectionTo.toString() }),
  };
  const scans = [...inQuery.scans, ...inSelection.scans];
  /** Each side as a condition: indexes serve those, and the server looks at its limits more often than within a list of columns. */
  const countPeriods = async (from: bigint, to: bigint, selectedToo: boolean): Promise<Periods> => {
    const lengthNano = (to - from) / PERIOD_COUNT + 1n;
    const { rows, scan } = await database.query<{ period: string; n: string }>(
      `SELECT intDiv(toUnixTimestamp64Nano(start) - {from:Int64}, {length:Int64}) AS period, count() AS n
       FROM spans WHERE ${IN_RANGE} AND (${inQuery.where})${selectedToo ? ` AND ${selected}` : ""} GROUP BY period`,
      {
        params: { ...bound, from: from.toString(), to: to.toString(), length: lengthNano.toString() },
        signal,
        timeoutMs: TIMEOUT_MS,
      },
    );
    scans.push(scan);
    const counts = new Map(rows.map(({ period, n }) => [Number(period), Number(n)]));
    return { from, to, lengthNano, counts };
  };
  const [all, chosen, stored] = await Promise.all([
    countPeriods(range.from, range.to, false),
    countPeriods(range.from, range.to, true),
    estimateSpanCount(range, asking),
  ]);
  scans.push(...stored.scans);
  const counted = sidesOf(sumOf(all), sumOf(chosen));
  // Of a service that the query names, its own spans lie together.
  const readCount = namesService(question.query) ? counted.selection + counted.rest : stored.count;
  const isSparse = readCount > Math.max(LONG_RANGE_SPAN_COUNT, counted.selection * SPARSE_DISTANCE);
  const size = isSparse ? SPARSE : DENSE;
  let { from } = range;
  let inSample = counted;
  if (counted.selection > size.selection) {
    const newest = await findNewest(chosen, size.selection, (start, end) => countPeriods(start, end, true));
    from = unixNano(newest.from);
    inSample = sidesOf(sumOf(await countPeriods(from, range.to, false)), newest.count);
  }
  const periodNano = (range.to - from) / WINDOW_COUNT + 1n;
  const isAll = inSample.rest <= size.rest;
  const windowNano = isAll ? periodNano : (periodNano * BigInt(size.rest)) / BigInt(inSample.rest) + 1n;
  return {
    from,
    counted,
    selectedSql: selected,
    whereSql: `${IN_RANGE} AND (${inQuery.where}) AND ((${selected}) OR (toUnixTimestamp64Nano(start) - {from:Int64}) % {periodNano:Int64} < {windowNano:Int64})`,
    params: {
      ...bound,
      ...rangeParams({ from, to: range.to }),
      periodNano: periodNano.toString(),
      windowNano: windowNano.toString(),
    },
    scans,
    partialReasons: isAll && inSample === counted ? [] : [describeCut(inSample, size)],
  };
}

function describeCut({ selection, rest }: SideCounts, size: SampleSize): string {
  return `A sample was looked at: the newest ${selection} spans of the selection, and about ${Math.min(size.rest, rest)} of the rest from the same time.`;
}

/** How many spans start in each part of a stretch of time, by the number of the part. */
interface Periods {
  readonly from: bigint;
  readonly to: bigint;
  readonly lengthNano: bigint;
  readonly counts: ReadonlyMap<number, number>;
}

function sumOf({ counts }: Periods): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function sidesOf(all: number, selection: number): SideCounts {
  return { selection, rest: all - selection };
}

interface Newest {
  /** Of the oldest part that holds some of the newest. */
  readonly from: bigint;
  readonly to: bigint;
  readonly inOldest: number;
  /** In the parts after it. */
  readonly newer: number;
}

/** From where on the newest `count` are, and how many more begin with them; there are as many. */
async function findNewest(
  periods: Periods,
  count: number,
  countWithin: (from: bigint, to: bigint) => Promise<Periods>,
): Promise<{ readonly from: bigint; readonly count: number }> {
  let newest = newestOf(periods, count);
  let { newer } = newest;
  for (let time = 0; time < FINER_COUNT_MAX && newer + newest.inOldest > count * SURPLUS_MAX; time += 1) {
    newest = newestOf(await countWithin(newest.from, newest.to), count - newer);
    newer += newest.newer;
  }
  return { from: newest.from, count: newer + newest.inOldest };
}

function newestOf({ from, to, lengthNano, counts }: Periods, count: number): Newest {
  let newer = 0;
  let oldest = 0;
  for (const [period, n] of [...counts].toSorted(([a], [b]) => b - a)) {
    oldest = period;
    if (newer + n >= count) break;
    newer += n;
  }
  const begin = from + BigInt(oldest) * lengthNano;
  const end = begin + lengthNano;
  return { from: begin, to: end < to ? end : to, inOldest: counts.get(oldest) ?? 0, newer };
}
