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
import type { EdgeCounts } from "./edge-series.ts";
import { planScope } from "./plan.ts";
import { STEP_SETTINGS, type EdgeStep } from "./plan-step.ts";
import { readEdgeSpans } from "./read-spans.ts";
import type { StepMemory } from "./step-memory.ts";

/**
 * Takes the step. On rejection it was taken or not: the next plan tells. Error 395 says that another step was taken since, 216 that one is
 * being taken. Who takes several gives the same `memory` to each.
 */
export async function takeEdgeStep(
  database: SpanDatabase,
  step: EdgeStep,
  queryId: string,
  signal?: AbortSignal,
  memory?: StepMemory,
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
  const reading = memory === undefined ? {} : { known: { memory, step: step.after } };
  const spans = scope === null ? null : (await readEdgeSpans(database, scope, options, reading)).spans;
  const counts = spans === null ? [] : await countEdges(spans);
  await database.insert(INSERT_COUNTS, encodeRows([...buildMarks(step), ...counts.map(buildRow)]), {
    params: { day: step.day, after: step.after.toString(), step: (step.after + 1n).toString() },
    settings: { ...ONE_PART, input_format_parallel_parsing: 0 },
    timeoutMs: STEP_TIMEOUT_MS,
    queryId,
    ...aborting,
  });
  memory?.add(step.after, spans);
}

/** Minutes that a row of `edge_rollups` is of. The longest: a histogram of eight hours is little larger than one of an hour. */
export const EDGE_TIERS = [1, 60, 480] as const;

const STEP_TIMEOUT_MS = 300_000;

const LAST_STEP = "SELECT if(count() = 0, 0, max(step)) FROM edge_rollups WHERE tier = 0";

/** As the statement below takes them; `slowest_trace` in hex. Marks have their place in the log alone, counts everything else. */
const INPUT_COLUMNS = [
  ["is_mark", "UInt8"],
  ["log_partition", "UInt32"],
  ["log_next", "UInt64"],
  ["first", "UInt32"],
  ["role", "String"],
  ["caller", "String"],
  ["callee", "String"],
  ["system", "String"],
  ["is_error", "UInt8"],
  ["buckets", "Array(UInt16)"],
  ["counts", "Array(Int64)"],
  ["slowest_trace", "String"],
  ["slowest_nano", "UInt64"],
] as const;
type InputRow = readonly (string | number | readonly number[])[];

/** Each minute's counts, and as those of the longer stretches that it lies in, which the server adds up while it inserts them. */
const INSERT_COUNTS = `INSERT INTO edge_rollups
  (ingest_day, tier, minute, edge, role, caller, callee, system, is_error, log_partition, log_next, step, durations, slowest_nano, slowest)
SELECT {day:Date}, arrayJoin(if(is_mark = 1, [toUInt16(0)], [${EDGE_TIERS.map((tier) => `toUInt16(${tier})`).join(", ")}])) AS of,
  toUInt32(first - first % greatest(of, 1)), cityHash64(role, caller, callee, system), role, caller, callee, system, is_error,
  log_partition, log_next, {step:UInt64}, (buckets, counts), slowest_nano,
  initializeAggregation('argMaxState', toFixedString(unhex(slowest_trace), 16), slowest_nano)
FROM input('${INPUT_COLUMNS.map(([name, type]) => `${name} ${type}`).join(", ")}')
WHERE throwIf((${LAST_STEP}) != {after:UInt64}, 'another step was taken since') = 0
FORMAT JSONCompactEachRow`;

function buildMarks({ to }: EdgeStep): InputRow[] {
  return [...to].map(([partition, next]) => [1, partition, next.toString(), 0, "", "", "", "", 0, [], [], "", 0]);
}

function buildRow({ edge, minute, isError, durations, slowest }: EdgeCounts): InputRow {
  const kept = [...durations].filter(([, count]) => count !== 0);
  const buckets = kept.map(([bucket]) => bucket);
  const counts = kept.map(([, count]) => count);
  const { role, caller, callee, system } = edge;
  const longest = [slowest?.traceId ?? "", slowest?.durationNano ?? 0];
  return [0, 0, 0, minute, role, caller, callee, system, isError ? 1 : 0, buckets, counts, ...longest];
}

const ROWS_PER_BUFFER = 1000;

function encodeRows(rows: readonly InputRow[]): Uint8Array[] {
  const buffers: Uint8Array[] = [];
  for (let at = 0; at < rows.length; at += ROWS_PER_BUFFER) {
    const lines = rows.slice(at, at + ROWS_PER_BUFFER).map((row) => `${JSON.stringify(row)}\n`);
    buffers.push(Buffer.from(lines.join("")));
  }
  return buffers;
}
