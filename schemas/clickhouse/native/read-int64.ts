/** Little-endian integers of 64 bits as numbers, exact up to 2^53: no bigint is made for each. Negative ones too. */
export function readInt64(buffer: ArrayBuffer): Float64Array {
  const low = new Uint32Array(buffer);
  const high = new Int32Array(buffer);
  const numbers = new Float64Array(low.length / 2);
  for (let at = 0; at < numbers.length; at += 1) numbers[at] = (low[at * 2] ?? 0) + (high[at * 2 + 1] ?? 0) * 2 ** 32;
  return numbers;
}

/** As readInt64, of unsigned ones. */
export function readUint64(buffer: ArrayBuffer): Float64Array {
  const words = new Uint32Array(buffer);
  const numbers = new Float64Array(words.length / 2);
  for (let at = 0; at < numbers.length; at += 1) numbers[at] = (words[at * 2] ?? 0) + (words[at * 2 + 1] ?? 0) * 2 ** 32;
  return numbers;
}
