/** How many spans a search for the best asks for, and in which part of the range: what it looks at first, and what next if that was not enough. */
import { asksForAttributeValue, namesService, readsCoreColumns } from "../search/compile.ts";
import { isServiceName } from "../search/compile-attribute.ts";
import { listFields, type Query } from "../search/query.ts";
import { isWordKey } from "@callchain/schemas/clickhouse/word-keys.ts";
import { EARLY_STOP, FILTERS_FIRST, NEWEST_FIRST, windowFrom, type Density } from "./newest.ts";
import type { TimeRange } from "./range.ts";
import type { TraceSort } from "./trace-keys.ts";

export interface Look {
  readonly spanCountMax: number;
  /** Where the part of the range begins that is looked through. */
  readonly from: bigint;
  readonly order: string;
  readonly settings: Readonly<Record<string, number>>;
}

/** Whose best spans are looked for. */
export interface Wanted {
  readonly query: Query;
  readonly sort: TraceSort;
  /** Newest first on a further page, its end is where the page before ended. */
  readonly range: TimeRange;
  readonly traceCount: number;
}

/** Spans asked for per trace wanted before the exact, dearer statement takes over. Newest first, most of a trace's spans come together. */
const SPANS_PER_TRACE: Readonly<Record<TraceSort, number>> = { newest: 20, slowest: 6 };
/** Slowest first, where a few traces hold the slowest spans: so many times more, hardly dearer, before every span is looked at. */
const SLOWEST_AGAIN = 10;

/** How the newest spans that match are found. */
interface Way {
  /** Spans of the newest part that is looked through first, on all threads. */
  readonly windowSpanCount: number;
  /** Where ten minutes hold no more, reading along the order key takes hardly longer. */
  readonly inOrderSpanCount: number;
  /** Asked of the whole range at first, so that it stops early. */
  readonly countFirst: (traceCount: number) => number;
  readonly order: string;
  readonly settings: Look["settings"];
}

const BY_START = "ORDER BY start DESC";
/** Each span of a rare value is a granule of attributes to unpack, so hardly more than the traces wanted. */
const hardlyMore = (traceCount: number): number => traceCount + 2;
const most = (traceCount: number): number => traceCount * SPANS_PER_TRACE.newest;

const WAYS = {
  everything: {
    windowSpanCount: 200_000,
    inOrderSpanCount: 300_000,
    countFirst: most,
    order: NEWEST_FIRST,
    settings: EARLY_STOP,
  },
  /** By what every search reads. */
  core: {
    windowSpanCount: 200_000,
    inOrderSpanCount: 1_000_000,
    countFirst: (traces) => traces * 2,
    order: NEWEST_FIRST,
    settings: EARLY_STOP,
  },
  /** Of a name that often has many values: most of them the filters of all granules find in less time. */
  value: {
    windowSpanCount: 100_000,
    inOrderSpanCount: 300_000,
    countFirst: hardlyMore,
    order: NEWEST_FIRST,
    settings: FILTERS_FIRST,
  },
  /** Of a name whose values are few. */
  word: {
    windowSpanCount: 100_000,
    inOrderSpanCount: 50_000,
    countFirst: hardlyMore,
    order: NEWEST_FIRST,
    settings: FILTERS_FIRST,
  },
  /** By attributes, in a way that no filter of granules knows. */
  attributes: { windowSpanCount: 100_000, inOrderSpanCount: 0, countFirst: most, order: BY_START, settings: {} },
} satisfies Record<string, Way>;

/** Of a service that the query names, only its own are read. */
const OF_SERVICE = 10;
/** A window is made so many times longer at least; beyond half of the range it is the whole. */
const GROWTH_MIN = 4;

/** Whether the density decides where to look first. */
export function asksForDensity({ sort, query }: Wanted): boolean {
  return sort === "newest" && !(namesService(query) && readsCoreColumns(query));
}

export function firstLook(wanted: Wanted, density: Density): Look {
  const { sort, range, query, traceCount } = wanted;
  if (sort === "slowest") {
    const spanCountMax = traceCount * SPANS_PER_TRACE.slowest;
    return { spanCountMax, from: range.from, order: "ORDER BY duration_nano DESC", settings: EARLY_STOP };
  }
  const { windowSpanCount, inOrderSpanCount } = wayTo(query);
  const times = namesService(query) ? OF_SERVICE : 1;
  if (density.stretchSpanCount > inOrderSpanCount * times) {
    const from = windowFrom(range, windowSpanCount * times, density);
    if (from > range.from) return { spanCountMax: most(traceCount), from, order: BY_START, settings: {} };
  }
  return wholeLook(wanted);
}

/** null: only looking at one span of each trace can tell. */
export function nextLook(
  last: Look,
  wanted: Wanted,
  found: { readonly spanCount: number; readonly traceCount: number },
): Look | null {
  const { range, sort, traceCount } = wanted;
  const spanCountMax = traceCount * SPANS_PER_TRACE[sort];
  if (last.from <= range.from) {
    if (sort === "slowest")
      return last.spanCountMax > spanCountMax ? null : { ...last, spanCountMax: spanCountMax * SLOWEST_AGAIN };
    return last.spanCountMax < spanCountMax ? { ...last, spanCountMax } : null;
  }
  if (found.spanCount >= last.spanCountMax) return null;
  if (found.traceCount > 0) {
    const growth = Math.max(GROWTH_MIN, Math.ceil((2 * traceCount) / found.traceCount));
    const from = range.to - (range.to - last.from) * BigInt(growth);
    if (2n * (from - range.from) > range.to - range.from) return { ...last, from };
  }
  return wholeLook(wanted);
}

/** Newest first. */
function wholeLook({ query, range, traceCount }: Wanted): Look {
  const { countFirst, order, settings } = wayTo(query);
  return { spanCountMax: countFirst(traceCount), from: range.from, order, settings };
}

function wayTo(query: Query): Way {
  if (isBroad(query)) return WAYS.everything;
  if (readsCoreColumns(query)) return WAYS.core;
  if (!asksForAttributeValue(query)) return WAYS.attributes;
  const fields = listFields(query.expression);
  return fields.some((field) => field.kind === "attribute" && isWordKey(field.key)) ? WAYS.word : WAYS.value;
}

/** Everything, or all of a service: matches are many and everywhere. */
function isBroad({ expression }: Query): boolean {
  if (expression === null) return true;
  return (
    expression.kind === "compare" &&
    expression.field.kind === "attribute" &&
    isServiceName(expression.field.scope, expression.field.key)
  );
}
