/**
 * The blocks of all partitions that are stored in one database. Each partition fills one; the spare ones are what takes its place while
 * it is stored, so their number is the number of inserts at once. Whoever waits for a spare goes on filling: a busy database gets few
 * large blocks in place of many small ones.
 *
 *   partition 0 [filling]      partition 1 [filling]      spare [storing for 0]  [free]
 */
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";

export class BlockPool {
  /** Kept by whoever adds partitions and lets them go. */
  partitionCount = 0;
  readonly #bytesMax: number;
  readonly #spareCount: number;
  readonly #free: SpanBlock[];
  readonly #waiting = new Set<(block: SpanBlock) => void>();

  /** All blocks together hold about `bytesMax` bytes of columns. */
  constructor(bytesMax: number, spareCount: number) {
    this.#bytesMax = bytesMax;
    this.#spareCount = spareCount;
    this.#free = Array.from({ length: spareCount }, () => new SpanBlock());
  }

  /** What one block may hold: all have equal parts. */
  get bytesOfBlock(): number {
    return this.#bytesMax / (Math.max(1, this.partitionCount) + this.#spareCount);
  }

  /** A free block; null where there is none. */
  takeNow(): SpanBlock | null {
    return this.#free.pop() ?? null;
  }

  /** The next block that becomes free, first come first served; null when the signal aborts before. */
  async take(signal: AbortSignal): Promise<SpanBlock | null> {
    const free = this.takeNow();
    if (free !== null || signal.aborted) return free;
    const { promise, resolve } = Promise.withResolvers<SpanBlock | null>();
    const onAbort = (): void => {
      this.#waiting.delete(resolve);
      resolve(null);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waiting.add(resolve);
    const block = await promise;
    signal.removeEventListener("abort", onAbort);
    return block;
  }

  /** Back from being stored. It keeps its memory, unless it has grown to more than blocks may have now. */
  give(block: SpanBlock): void {
    const kept = block.byteCount > 2 * this.bytesOfBlock ? new SpanBlock() : block;
    kept.reset();
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free.push(kept);
      return;
    }
    this.#waiting.delete(next);
    next(kept);
  }
}
