/**
 * Numbers of some rows of a column. Loops: with `from` and `map`, which call back for each number, the trees of ten thousand small traces took
 * half as long again.
 */

/** Into `picked`, an array of as many numbers as there are rows, which it gives back. */
export function pick<T extends Float64Array | Uint32Array | Uint8Array>(values: T, rows: Uint32Array, picked: T): T {
  for (let at = 0; at < rows.length; at += 1) picked[at] = values[rows[at] ?? 0] ?? 0;
  return picked;
}

export function addUp(a: Float64Array, b: Float64Array): Float64Array {
  const sums = new Float64Array(a.length);
  for (let at = 0; at < a.length; at += 1) sums[at] = (a[at] ?? 0) + (b[at] ?? 0);
  return sums;
}

/** 0, 1, 2 and so on. */
export function countUp(count: number): Uint32Array {
  const numbers = new Uint32Array(count);
  for (let at = 0; at < count; at += 1) numbers[at] = at;
  return numbers;
}
