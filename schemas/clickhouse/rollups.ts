/**
 * Rollups: what `service_rollups` and `resource_counts` hold and how spans get there, each once. A step counts the spans of one log partition whose offsets follow
 * those already counted, and stores the counts together with the new end as one part:
 *
 *   spans of partition 0    offsets 0 .. 41 | 42 .. 90 | 91 ..
 *   service_rollups            end 42
 *   this step                                42 .. 90    asserts "end is 42" inside itself; afterwards it is 91
 *
 * As with the spans themselves (insert-spans.ts), equality and one query id per partition keep two builders apart, and a crash leaves
 * either the whole step or nothing of it. Spans that arrive late are in a later step like all others: a minute's rows add up. Questions
 * take the ends from the rows that they read, and count the spans behind them in the raw.
 */
import type { SpanDatabase } from "./database.ts";
import { durationBucketSql } from "./duration-buckets.ts";
import { ONE_PART } from "./insert-spans.ts";

export const HOUR_TIER = 60;
export const RESOURCE_TIERS: readonly number[] = [1, HOUR_TIER];
/** Minutes of a row for all services together. */
const EVERYTHING_TIER = 5;
/** Minutes of rows, shortest first: of each service, and of everything. A range of a day that does not begin at midnight holds no whole day, but two of eight hours. */
export const SERVICE_TIERS: readonly number[] = [1, HOUR_TIER, 480];
export const EVERYTHING_TIERS: readonly number[] = [1, EVERYTHING_TIER];
const TIERS = `[${[...new Set([...SERVICE_TIERS, ...EVERYTHING_TIERS])].join(", ")}]`;

/** A table of counts: where tier is 0 its rows say how far each log partition is counted. */
export interface Rollup {
  readonly table: string;
  /** Takes a step, as one part: its parameters are those of RollupStep. */
  readonly insert: string;
  /** Between the prefix and the log partition in the query id of its steps. */
  readonly queryIdPart: string;
}

/** One row where the counts of the partition end at {from}; fails where they do not. */
const assertEnd = (table: string): string => `(SELECT throwIf(
    (SELECT if(count() = 0, 0, max(log_next)) FROM ${table} WHERE tier = 0 AND log_partition = {partition:UInt32}) != {from:UInt64},
    'the rollups of this log partition do not end where the builder believes') AS moved) WHERE moved = 0`;

const IS_ROOT = "parent_span_id = toFixedString('', 8)";

/** Minutes of a series with all their buckets, one after the other. The key is 12 bytes: one with the service's text takes ten times as long. */
const BY_MINUTE = `
SELECT toUInt32(intDiv(toUnixTimestamp64Nano(start), 60000000000)) AS first,
  cityHash64(service) + bitXor(kind, status * 1442695040888963407) + (${IS_ROOT}) * 3935559000370003845 AS series,
  any(spans.service) AS ownService, any(kind) AS ownKind, any(status) AS ownStatus, any(${IS_ROOT}) AS isRoot,
  groupArray(${durationBucketSql()}) AS all, min(duration_nano) AS lo, max(duration_nano) AS hi,
  max(toUnixTimestamp64Nano(start)) AS last, argMax((trace_id, span_id), duration_nano) AS slow
FROM spans
WHERE log_partition = {partition:UInt32} AND log_offset >= {from:UInt64} AND log_offset < {to:UInt64}
GROUP BY first, series`;

/** Of a sorted array: the last of each run of equal values, and its place, counted from 1. */
const lastOfRuns = (what: "value" | "at"): string =>
  `arrayFilter((${what}, one, next) -> one != next, ${what === "at" ? "arrayEnumerate(sorted)" : "sorted"}, sorted, arrayPushBack(arrayPopFront(sorted), 65535))`;

const COUNT_SPANS = `INSERT INTO service_rollups
  (ingest_day, tier, service, minute, kind, status, is_root, log_partition, log_next, durations, spans, min_nano, max_nano, last_nano, slowest)
SELECT {day:Date} AS ingest_day, tier, service, minute, kind, status, is_root, toUInt32(0) AS log_partition, toUInt64(0) AS log_next,
  (${lastOfRuns("value")}, CAST(arrayPopFront(arrayDifference(arrayPushFront(${lastOfRuns("at")}, 0))), 'Array(UInt64)')) AS durations,
  length(sorted) AS spans, min_nano, max_nano, last_nano, slowest
FROM (
  SELECT toUInt16(arrayJoin(${TIERS})) AS tier, if(tier = ${EVERYTHING_TIER}, '', toString(ownService)) AS service,
    toUInt32(first - first % tier) AS minute, ownKind AS kind, ownStatus AS status, isRoot AS is_root,
    arraySort(groupArrayArray(all)) AS sorted, min(lo) AS min_nano, max(hi) AS max_nano, max(last) AS last_nano, argMaxState(slow, hi) AS slowest
  FROM (${BY_MINUTE})
  GROUP BY tier, service, minute, kind, status, is_root
)
UNION ALL
SELECT {day:Date} AS ingest_day, toUInt16(0) AS tier, '' AS service, toUInt32(0) AS minute, toUInt8(0) AS kind, toUInt8(0) AS status,
  toUInt8(0) AS is_root, {partition:UInt32} AS log_partition, {to:UInt64} AS log_next,
  (CAST([], 'Array(UInt16)'), CAST([], 'Array(UInt64)')) AS durations, toUInt64(0) AS spans, toUInt64(0) AS min_nano, toUInt64(0) AS max_nano,
  toInt64(0) AS last_nano, arrayReduce('argMaxState', [(toFixedString('', 16), toFixedString('', 8))], [toUInt64(0)]) AS slowest
FROM ${assertEnd("service_rollups")}`;

/** Grouped by the resource's hash, which is taken once for each text of the dictionary: by the text itself takes four times as long. */
const COUNT_RESOURCES = `INSERT INTO resource_counts (ingest_day, tier, minute, resource, log_partition, log_next, spans)
SELECT {day:Date} AS ingest_day, toUInt8(arrayJoin([${RESOURCE_TIERS.join(", ")}])) AS tier, toUInt32(first - first % tier) AS minute, one AS resource,
  toUInt32(0) AS log_partition, toUInt64(0) AS log_next, sum(n) AS spans
FROM (
  SELECT toUInt32(intDiv(toUnixTimestamp64Nano(start), 60000000000)) AS first, cityHash64(resource) AS hash, any(spans.resource) AS one, count() AS n
  FROM spans
  WHERE spans.log_partition = {partition:UInt32} AND log_offset >= {from:UInt64} AND log_offset < {to:UInt64}
  GROUP BY first, hash
)
GROUP BY tier, minute, resource
UNION ALL
SELECT {day:Date} AS ingest_day, toUInt8(0) AS tier, toUInt32(0) AS minute, toLowCardinality('') AS resource, {partition:UInt32} AS log_partition,
  {to:UInt64} AS log_next, toUInt64(0) AS spans
FROM ${assertEnd("resource_counts")}`;

export const SERVICE_ROLLUP: Rollup = { table: "service_rollups", insert: COUNT_SPANS, queryIdPart: "services-" };
/** Which resources there are is told by these few rows instead of by every span. */
export const RESOURCE_ROLLUP: Rollup = { table: "resource_counts", insert: COUNT_RESOURCES, queryIdPart: "resources-" };
export const ROLLUPS: readonly Rollup[] = [SERVICE_ROLLUP, RESOURCE_ROLLUP];

export interface RollupStep {
  readonly partition: number;
  /** The day of arrival of its spans; with them the rows expire. */
  readonly day: string;
  /** Offsets: `from` included, `to` not. */
  readonly from: bigint;
  readonly to: bigint;
}

/** Every log partition with spans, where its spans end and where they are counted to. */
export async function listUncounted(
  database: SpanDatabase,
  { table }: Rollup,
  signal?: AbortSignal,
): Promise<{ partition: number; counted: bigint; end: bigint }[]> {
  const { rows } = await database.query<{ partition: number; counted: string; end: string }>(
    `SELECT log_partition AS partition, end, counted
     FROM (SELECT log_partition, max(log_offset) + 1 AS end FROM spans GROUP BY log_partition) AS stored
     LEFT JOIN (SELECT log_partition, max(log_next) AS counted FROM ${table} WHERE tier = 0 GROUP BY log_partition) AS rollup
     USING log_partition WHERE end > counted ORDER BY partition`,
    { settings: { select_sequential_consistency: 1, optimize_use_projections: 1 }, ...aborting(signal) },
  );
  return rows.map((row) => ({ partition: row.partition, counted: BigInt(row.counted), end: BigInt(row.end) }));
}

/**
 * The next steps of a partition, of about `spanCountMax` spans each: all that wait of the first day of arrival, so that what waits is looked at once.
 * None where all are counted.
 */
export async function planSteps(
  database: SpanDatabase,
  partition: number,
  from: bigint,
  spanCountMax: number,
  signal?: AbortSignal,
): Promise<RollupStep[]> {
  const { rows } = await database.query<{ day: string; spans: string; first: string; end: string }>(
    `SELECT toString(ingest_day) AS day, count() AS spans, min(log_offset) AS first, max(log_offset) + 1 AS end FROM spans
     WHERE log_partition = {partition:UInt32} AND log_offset >= {from:UInt64} GROUP BY ingest_day ORDER BY first LIMIT 2`,
    { params: { partition, from: from.toString() }, settings: { select_sequential_consistency: 1 }, ...aborting(signal) },
  );
  const [today, other] = rows;
  if (today === undefined) return [];
  const end = other !== undefined && BigInt(other.first) < BigInt(today.end) ? BigInt(other.first) : BigInt(today.end);
  const first = BigInt(today.first);
  const stepCount = BigInt(Math.max(1, Math.ceil(Number(today.spans) / spanCountMax)));
  const length = (end - first + stepCount - 1n) / stepCount;
  const steps: RollupStep[] = [];
  for (let begin = from, to = first; begin < end; begin = to) {
    to = to + length < end ? to + length : end;
    steps.push({ partition, day: today.day, from: begin, to });
  }
  return steps;
}

/**
 * Takes the step: its counts and its end, as one part. On rejection it was taken or not: `listUncounted` tells. Error 395 says that the
 * counts did not end at `from`, 216 that a step of this partition is being taken.
 */
export async function takeStep(
  database: SpanDatabase,
  rollup: Rollup,
  step: RollupStep,
  queryIdPrefix: string,
  signal?: AbortSignal,
): Promise<void> {
  await database.command(rollup.insert, {
    params: { partition: step.partition, day: step.day, from: step.from.toString(), to: step.to.toString() },
    settings: ONE_PART,
    queryId: `${queryIdPrefix}-${rollup.queryIdPart}${step.partition}`,
    ...aborting(signal),
  });
}

function aborting(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
