/**
 * Memory for request bodies that is used again. A body of some 100 KB is outside of V8's heap: left to the garbage collector, a few
 * hundred a second make it mark the whole heap again and again, a tenth of the receivers' CPU.
 */

/** Shorter bodies come in one chunk, which is not copied. */
const CLASS_BYTES_MIN = 32 * 1024;
const CLASS_BYTES_MAX = 8 * 1024 * 1024;

export class BodyPool {
  readonly #keptBytesMax: number;
  /** Free buffers by their size, a power of two. */
  readonly #free = new Map<number, Buffer[]>();
  #keptBytes = 0;

  /** `keptBytesMax`: what may lie here unused. */
  constructor(keptBytesMax: number) {
    this.#keptBytesMax = keptBytesMax;
  }

  /** A buffer of at least `bytes`, with whatever is in it. */
  take(bytes: number): Buffer {
    if (bytes > CLASS_BYTES_MAX) return Buffer.allocUnsafeSlow(bytes);
    const size = Math.max(CLASS_BYTES_MIN, 2 ** Math.ceil(Math.log2(bytes)));
    const kept = this.#free.get(size)?.pop();
    if (kept === undefined) return Buffer.allocUnsafeSlow(size);
    this.#keptBytes -= size;
    return kept;
  }

  /** Takes a buffer of `take` back; nobody may read or write it any more. */
  giveBack(buffer: Buffer): void {
    const size = buffer.length;
    if (size > CLASS_BYTES_MAX || this.#keptBytes + size > this.#keptBytesMax) return;
    this.#keptBytes += size;
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [buffer]);
    else free.push(buffer);
  }
}
