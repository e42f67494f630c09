/**
 * The service graph of a range: whole minutes from the rollups, the minutes that the range cuts and the spans that no step of the rollups has
 * come to from the raw spans, by the same rules.
 */
import type { DependenciesAnswer } from "@callchain/schemas/api/catalog.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { EDGE_TIERS } from "@callchain/schemas/clickhouse/edges/steps.ts";
import { NANO_PER_SECOND, UNIX_NANO_MAX, unixNano, unixNanoFromMs, type UnixNano } from "@callchain/schemas/span/time.ts";
import type { CallCounter } from "@callchain/schemas/span/ports.ts";
import type { LogEnds } from "@callchain/schemas/clickhouse/log-positions.ts";
import { buildScan, type Asking, type TimeRange } from "../range.ts";
import { readWithRest } from "../counted-ends.ts";
import { outsideOf, planMinutes } from "../rollup-plan.ts";
import { countedUntil, isCountedAhead } from "./counted-ahead.ts";
import { addCountedEdges } from "./counted-edges.ts";
import { EdgeTable } from "./edge-figures.ts";
import { buildGraph, keepNodes, nearFocus, type Graph } from "./graph.ts";
import { listServiceFigures } from "./service-figures.ts";
import { countRawEdges, inStretches, readStoredEnds, uncountedIn, type Counted } from "./raw-edges.ts";

export interface DependenciesQuestion {
  readonly range: TimeRange;
  /** Node id or name; null: the whole graph. */
  readonly focus: string | null;
  /** Calls up and down from the focus. */
  readonly depth: number;
  /** A second range to show beside it. */
  readonly comparison: TimeRange | null;
}

const EDGE_COUNT_MAX = 5_000;
const NODE_COUNT_MAX = 5_000;

const MINUTE_NANO = 60n * NANO_PER_SECOND;
/**
 * Longer ranges are counted in whole minutes, those in which they begin and end included. Of a minute that is cut only the raw spans tell, and
 * those of an hour until now, at 20,000 a second, would be a million spans to join for each look at the map.
 */
const CUT_RANGE_NANO_MAX = 5n * MINUTE_NANO;

/**
 * Every call once, whatever the order in which its spans arrived. Beyond the limits of size, memory and time the calls of each n-th trace
 * are counted and scaled up, and the answer is partial and says so. Throws only where the database is away or the caller has gone.
 */
export async function getDependencies(
  question: DependenciesQuestion,
  asking: Asking,
  callCounter: CallCounter | null = null,
): Promise<DependenciesAnswer> {
  const startedMs = performance.now();
  const { range, focus, depth, comparison } = question;
  const account: Account = { scans: [], reasons: [], callCounter, until: null };
  const whole = await readGraph(range, asking, account);
  const other = comparison === null ? null : await readGraph(comparison, asking, account);
  const kept = focus === null ? null : nearFocus(other === null ? [whole] : [whole, other], focus, depth);
  const show = (graph: Graph): Graph => (kept === null ? graph : keepNodes(graph, kept));
  return {
    ...bounds(range, account.until),
    ...show(whole),
    comparison: comparison === null || other === null ? null : { ...bounds(comparison, account.until), ...show(other) },
    scan: buildScan(account.scans, startedMs, [...new Set(account.reasons)]),
  };
}

/** What is counted for a range. */
function countedRange({ from, to }: TimeRange): TimeRange {
  if (to - from < CUT_RANGE_NANO_MAX) return { from, to };
  const end = ((to + MINUTE_NANO - 1n) / MINUTE_NANO) * MINUTE_NANO;
  return { from: unixNano(from - (from % MINUTE_NANO)), to: unixNano(end < UNIX_NANO_MAX ? end : to) };
}

/** As far as that has come to pass and was counted: rates are over this time. */
function bounds(range: TimeRange, until: UnixNano | null): Pick<DependenciesAnswer, "fromNano" | "toNano" | "countedUntilNano"> {
  const { from, to } = countedRange(range);
  const now = unixNanoFromMs(Date.now());
  const passed = until !== null && until > from ? until : now > range.to ? now : range.to;
  return {
    fromNano: from.toString(),
    toNano: (to < passed ? to : passed).toString(),
    countedUntilNano: until?.toString() ?? null,
  };
}

/** What was read, and why it may not be everything. */
interface Account {
  readonly scans: ScanFigures[];
  readonly reasons: string[];
  /** null: nobody who could be asked. */
  readonly callCounter: CallCounter | null;
  /** Until when calls were counted, where that is not all that is stored. */
  until: UnixNano | null;
}

async function readGraph(asked: TimeRange, asking: Asking, account: Account): Promise<Graph> {
  const range = countedRange(asked);
  const [{ services, scans }, table] = await Promise.all([
    listServiceFigures(range, NODE_COUNT_MAX, asking),
    readEdges(range, asking, account),
  ]);
  account.scans.push(...scans);
  const edges = table.list();
  if (services.length > NODE_COUNT_MAX) account.reasons.push(`The ${NODE_COUNT_MAX} services with the most spans are listed.`);
  if (edges.length > EDGE_COUNT_MAX) account.reasons.push(`The ${EDGE_COUNT_MAX} edges with the most calls are listed.`);
  return buildGraph({ services: services.slice(0, NODE_COUNT_MAX), edges: edges.slice(0, EDGE_COUNT_MAX) });
}

async function readEdges(range: TimeRange, given: Asking, account: Account): Promise<EdgeTable> {
  const { scans, reasons, callCounter } = account;
  const table = new EdgeTable();
  const add = (counted: Counted | null): void => {
    if (counted === null) {
      reasons.push("The calls could not be counted within the limits of time and memory: narrow the time range.");
      return;
    }
    if (counted.every > 1) reasons.push(scaledUp(counted));
    if (!counted.isWhole) reasons.push(notSearched(counted));
    table.addCounts(counted.counts, counted.every);
  };
  const plan = planMinutes(range, EDGE_TIERS);
  if (plan === null) {
    add(await countRawEdges(inStretches([range]), given, scans));
    return table;
  }
  const until = countedUntil(callCounter);
  const isCounted = until === null && (await isCountedAhead(plan, callCounter, given, scans));
  // As another question: the ends that this one has found are outdated.
  const asking = isCounted ? { ...given } : given;
  const cut = outsideOf(plan, range);
  const stored = readStoredEnds(asking, scans);
  const readRest = async (ends: LogEnds, among: Asking): Promise<Rest> => {
    const storedEnds = await stored;
    const isBehind = !isCounted && [...storedEnds].some(([partition, end]) => end > (ends.get(partition) ?? 0n));
    const isLeftOut = isBehind && ends.size > 0 && until !== null;
    const subjects = [
      ...(isBehind && !isLeftOut ? plan.minutes.map((minutes) => uncountedIn(minutes, ends, storedEnds)) : []),
      ...(cut.length > 0 ? [inStretches(cut)] : []),
    ];
    const counts: (Counted | null)[] = [];
    for (const subject of ends.size === 0 ? [inStretches([range])] : subjects)
      counts.push(await countRawEdges(subject, among, scans));
    return { counts, until: isLeftOut ? until : null };
  };
  const [{ rest, scan }] = await Promise.all([
    readWithRest("edge_rollups", asking, () => addCountedEdges(table, plan, asking, scans), readRest),
    stored,
  ]);
  scans.push(scan);
  rest.counts.forEach(add);
  account.until ??= rest.until;
  return table;
}

/** What the rollups do not hold: its counts, and until when they reach where the newest are left out. */
interface Rest {
  readonly counts: readonly (Counted | null)[];
  readonly until: UnixNano | null;
}

function notSearched({ spanCount }: Counted): string {
  return `Of ${spanCount} spans that are not in the rollups yet, messages that had waited for minutes are left out: there are too many to look for.`;
}

function scaledUp({ every, spanCount }: Counted): string {
  return `Calls of ${spanCount} spans that are not in the rollups were counted in each ${every}th trace and scaled up; narrow the time range for exact counts.`;
}
