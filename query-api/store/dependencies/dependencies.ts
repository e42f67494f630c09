/** The service graph of a range, counted in the raw spans. */
import type { DependenciesAnswer } from "@callchain/schemas/api/catalog.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { failureCodeOf } from "@callchain/schemas/span/errors.ts";
import { NANO_PER_SECOND, UNIX_NANO_MAX } from "@callchain/schemas/span/time.ts";
import { buildScan, countSpans, rangeParams, type Asking, type TimeRange } from "../range.ts";
import { buildGraph, keepNodes, nearFocus, type Graph, type GraphRows } from "./graph.ts";
import {
  CALLS,
  HAS_LINKS,
  buildPeersSql,
  buildReceivedSql,
  SERVICE_COUNTS,
  type CallRow,
  type PeerRow,
  type ReceivedRow,
  type ServiceCountRow,
} from "./sql.ts";

export interface DependenciesQuestion {
  readonly range: TimeRange;
  /** Node id or name; null: the whole graph. */
  readonly focus: string | null;
  /** Calls up and down from the focus. */
  readonly depth: number;
  /** A second range to show beside it. */
  readonly comparison: TimeRange | null;
}

/** Two hosts' clocks may differ by so much, and a child may start so long after its parent. */
const SKEW_NANO = 300n * NANO_PER_SECOND;
/** A parent may have begun so long before the range, a message may have waited so long. */
const LOOKBACK_NANO = 3_600n * NANO_PER_SECOND;

/** More spans than this are not all joined: each n-th trace is, n a power of two. About a second per two million spans and core. */
const JOINED_SPAN_COUNT_MAX = 4_000_000;
const STATEMENT_TIMEOUT_MS = 8_000;
/** After a statement beyond its limits: so many times fewer traces, so often. */
const THINNING = 8;
const TRY_COUNT_MAX = 3;
const EDGE_COUNT_MAX = 5_000;
const NODE_COUNT_MAX = 5_000;

function bindRange({ from, to }: TimeRange): Record<string, string> {
  const clamp = (nano: bigint): string => (nano < 0n ? 0n : nano > UNIX_NANO_MAX ? UNIX_NANO_MAX : nano).toString();
  return {
    ...rangeParams({ from, to }),
    childFrom: clamp(from - SKEW_NANO),
    childTo: clamp(to + SKEW_NANO),
    parentFrom: clamp(from - LOOKBACK_NANO),
    parentTo: clamp(to + SKEW_NANO),
  };
}

function chooseEvery(spanCount: number): number {
  let every = 1;
  while (spanCount / every > JOINED_SPAN_COUNT_MAX) every *= 2;
  return every;
}

/**
 * Every call once, whatever the order in which its spans arrived. Beyond the limits of size, memory and time the calls of each n-th trace
 * are counted and scaled up, and the answer is partial and says so. Throws only where the database is away or the caller has gone.
 */
export async function getDependencies(question: DependenciesQuestion, asking: Asking): Promise<DependenciesAnswer> {
  const startedMs = performance.now();
  const { range, focus, depth, comparison } = question;
  const account: Account = { scans: [], reasons: [] };
  const whole = await readGraph(range, asking, account);
  const other = comparison === null ? null : await readGraph(comparison, asking, account);
  const kept = focus === null ? null : nearFocus(other === null ? [whole] : [whole, other], focus, depth);
  const show = (graph: Graph): Graph => (kept === null ? graph : keepNodes(graph, kept));
  return {
    ...bounds(range),
    ...show(whole),
    comparison: comparison === null || other === null ? null : { ...bounds(comparison), ...show(other) },
    scan: buildScan(account.scans, startedMs, [...new Set(account.reasons)]),
  };
}

function bounds({ from, to }: TimeRange): { fromNano: string; toNano: string } {
  return { fromNano: from.toString(), toNano: to.toString() };
}

/** What was read, and why it may not be everything. */
interface Account {
  readonly scans: ScanFigures[];
  readonly reasons: string[];
}

async function readGraph(range: TimeRange, asking: Asking, { scans, reasons }: Account): Promise<Graph> {
  const { database, signal } = asking;
  const counted = await countSpans(range, asking);
  const services = await database.query<ServiceCountRow>(SERVICE_COUNTS, {
    params: { ...rangeParams(range), nodeLimit: NODE_COUNT_MAX + 1 },
    signal,
  });
  scans.push(counted.scan, services.scan);
  const joined = await joinWithinLimits(range, chooseEvery(counted.count), asking, scans);
  if (joined === null) {
    reasons.push("The calls could not be counted within the limits of time and memory: narrow the time range.");
  } else if (joined.every > 1) {
    reasons.push(
      `Calls were counted in each ${joined.every}th trace and scaled up: the range holds ${counted.count} spans; narrow it for exact counts.`,
    );
  }
  if (services.rows.length > NODE_COUNT_MAX) reasons.push(`The ${NODE_COUNT_MAX} services with the most spans are listed.`);
  if (joined?.isCut === true) reasons.push(`Of each kind of edge the ${EDGE_COUNT_MAX} with the most calls are listed.`);
  return buildGraph({
    services: services.rows.slice(0, NODE_COUNT_MAX),
    ...(joined ?? { calls: [], peers: [], received: [], every: 1 }),
  });
}

type Joined = Omit<GraphRows, "services"> & { readonly isCut: boolean };

/** null where even the thinnest sample is too much. */
async function joinWithinLimits(
  range: TimeRange,
  everyAtFirst: number,
  asking: Asking,
  scans: ScanFigures[],
): Promise<Joined | null> {
  let every = everyAtFirst;
  for (let attempt = 0; attempt < TRY_COUNT_MAX; attempt += 1) {
    try {
      return await joinSpans(range, every, asking, scans);
    } catch (error) {
      const code = failureCodeOf(error);
      const isLimit = code === "timeout" || code === "overloaded" || code === "too_large";
      if (!isLimit || asking.signal.aborted) throw error;
      every *= THINNING;
    }
  }
  return null;
}

async function joinSpans(range: TimeRange, every: number, { database, signal }: Asking, scans: ScanFigures[]): Promise<Joined> {
  const params = { ...bindRange(range), every: every.toString(), edgeLimit: EDGE_COUNT_MAX + 1 };
  const ask = async <T>(sql: string): Promise<T[]> => {
    const { rows, scan } = await database.query<T>(sql, {
      params,
      signal,
      timeoutMs: STATEMENT_TIMEOUT_MS,
    });
    scans.push(scan);
    return rows;
  };
  const calls = await ask<CallRow>(CALLS);
  const peers = await ask<PeerRow>(buildPeersSql(calls.some((row) => Number(row.unusual) > 0)));
  const isTopicMissing = peers.some((row) => row.role === "unknown");
  const received = isTopicMissing || (await hasLinks(ask)) ? await ask<ReceivedRow>(buildReceivedSql(isTopicMissing)) : [];
  const isCut = [calls, peers, received].some((rows) => rows.length > EDGE_COUNT_MAX);
  return {
    calls: calls.slice(0, EDGE_COUNT_MAX),
    peers: peers.slice(0, EDGE_COUNT_MAX),
    received: received.slice(0, EDGE_COUNT_MAX),
    every,
    isCut,
  };
}

async function hasLinks(ask: <T>(sql: string) => Promise<T[]>): Promise<boolean> {
  const [row] = await ask<{ n: string }>(HAS_LINKS);
  return Number(row?.n ?? 0) > 0;
}
