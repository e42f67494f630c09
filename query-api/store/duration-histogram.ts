/** Counts by duration bucket, merged from wherever they were counted, and the percentiles that follow from them. Pure. */
import { DURATION_BUCKET_COUNT, durationBucketLowerNano } from "@callchain/schemas/clickhouse/duration-buckets.ts";

/** How many are in each of these buckets; a bucket may come several times. */
export interface BucketCounts {
  readonly buckets: ArrayLike<number>;
  readonly counts: ArrayLike<number>;
}

export class DurationHistogram {
  /** As they were added: a bucket may come several times. */
  readonly #buckets: number[] = [];
  readonly #counts: number[] = [];
  #total = 0;
  #minNano = Infinity;
  #maxNano = 0;

  add(buckets: readonly number[], counts: readonly number[]): void {
    for (let index = 0; index < buckets.length; index += 1) {
      const count = counts[index] ?? 0;
      this.#buckets.push(buckets[index] ?? 0);
      this.#counts.push(count);
      this.#total += count;
    }
  }

  /** The shortest and the longest duration among those that are added, here or later. */
  bound(minNano: number, maxNano: number): void {
    this.#minNano = Math.min(this.#minNano, minNano);
    this.#maxNano = Math.max(this.#maxNano, maxNano);
  }

  merge(other: DurationHistogram): void {
    this.add(other.#buckets, other.#counts);
    this.bound(other.#minNano, other.#maxNano);
  }

  /**
   * For each percentile the duration at index floor(percentile% of n) of the n sorted ones: its place in its bucket is that of its rank, and
   * it never leaves what was seen. null where nothing was counted. `percentiles` lie between 0 and 100.
   */
  percentiles(percentiles: readonly number[]): (number | null)[] {
    if (this.#total === 0) return percentiles.map(() => null);
    const sorted = sumByBucket([{ buckets: this.#buckets, counts: this.#counts }]);
    return percentiles.map((percentile) => {
      const rank = Math.min(this.#total - 1, Math.floor((percentile / 100) * this.#total));
      return Math.round(Math.min(this.#maxNano, Math.max(this.#minNano, placeOf(rank, sorted))));
    });
  }
}

/** Sums while they are made, all zero in between. The longest duration of 64 bits is rounded up to the bucket behind the last. */
const sums = new Float64Array(DURATION_BUCKET_COUNT + 1);

/** Each bucket with its sum, in ascending order: several times as fast as a map that is sorted. */
export function sumByBucket(parts: readonly BucketCounts[]): [bucket: number, count: number][] {
  let first = sums.length;
  let last = -1;
  for (const { buckets, counts } of parts) {
    for (let index = 0; index < buckets.length; index += 1) {
      const bucket = buckets[index] ?? 0;
      sums[bucket] = (sums[bucket] ?? 0) + (counts[index] ?? 0);
      if (bucket < first) first = bucket;
      if (bucket > last) last = bucket;
    }
  }
  const sorted: [bucket: number, count: number][] = [];
  for (let bucket = first; bucket <= last; bucket += 1) {
    const sum = sums[bucket] ?? 0;
    if (sum !== 0) sorted.push([bucket, sum]);
    sums[bucket] = 0;
  }
  return sorted;
}

/** The duration at this rank, counted from 0, of the sorted ones, in nanoseconds. */
export function placeOf(rank: number, sorted: readonly (readonly [bucket: number, count: number])[]): number {
  let before = 0;
  for (const [bucket, count] of sorted) {
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
