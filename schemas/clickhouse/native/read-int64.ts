/** Little-endian integers of 64 bits as numbers, exact up to 2^53: no bigint is made for each. Negative ones too. */
export function readInt64(buffer: ArrayBuffer): Float64Array {
  return joinWords(new Uint32Array(buffer), new Int32Array(buffer));
}

/** As readInt64, of unsigned ones. */
export function readUint64(buffer: ArrayBuffer): Float64Array {
  const words = new Uint32Array(buffer);
  return joinWords(words, words);
}

function joinWords(low: Uint32Array, high: Uint32Array | Int32Array): Float64Array {
  const numbers = new Float64Array(low.length / 2);
  for (let at = 0; at < numbers.length; at += 1) numbers[at] = (low[at * 2] ?? 0) + (high[at * 2 + 1] ?? 0) * 2 ** 32;
  return numbers;
}
