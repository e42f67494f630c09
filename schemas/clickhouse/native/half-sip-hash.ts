/** HalfSipHash-2-4 with 32 bits of output (Aumasson and Bernstein, "SipHash"), under a key drawn when the process starts. */

const KEY = crypto.getRandomValues(new Int32Array(2));
const KEY_LOW = KEY[0] ?? 0;
const KEY_HIGH = KEY[1] ?? 0;

/** A keyed hash: whoever does not know the key cannot make collisions. */
export function halfSipHash(source: Uint8Array, view: DataView, start: number, length: number): number {
  let v0 = KEY_LOW;
  let v1 = KEY_HIGH;
  let v2 = 0x6c796765 ^ KEY_LOW;
  let v3 = 0x74656462 ^ KEY_HIGH;
  const wordEnd = start + (length & ~3);
  // Every word, then the tail with the length, then four rounds that finish.
  for (let at = start; at <= wordEnd + 4; at += 4) {
    let word = 0;
    let rounds = 2;
    if (at < wordEnd) {
      word = view.getInt32(at, true);
    } else if (at === wordEnd) {
      word = length << 24;
      for (let tail = wordEnd; tail < start + length; tail++) word |= (source[tail] ?? 0) << ((tail - wordEnd) * 8);
    } else {
      rounds = 4;
      v2 ^= 0xff;
    }
    v3 ^= word;
    for (; rounds > 0; rounds--) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
  }
  return v1 ^ v3;
}
