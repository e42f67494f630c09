/** Counts by duration bucket, merged from wherever they were counted, and the percentiles that follow from them. Pure. */
import { DURATION_BUCKET_COUNT, durationBucketLowerNano } from "@callchain/schemas/clickhouse/duration-buckets.ts";

/** How many are in each of these buckets; a bucket may come several times. */
export interface BucketCounts {
  readonly buckets: ArrayLike<number>;
  readonly counts: ArrayLike<number>;
}

export class DurationHistogram {
  readonly #parts: BucketCounts[] = [];
  #total = 0;
  #minNano = Infinity;
  #maxNano = 0;

  /** Keeps both; a bucket may come several times. */
  add(buckets: ArrayLike<number>, counts: ArrayLike<number>): void {
    for (let index = 0; index < counts.length; index += 1) this.#total += counts[index] ?? 0;
    this.#parts.push({ buckets, counts });
  }

  /** The shortest and the longest duration among those that are added, here or later. */
  bound(minNano: number, maxNano: number): void {
    this.#minNano = Math.min(this.#minNano, minNano);
    this.#maxNano = Math.max(this.#maxNano, maxNano);
  }

  merge(other: DurationHistogram): void {
    for (const part of other.#parts) this.#parts.push(part);
    this.#total += other.#total;
    this.bound(other.#minNano, other.#maxNano);
  }

  /**
   * For each percentile the duration at index floor(percentile% of n) of the n sorted ones: its place in its bucket is that of its rank, and
   * it never leaves what was seen. null where nothing was counted. `percentiles` lie between 0 and 100.
   */
  percentiles(percentiles: readonly number[]): (number | null)[] {
    if (this.#total === 0) return percentiles.map(() => null);
    const levels = percentiles.map((percentile) => percentile / 100);
    return durationsAt(this.#parts, levels).map((place) => Math.round(Math.min(this.#maxNano, Math.max(this.#minNano, place))));
  }
}

/** Sums while they are made, all zero in between. The longest duration of 64 bits is rounded up to the bucket behind the last. */
const sums = new Float64Array(DURATION_BUCKET_COUNT + 1);

/** Adds the parts up in `sums`, and gives back where these are. Allocates nothing for each bucket: a map, or pairs, take several times as long. */
function addUp(parts: readonly BucketCounts[]): { readonly first: number; readonly last: number; readonly total: number } {
  let first = sums.length;
  let last = -1;
  let total = 0;
  for (const { buckets, counts } of parts) {
    for (let index = 0; index < buckets.length; index += 1) {
      const bucket = buckets[index] ?? 0;
      const count = counts[index] ?? 0;
      sums[bucket] = (sums[bucket] ?? 0) + count;
      total += count;
      if (bucket < first) first = bucket;
      if (bucket > last) last = bucket;
    }
  }
  return { first, last, total };
}

/** For each level (0 to 1) the duration in nanoseconds at index floor(level * n) of the n sorted ones, where its rank is in its bucket. */
export function durationsAt(parts: readonly BucketCounts[], levels: readonly number[]): number[] {
  const { first, last, total } = addUp(parts);
  const places = levels.map((level) => placeOf(Math.min(total - 1, Math.floor(level * total)), first, last));
  sums.fill(0, first, last + 1);
  return places;
}

/** The parts as one: each bucket once, in order, and none with nothing in it. */
export function sumBuckets(parts: readonly BucketCounts[]): { readonly buckets: number[]; readonly counts: number[] } {
  const { first, last } = addUp(parts);
  const buckets: number[] = [];
  const counts: number[] = [];
  for (let bucket = first; bucket <= last; bucket += 1) {
    const count = sums[bucket] ?? 0;
    if (count === 0) continue;
    buckets.push(bucket);
    counts.push(count);
  }
  sums.fill(0, first, last + 1);
  return { buckets, counts };
}

/** Of `sums` from bucket `first` to `last`. */
function placeOf(rank: number, first: number, last: number): number {
  let before = 0;
  for (let bucket = first; bucket <= last; bucket += 1) {
    const count = sums[bucket] ?? 0;
    if (rank < before + count) return placeInBucket(bucket, rank - before, count);
    before += count;
  }
  return Infinity;
}

/** Where the duration of this rank is among the `count` ones of a bucket, in nanoseconds: they lie evenly in it. */
function placeInBucket(bucket: number, rank: number, count: number): number {
  const lower = durationBucketLowerNano(bucket);
  return lower + ((durationBucketLowerNano(bucket + 1) - lower) * (rank + 0.5)) / count;
}
