/**
 * Edges counted into `edge_rollups`, each fact once. A step takes spans that arrived since the last one, of all log partitions together, and
 * adds what they say beside those that were counted before:
 *
 *   new child, old parent      a call          old client, new answer    the client's peer is taken back
 *   old child, new parent      a call          new copy of an old span   nothing
 *
 * So a pair of spans is counted in the step in which the later of them is, however late and in whatever order the two arrived, and nothing is
 * counted anew. Steps of one store follow each other: two at once would miss what a span of the one and a span of the other say together. Each
 * stores its counts and how far it came as one part, its number in every row, and asserts the number of the last one; so a crash leaves the whole
 * step or nothing, of several builders one takes it, and a question sees which rows have changed since another. On a cluster the spans of a
 * trace lie on several shards, which do not see each other: there edges are not counted, and questions join the raw spans.
 */
import type { SpanDatabase } from "../database.ts";
import { ONE_PART } from "../insert-spans.ts";
import { positionsBefore, positionsBetween } from "../log-positions.ts";
import { countEdges } from "./count-edges.ts";
import { CountedSenders } from "./counted-senders.ts";
import type { EdgeCounts } from "./edge-series.ts";
import { planScope } from "./plan.ts";
import { STEP_SETTINGS, type EdgeStep } from "./plan-step.ts";
import { readEdgeSpans } from "./read-spans.ts";

/**
 * Takes the step. On rejection it was taken or not: the next plan tells. Error 395 says that another step was taken since, 216 that one is
 * being taken. Who takes several gives the same `senders` to each.
 */
export async function takeEdgeStep(
  database: SpanDatabase,
  step: EdgeStep,
  queryId: string,
  signal?: AbortSignal,
  senders = new CountedSenders(),
): Promise<void> {
  const aborting = signal === undefined ? {} : { signal };
  const options = { settings: { ...STEP_SETTINGS, max_threads: 1 }, timeoutMs: STEP_TIMEOUT_MS, ...aborting };
  const { scope } = await planScope(
    database,
    {
      fresh: positionsBetween(step.from, step.to),
      context: step.from.size === 0 ? null : positionsBefore(step.from),
      isContextCounted: true,
      facts: "1",
    },
    options,
  );
  const number = step.after + 1n;
  const known = { senders, step: step.after };
  const spans = scope === null ? null : (await readEdgeSpans(database, scope, options, { known })).spans;
  const counts = spans === null ? [] : await countEdges(spans);
  await database.insert(INSERT_COUNTS, encodeRows([...buildMarks(step, number), ...buildRows(counts, number)]), {
    params: { day: step.day, after: step.after.toString() },
    settings: { ...ONE_PART, input_format_parallel_parsing: 0 },
    timeoutMs: STEP_TIMEOUT_MS,
    queryId,
    ...aborting,
  });
  if (spans !== null) senders.add(step.after, spans);
}

/** Minutes that a row of `edge_rollups` is of. The longest: a histogram of eight hours is little larger than one of an hour. */
export const EDGE_TIERS = [1, 60, 480] as const;

const STEP_TIMEOUT_MS = 300_000;

/** As the statement below takes it; `slowest_trace` in hex. */
interface RollupRow {
  readonly tier: number;
  readonly minute: number;
  readonly role: string;
  readonly caller: string;
  readonly callee: string;
  readonly system: string;
  readonly is_error: number;
  readonly log_partition: number;
  readonly log_next: string;
  readonly step: string;
  readonly buckets: readonly number[];
  readonly counts: readonly number[];
  readonly slowest_trace: string;
  readonly slowest_nano: number;
}

const STRUCTURE =
  `tier UInt16, minute UInt32, role String, caller String, callee String, system String, is_error UInt8, log_partition UInt32,
  log_next UInt64, step UInt64, buckets Array(UInt16), counts Array(Int64), slowest_trace String, slowest_nano UInt64`.replaceAll(
    /\s+/g,
    " ",
  );

const LAST_STEP = "SELECT if(count() = 0, 0, max(step)) FROM edge_rollups WHERE tier = 0";

const INSERT_COUNTS = `INSERT INTO edge_rollups
  (ingest_day, tier, minute, edge, role, caller, callee, system, is_error, log_partition, log_next, step, durations, slowest_nano, slowest)
SELECT {day:Date}, tier, minute, cityHash64(role, caller, callee, system), role, caller, callee, system, is_error, log_partition, log_next, step,
  (buckets, counts), slowest_nano, initializeAggregation('argMaxState', toFixedString(unhex(slowest_trace), 16), slowest_nano)
FROM input('${STRUCTURE}')
WHERE throwIf((${LAST_STEP}) != {after:UInt64}, 'another step was taken since') = 0
FORMAT JSONEachRow`;

const NO_COUNTS = {
  minute: 0,
  role: "",
  caller: "",
  callee: "",
  system: "",
  is_error: 0,
  buckets: [],
  counts: [],
  slowest_trace: "",
  slowest_nano: 0,
};
const NO_MARK = { log_partition: 0, log_next: "0" };

function buildMarks({ to }: EdgeStep, number: bigint): RollupRow[] {
  return [...to].map(([partition, next]) => ({
    ...NO_COUNTS,
    tier: 0,
    log_partition: partition,
    log_next: next.toString(),
    step: number.toString(),
  }));
}

/** Each minute's counts, and those of the longer stretches that they lie in. */
function* buildRows(counts: readonly EdgeCounts[], number: bigint): Generator<RollupRow> {
  let finer = counts;
  for (const tier of EDGE_TIERS) {
    finer = tier === 1 ? finer : mergeStretchesOf(tier, finer);
    for (const one of finer) yield buildRow(tier, one, number);
  }
}

function mergeStretchesOf(tier: number, finer: readonly EdgeCounts[]): EdgeCounts[] {
  const merged = new Map<string, { durations: Map<number, number>; first: EdgeCounts; slowest: EdgeCounts["slowest"] }>();
  for (const one of finer) {
    const { edge, minute, isError } = one;
    const key = JSON.stringify([edge.role, edge.caller, edge.callee, edge.system, Math.floor(minute / tier), isError]);
    const known = merged.get(key);
    if (known === undefined) {
      merged.set(key, { durations: new Map(one.durations), first: one, slowest: one.slowest });
      continue;
    }
    for (const [bucket, count] of one.durations) known.durations.set(bucket, (known.durations.get(bucket) ?? 0) + count);
    if ((one.slowest?.durationNano ?? -1) > (known.slowest?.durationNano ?? -1)) known.slowest = one.slowest;
  }
  return [...merged.values()].map(({ durations, first, slowest }) => ({
    ...first,
    minute: first.minute - (first.minute % tier),
    durations,
    slowest,
  }));
}

function buildRow(tier: number, { edge, minute, isError, durations, slowest }: EdgeCounts, number: bigint): RollupRow {
  const kept = [...durations].filter(([, count]) => count !== 0);
  return {
    tier,
    minute,
    ...edge,
    is_error: isError ? 1 : 0,
    ...NO_MARK,
    step: number.toString(),
    buckets: kept.map(([bucket]) => bucket),
    counts: kept.map(([, count]) => count),
    slowest_trace: slowest?.traceId ?? "",
    slowest_nano: slowest?.durationNano ?? 0,
  };
}

const ROWS_PER_BUFFER = 1000;

function encodeRows(rows: readonly RollupRow[]): Uint8Array[] {
  const buffers: Uint8Array[] = [];
  for (let at = 0; at < rows.length; at += ROWS_PER_BUFFER) {
    const lines = rows.slice(at, at + ROWS_PER_BUFFER).map((row) => `${JSON.stringify(row)}\n`);
    buffers.push(Buffer.from(lines.join("")));
  }
  return buffers;
}
