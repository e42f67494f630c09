/** Spans counted by group, step and duration bucket, with the longest of each: the one source of every latency figure. */
import type { Exemplar } from "@callchain/schemas/api/aggregates.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { durationBucketSql } from "@callchain/schemas/clickhouse/duration-buckets.ts";
import { DurationHistogram } from "./duration-histogram.ts";
import type { Asking } from "./range.ts";

/** What is known of some spans. Two of them add up to what is known of all their spans. */
export class SpanFigures {
  readonly durations = new DurationHistogram();
  errorCount = 0;
  slowest: Exemplar | null = null;
  slowestError: Exemplar | null = null;

  get count(): number {
    return this.durations.total;
  }

  merge(other: SpanFigures): void {
    this.durations.merge(other.durations);
    this.errorCount += other.errorCount;
    this.slowest = slowerOf(this.slowest, other.slowest);
    this.slowestError = slowerOf(this.slowestError, other.slowestError);
  }
}

function slowerOf(a: Exemplar | null, b: Exemplar | null): Exemplar | null {
  return a === null || (b !== null && b.durationNano > a.durationNano) ? b : a;
}

export interface PointFigures {
  readonly by: string | null;
  /** Number of the step since the epoch. */
  readonly point: bigint;
  readonly figures: SpanFigures;
}

interface PointRow {
  readonly by: string | null;
  readonly point: string;
  readonly errors: string;
  readonly minNano: string;
  readonly maxNano: string;
  readonly buckets: readonly number[];
  readonly counts: readonly string[];
  readonly slowest: readonly [traceId: string, spanId: string];
  readonly slowestError: readonly [traceId: string, spanId: string];
  readonly maxErrorNano: string;
}

const IDS = "(trace_id, span_id)";
const hexIds = (ids: string): string => `[lower(hex(${ids}.1)), lower(hex(${ids}.2))]`;

function readPoint(row: PointRow): PointFigures {
  const figures = new SpanFigures();
  const maxNano = Number(row.maxNano);
  figures.durations.add(row.buckets, row.counts.map(Number), Number(row.minNano), maxNano);
  figures.errorCount = Number(row.errors);
  const [traceId, spanId] = row.slowest;
  figures.slowest = { traceId, spanId, durationNano: maxNano };
  if (figures.errorCount > 0) {
    const [errorTraceId, errorSpanId] = row.slowestError;
    figures.slowestError = { traceId: errorTraceId, spanId: errorSpanId, durationNano: Number(row.maxErrorNano) };
  }
  return { by: row.by, point: BigInt(row.point), figures };
}

export interface SpanSelection {
  /** A condition over the columns of `spans`. */
  readonly where: string;
  /** SQL of Nullable(String). */
  readonly by: string;
  /** Everything that `where` and `by` bind, and {step} in nanoseconds. */
  readonly params: Readonly<Record<string, unknown>>;
}

/** From the raw spans. Points without spans are left out. */
export async function countSpansByPoint(
  { where, by, params }: SpanSelection,
  { database, signal }: Asking,
): Promise<{ points: PointFigures[]; scan: ScanFigures }> {
  const { rows, scan } = await database.query<PointRow>(
    `SELECT by, point, sum(e) AS errors, min(lo) AS minNano, max(hi) AS maxNano, groupArray(bucket) AS buckets, groupArray(n) AS counts,
       max(hiError) AS maxErrorNano, ${hexIds("argMax(slow, hi)")} AS slowest, ${hexIds("argMax(slowError, hiError)")} AS slowestError
     FROM (
       SELECT ${by} AS by, intDiv(toUnixTimestamp64Nano(start), {step:Int64}) AS point, ${durationBucketSql()} AS bucket,
         count() AS n, countIf(status = 2) AS e, min(duration_nano) AS lo, max(duration_nano) AS hi,
         maxIf(duration_nano, status = 2) AS hiError, argMax(${IDS}, duration_nano) AS slow, argMaxIf(${IDS}, duration_nano, status = 2) AS slowError
       FROM spans WHERE ${where} GROUP BY by, point, bucket
     )
     GROUP BY by, point`,
    { params, signal },
  );
  return { points: rows.map(readPoint), scan };
}
