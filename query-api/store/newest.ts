/**
 * Reading the newest spans first. Spans lie by stretches of ten minutes, in each by service, so that a few of the newest of all services lie in
 * as many places as there are services: where a stretch holds many spans, a window of its newest is looked through before the whole.
 */
import type { ScanFigures, SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { STRETCH_NANO, STRETCH_SQL } from "@callchain/schemas/clickhouse/spans-table.ts";
import { UNIX_NANO_MAX, unixNanoFromMs } from "@callchain/schemas/span/time.ts";
import { countInStretches, type Asking, type TimeRange } from "./range.ts";

/** Along the order key: stretch after stretch until the LIMIT is reached. */
export const NEWEST_FIRST = `ORDER BY ${STRETCH_SQL} DESC, start DESC`;

/**
 * For what reads along the order key and stops early: nothing is read ahead, parts that lie wholly behind the answer are not opened, and filters
 * of granules are asked along with the reading.
 */
export const EARLY_STOP = {
  read_in_order_use_buffering: 0,
  read_in_order_use_virtual_row: 1,
  use_skip_indexes_on_data_read: 1,
};

/** As EARLY_STOP where few spans match: all filters are asked at once, on several threads, in less time than one by one. */
export const FILTERS_FIRST = { ...EARLY_STOP, use_skip_indexes_on_data_read: 0 };

/** How densely spans lie before an instant, as of a short while ago. */
export interface Density {
  /** Spans in ten minutes; 0: none are known. */
  readonly stretchSpanCount: number;
  /** Since when they were counted for it. */
  readonly sinceNano: bigint;
  readonly scans: readonly ScanFigures[];
}

export const NO_DENSITY: Density = { stretchSpanCount: 0, sinceNano: UNIX_NANO_MAX, scans: [] };

interface Counted {
  readonly atMs: number;
  readonly stretchSpanCount: number;
}

const COUNTED_FOR_MS = 30_000;
const COUNTED_STRETCHES_MAX = 1_000;
const countedOf = new WeakMap<SpanDatabase, Map<bigint, Counted>>();

/** Of the end of the range, or of now where that lies beyond. Counted from the order key, without reading spans, and again after half a minute. */
export async function findDensity(range: TimeRange, asking: Asking): Promise<Density> {
  const end = endOf(range);
  const last = (end - 1n) / STRETCH_NANO;
  const sinceNano = (last - 1n) * STRETCH_NANO;
  const counted = countedOf.get(asking.database) ?? new Map<bigint, Counted>();
  countedOf.set(asking.database, counted);
  const known = counted.get(last);
  if (known !== undefined && performance.now() - known.atMs < COUNTED_FOR_MS)
    return { stretchSpanCount: known.stretchSpanCount, sinceNano, scans: [] };
  const stored = await countInStretches(last - 1n, last + 1n, asking);
  const until = unixNanoFromMs(Date.now());
  const stop = (last + 1n) * STRETCH_NANO;
  const passed = Number((until < stop ? until : stop) - sinceNano);
  const stretchSpanCount = (stored.count * Number(STRETCH_NANO)) / Math.max(1, passed);
  if (counted.size >= COUNTED_STRETCHES_MAX) counted.clear();
  counted.set(last, { atMs: performance.now(), stretchSpanCount });
  return { stretchSpanCount, sinceNano, scans: stored.scans };
}

/** Since when there are about so many spans in the range; its own begin where it holds fewer. */
export function windowFrom(range: TimeRange, spanCount: number, { stretchSpanCount }: Density): bigint {
  if (stretchSpanCount === 0) return range.from;
  const from = endOf(range) - BigInt(Math.ceil((spanCount / stretchSpanCount) * Number(STRETCH_NANO)));
  return from > range.from ? from : range.from;
}

function endOf({ to }: TimeRange): bigint {
  const now = unixNanoFromMs(Date.now());
  return to < now ? to : now;
}
