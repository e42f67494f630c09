/** Counts by duration bucket, merged from wherever they were counted, and the percentiles that follow from them. Pure. */
import { DURATION_BUCKET_COUNT, durationBucketLowerNano } from "@callchain/schemas/clickhouse/duration-buckets.ts";

/** How many are in each of some buckets: of both lists what lies at `from` and before `to`. A bucket may come several times. */
export interface BucketCounts {
  readonly buckets: ArrayLike<number>;
  readonly counts: ArrayLike<number>;
  readonly from: number;
  readonly to: number;
}

export class DurationHistogram {
  readonly #parts: BucketCounts[] = [];
  #minNano = Infinity;
  #maxNano = 0;

  /** Keeps both lists. Each count is above zero. */
  add(buckets: ArrayLike<number>, counts: ArrayLike<number>, from = 0, to = counts.length): void {
    if (to > from) this.#parts.push({ buckets, counts, from, to });
  }

  /** The shortest and the longest duration among those that are added, here or later. */
  bound(minNano: number, maxNano: number): void {
    this.#minNano = Math.min(this.#minNano, minNano);
    this.#maxNano = Math.max(this.#maxNano, maxNano);
  }

  merge(other: DurationHistogram): void {
    for (const part of other.#parts) this.#parts.push(part);
    this.bound(other.#minNano, other.#maxNano);
  }

  /**
   * For each percentile the duration at index floor(percentile% of n) of the n sorted ones: its place in its bucket is that of its rank, and
   * it never leaves what was seen. null where nothing was counted. `percentiles` lie between 0 and 100.
   */
  percentiles(percentiles: readonly number[]): (number | null)[] {
    if (this.#parts.length === 0) return percentiles.map(() => null);
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
  for (const { buckets, counts, from, to } of parts) {
    for (let index = from; index < to; index += 1) {
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
  const ranks = levels.map((level) => Math.min(total - 1, Math.floor(level * total)));
  const places = placesOf(ranks, first, last);
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

/** Of `sums` from bucket `first` to `last`, which are gone through once. */
function placesOf(ranks: readonly number[], first: number, last: number): number[] {
  const places = ranks.map(() => Infinity);
  const inOrder = ranks.map((rank, at) => ({ rank, at })).toSorted((a, b) => a.rank - b.rank);
  let found = 0;
  let before = 0;
  for (let bucket = first; bucket <= last && found < inOrder.length; bucket += 1) {
    const count = sums[bucket] ?? 0;
    for (let next = inOrder[found]; next !== undefined && next.rank < before + count; next = inOrder[found]) {
      places[next.at] = placeInBucket(bucket, next.rank - before, count);
      found += 1;
    }
    before += count;
  }
  return places;
}

/** Where the duration of this rank is among the `count` ones of a bucket, in nanoseconds: they lie evenly in it. */
function placeInBucket(bucket: number, rank: number, count: number): number {
  const lower = durationBucketLowerNano(bucket);
  return lower + ((durationBucketLowerNano(bucket + 1) - lower) * (rank + 0.5)) / count;
}
