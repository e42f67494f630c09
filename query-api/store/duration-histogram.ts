/** Counts by duration bucket, merged from wherever they were counted, and the percentiles that follow from them. Pure. */
import { durationBucketLowerNano } from "@callchain/schemas/clickhouse/duration-buckets.ts";

export class DurationHistogram {
  readonly #counts = new Map<number, number>();
  #total = 0;
  #minNano = Infinity;
  #maxNano = 0;

  add(buckets: readonly number[], counts: readonly number[]): void {
    for (const [index, bucket] of buckets.entries()) {
      const count = counts[index] ?? 0;
      this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0) + count);
      this.#total += count;
    }
  }

  /** The shortest and the longest duration among those that are added, here or later. */
  bound(minNano: number, maxNano: number): void {
    this.#minNano = Math.min(this.#minNano, minNano);
    this.#maxNano = Math.max(this.#maxNano, maxNano);
  }

  merge(other: DurationHistogram): void {
    this.add([...other.#counts.keys()], [...other.#counts.values()]);
    this.bound(other.#minNano, other.#maxNano);
  }

  /**
   * For each percentile the duration at index floor(percentile% of n) of the n sorted ones: its place in its bucket is that of its rank, and
   * it never leaves what was seen. null where nothing was counted. `percentiles` lie between 0 and 100.
   */
  percentiles(percentiles: readonly number[]): (number | null)[] {
    if (this.#total === 0) return percentiles.map(() => null);
    const sorted = [...this.#counts].toSorted(([a], [b]) => a - b);
    return percentiles.map((percentile) => {
      const rank = Math.min(this.#total - 1, Math.floor((percentile / 100) * this.#total));
      return Math.round(Math.min(this.#maxNano, Math.max(this.#minNano, placeOf(rank, sorted))));
    });
  }
}

function placeOf(rank: number, sorted: readonly (readonly [bucket: number, count: number])[]): number {
  let before = 0;
  for (const [bucket, count] of sorted) {
    if (rank < before + count) return placeInBucket(bucket, rank - before, count);
    before += count;
  }
  return Infinity;
}

/** Where the duration of this rank is among the `count` ones of a bucket, in nanoseconds: they lie evenly in it. */
export function placeInBucket(bucket: number, rank: number, count: number): number {
  const lower = durationBucketLowerNano(bucket);
  return lower + ((durationBucketLowerNano(bucket + 1) - lower) * (rank + 0.5)) / count;
}
