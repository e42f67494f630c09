/**
 * The buckets of every duration histogram, in SQL and here, so that a figure counted in spans and one counted in rollups are the same
 * figure. A bucket is the exponent and the first five bits of the mantissa of the duration as a double: 32 equal parts of each octave.
 *
 *   1 ns -> 0    2 ns -> 32    3 ns -> 48    1 ms = 1.907 * 2^19 -> 19 * 32 + 29 = 637
 *
 * 0 ns counts as 1 ns. The middle of a bucket is within 1.6% of whatever lies in it.
 */
const MANTISSA_BITS = 5;
const SHIFT = 52 - MANTISSA_BITS;
const FIRST = 1023 << MANTISSA_BITS;

/** A duration of 64 bits has a bucket below this. */
export const DURATION_BUCKET_COUNT = 64 << MANTISSA_BITS;

/** The bucket of `duration_nano` as SQL of UInt16; `coarser` halvings of the number of buckets in each octave. */
export function durationBucketSql(coarser = 0): string {
  const bits = `reinterpretAsUInt64(toFloat64(greatest(duration_nano, 1)))`;
  return `toUInt16(bitShiftRight(${bits}, ${SHIFT + coarser}) - ${FIRST >> coarser})`;
}

const VIEW = new DataView(new ArrayBuffer(8));

/** What the SQL answers, for one duration. */
export function durationBucketOf(durationNano: bigint): number {
  VIEW.setFloat64(0, Number(durationNano < 1n ? 1n : durationNano));
  return Number(VIEW.getBigUint64(0) >> BigInt(SHIFT)) - FIRST;
}

/** Where a bucket begins, in nanoseconds; 0 and 1 ns share bucket 0. */
export function durationBucketLowerNano(bucket: number, coarser = 0): number {
  if (bucket <= 0) return 0;
  VIEW.setBigUint64(0, BigInt(bucket + (FIRST >> coarser)) << BigInt(SHIFT + coarser));
  return VIEW.getFloat64(0);
}
