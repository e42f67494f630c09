/**
 * Durations from service_rollups. The rows come as they are, and their histograms are added up here: the server takes several times as long to
 * bring together what is equal in them, and then to write it as text.
 */
import type { QueryOptions, ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import type { LogEnds } from "@callchain/schemas/clickhouse/log-positions.ts";
import { joinArrays, joinFixed, joinTexts } from "@callchain/schemas/clickhouse/native/join-columns.ts";
import { readBlocks, type ReadBlocks } from "@callchain/schemas/clickhouse/native/read-blocks.ts";
import { readUint64 } from "@callchain/schemas/clickhouse/native/read-int64.ts";
import { joinEnds } from "./counted-ends.ts";
import { IS_ENTRY_COUNTED, type Asking } from "./range.ts";
import { SpanFigures } from "./span-figures.ts";

export interface CountedQuestion {
  /** Condition of the rows. */
  readonly where: string;
  /** SQL of Int64: the number of the step. */
  readonly point: string;
  /** SQL of Nullable(String) that is never NULL; null: no groups. */
  readonly by: string | null;
  /** Entry spans apart from the others, which then have no durations. */
  readonly isSplit: boolean;
  readonly params: Readonly<Record<string, unknown>>;
}

export interface CountedFigures {
  readonly by: string | null;
  readonly point: bigint;
  readonly isEntry: boolean;
  readonly figures: SpanFigures;
}

/** Of more rows, 300 bytes each, the server adds up the histograms. */
const ROW_COUNT_MAX = 150_000;

/** One entry for each point, group and, where they are apart, kind of span; and the ends of what is counted, of the same moment. */
export async function readCountedDurations(
  question: CountedQuestion,
  { database, signal }: Asking,
  rowCountMax = ROW_COUNT_MAX,
): Promise<{ ends: LogEnds; found: CountedFigures[]; scans: ScanFigures[] }> {
  const options: QueryOptions = { params: question.params, signal };
  const rows = await readBlocks(database, `${selectRows(question)} LIMIT ${rowCountMax + 1}`, options);
  if (rows.rowCount <= rowCountMax) return { ...addUp(rows, question), scans: [rows.scan] };
  const sums = await readBlocks(database, selectSums(question), options);
  return { ...addUp(sums, question), scans: [rows.scan, sums.scan] };
}

/** Names that no column has. */
function selectKeys({ point, by, isSplit }: CountedQuestion): string {
  return `toUInt8(tier = 0) AS isMark, log_partition AS logPartition, toUInt64(log_next) AS next, toInt64(${point}) AS point,
    toLowCardinality(${by === null ? "''" : `assumeNotNull(${by})`}) AS by, toUInt8(${isSplit ? IS_ENTRY_COUNTED : "1"}) AS isEntry,
    toUInt8(status = 2) AS isError`;
}

const FROM = "FROM service_rollups WHERE tier = 0 OR";

/** Four thousand million spans of one service and length in eight hours are more than one store takes. */
function selectRows(question: CountedQuestion): string {
  const kept = (array: string): string => (question.isSplit ? `if(${IS_ENTRY_COUNTED}, ${array}, [])` : array);
  return `SELECT ${selectKeys(question)}, toUInt64(spans) AS spanCount, toUInt64(min_nano) AS lo, toUInt64(max_nano) AS hi,
      toInt64(last_nano) AS last, tupleElement(finalizeAggregation(slowest), 1) AS traceId, tupleElement(finalizeAggregation(slowest), 2) AS spanId,
      ${kept("durations.1")} AS buckets, ${kept("CAST(durations.2, 'Array(UInt32)')")} AS counts
    ${FROM} (${question.where})`;
}

const KEYS = "point, by, isEntry, isError";

/** In columns of the same names and types: what is known of each point without durations, then the durations. */
function selectSums(question: CountedQuestion): string {
  const whole = `SELECT isMark, logPartition, max(next) AS next, ${KEYS}, sum(n) AS spanCount, min(least) AS lo, max(most) AS hi, max(latest) AS last,
      tupleElement(argMaxMerge(slow), 1) AS traceId, tupleElement(argMaxMerge(slow), 2) AS spanId,
      CAST([], 'Array(UInt16)') AS buckets, CAST([], 'Array(UInt32)') AS counts
    FROM (SELECT ${selectKeys(question)}, toUInt64(spans) AS n, toUInt64(min_nano) AS least, toUInt64(max_nano) AS most, toInt64(last_nano) AS latest,
      slowest AS slow ${FROM} (${question.where}))
    GROUP BY isMark, logPartition, ${KEYS}`;
  const durations = `SELECT toUInt8(0) AS isMark, toUInt32(0) AS logPartition, toUInt64(0) AS next, ${KEYS}, toUInt64(0) AS spanCount, toUInt64(0) AS lo,
      toUInt64(0) AS hi, toInt64(0) AS last, toFixedString('', 16) AS traceId, toFixedString('', 8) AS spanId,
      groupArray(bucket) AS buckets, groupArray(toUInt32(inBucket)) AS counts
    FROM (
      SELECT ${KEYS}, bucket, sum(one) AS inBucket
      FROM (SELECT ${selectKeys(question)}, durations FROM service_rollups WHERE (${question.where}))
      ARRAY JOIN durations.1 AS bucket, durations.2 AS one
      ${question.isSplit ? "WHERE isEntry = 1" : ""} GROUP BY ${KEYS}, bucket
    )
    GROUP BY ${KEYS}`;
  return `${whole} UNION ALL ${durations}`;
}

interface Growing extends CountedFigures {
  /** Rows with the longest durations; -1: none. */
  slowest: number;
  slowestError: number;
}

function addUp(read: ReadBlocks, { by }: CountedQuestion): { ends: LogEnds; found: CountedFigures[] } {
  const { blocks, rowCount } = read;
  const { isMark, ends } = joinEnds(read);
  const fixed = (name: string, size: number): ArrayBuffer => joinFixed(blocks, name, size, rowCount);
  const points = new BigInt64Array(fixed("point", 8));
  const groups = joinTexts(blocks, "by", rowCount);
  const isEntry = new Uint8Array(fixed("isEntry", 1));
  const isError = new Uint8Array(fixed("isError", 1));
  const spanCount = readUint64(fixed("spanCount", 8));
  const lo = readUint64(fixed("lo", 8));
  const hi = readUint64(fixed("hi", 8));
  const last = new BigInt64Array(fixed("last", 8));
  const traceIds = Buffer.from(fixed("traceId", 16));
  const spanIds = Buffer.from(fixed("spanId", 8));
  const { ends: rowEnds, elements } = joinArrays(blocks, "buckets", 2);
  const buckets = new Uint16Array(elements);
  const counts = new Uint32Array(joinArrays(blocks, "counts", 4).elements);
  const found = new Map<number, Growing>();
  for (let row = 0, from = 0; row < rowCount; row += 1) {
    const to = rowEnds[row] ?? 0;
    if (isMark[row] === 1) continue;
    const point = points[row] ?? 0n;
    const group = groups.indexes[row] ?? 0;
    const key = (Number(point) * groups.texts.length + group) * 2 + (isEntry[row] ?? 0);
    let of = found.get(key);
    if (of === undefined) {
      const text = by === null ? null : (groups.texts[group] ?? "");
      of = { by: text, point, isEntry: isEntry[row] === 1, figures: new SpanFigures(), slowest: -1, slowestError: -1 };
      found.set(key, of);
    }
    const { figures } = of;
    const count = spanCount[row] ?? 0;
    figures.durations.add(buckets, counts, from, to);
    from = to;
    if (count === 0) continue;
    figures.count += count;
    figures.durations.bound(lo[row] ?? 0, hi[row] ?? 0);
    const began = last[row] ?? 0n;
    if (began > figures.lastNano) figures.lastNano = began;
    if ((hi[row] ?? 0) > (hi[of.slowest] ?? -1)) of.slowest = row;
    if (isError[row] !== 1) continue;
    figures.errorCount += count;
    if ((hi[row] ?? 0) > (hi[of.slowestError] ?? -1)) of.slowestError = row;
  }
  const exampleOf = (row: number): SpanFigures["slowest"] =>
    row < 0
      ? null
      : {
          traceId: traceIds.toString("hex", row * 16, row * 16 + 16),
          spanId: spanIds.toString("hex", row * 8, row * 8 + 8),
          durationNano: hi[row] ?? 0,
        };
  for (const { figures, slowest, slowestError } of found.values()) {
    figures.slowest = exampleOf(slowest);
    figures.slowestError = exampleOf(slowestError);
  }
  return { ends, found: [...found.values()] };
}
