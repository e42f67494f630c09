/** Edges counted in the raw spans: those of a stretch of time, and those that no step of the rollups has come to. */
import type { QueryOptions, ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { countEdges } from "@callchain/schemas/clickhouse/edges/count-edges.ts";
import type { EdgeCounts } from "@callchain/schemas/clickhouse/edges/edge-series.ts";
import { planScope, type Subject } from "@callchain/schemas/clickhouse/edges/plan.ts";
import { readEdgeSpans } from "@callchain/schemas/clickhouse/edges/read-spans.ts";
import { LONG_NANO, REACH_NANO, SKEW_NANO, startsIn, type Stretch } from "@callchain/schemas/clickhouse/edges/scope.ts";
import { positionsBefore, positionsBetween, type LogEnds } from "@callchain/schemas/clickhouse/log-positions.ts";
import { failureCodeOf } from "@callchain/schemas/span/errors.ts";
import type { Asking } from "../range.ts";

/** More spans than this are not all joined: each n-th trace is, n a power of two. About two seconds and 200 MB. */
const JOINED_SPAN_COUNT_MAX = 1_500_000;
/** Looked through for the senders of messages, where many are missing: 0.4 s of CPU. A step of the rollups finds them wherever they are. */
const SEARCHED_SPAN_COUNT_MAX = 20_000_000;
const STATEMENT_TIMEOUT_MS = 8_000;
/** After a statement beyond its limits: so many times fewer traces, so often. */
const THINNING = 8;
const TRY_COUNT_MAX = 3;

/** Whose spans began in these stretches. */
export function inStretches(stretches: readonly Stretch[]): Subject {
  const within = startsIn(stretches);
  return { fresh: within, context: `NOT ${within}`, isContextCounted: false, facts: within };
}

/** Where spans begin that may say something of this stretch; of those behind it only answers to long calls do. */
export function nearOf({ from, to }: Stretch): Stretch {
  return { from: from - REACH_NANO, to: to + SKEW_NANO + LONG_NANO };
}

/**
 * What spans that came after `counted` add to the facts of this stretch, or take back. Of the spans behind its end only answers to its long
 * calls can.
 */
export function uncountedIn(stretch: Stretch, counted: LogEnds, stored: LogEnds): Subject {
  const { from, to } = stretch;
  const longCalls = `SELECT trace_id FROM spans WHERE ${startsIn([{ from: to - REACH_NANO, to }])} AND kind = 3 AND duration_nano > ${LONG_NANO}`;
  const near = startsIn([nearOf(stretch)]);
  const behind = startsIn([{ from: to + SKEW_NANO + LONG_NANO, to: to + REACH_NANO }]);
  return {
    fresh: `${positionsBetween(counted, stored)} AND (${near} OR (${behind} AND trace_id IN (${longCalls})))`,
    context: positionsBefore(counted),
    isContextCounted: true,
    facts: startsIn([{ from, to }]),
  };
}

/** Where the log ends for what is stored now. */
export async function readStoredEnds({ database, signal }: Asking, scans: ScanFigures[]): Promise<LogEnds> {
  const { rows, scan } = await database.query<{ partition: number; end: string }>(
    "SELECT log_partition AS partition, max(log_offset) + 1 AS end FROM spans GROUP BY partition",
    { signal },
  );
  scans.push(scan);
  return new Map(rows.map(({ partition, end }) => [partition, BigInt(end)]));
}

export interface Counted {
  /** 1: all traces; n: each n-th, and the counts are scaled up. */
  readonly every: number;
  readonly spanCount: number;
  /** False: senders of messages were not looked for in the whole hour before. */
  readonly isWhole: boolean;
  /** Of each n-th trace. */
  readonly counts: readonly EdgeCounts[];
}

/** The facts; null where even those of the thinnest sample are too many. Throws where the database is away. */
export async function countRawEdges(subject: Subject, asking: Asking, scans: ScanFigures[]): Promise<Counted | null> {
  let every = 1;
  for (let attempt = 0; attempt < TRY_COUNT_MAX; attempt += 1) {
    try {
      return await countSample(subject, every, asking, scans);
    } catch (error) {
      const code = failureCodeOf(error);
      const isLimit = code === "timeout" || code === "overloaded" || code === "too_large";
      if (!isLimit || asking.signal.aborted) throw error;
      every *= THINNING;
    }
  }
  return null;
}

async function countSample(
  subject: Subject,
  everyAtLeast: number,
  { database, signal }: Asking,
  scans: ScanFigures[],
): Promise<Counted> {
  const options: QueryOptions = { signal, timeoutMs: STATEMENT_TIMEOUT_MS };
  let every = everyAtLeast;
  let planned = await planScope(database, sample(subject, every), options);
  scans.push(...planned.scans);
  const spanCount = planned.spanCount * every;
  if (planned.spanCount > JOINED_SPAN_COUNT_MAX) {
    while (spanCount / every > JOINED_SPAN_COUNT_MAX) every *= 2;
    planned = await planScope(database, sample(subject, every), options);
    scans.push(...planned.scans);
  }
  if (planned.scope === null) return { every, spanCount, isWhole: true, counts: [] };
  const read = await readEdgeSpans(database, planned.scope, options, { searchedSpanCountMax: SEARCHED_SPAN_COUNT_MAX });
  scans.push(...read.scans);
  return { every, spanCount, isWhole: read.isWhole, counts: await countEdges(read.spans) };
}

function sample(subject: Subject, every: number): Subject {
  return every === 1 ? subject : { ...subject, fresh: `${subject.fresh} AND cityHash64(trace_id) % ${every} = 0` };
}
