/** The newest synced records in memory, so that a writer that keeps up reads nothing back from disk. */
import type { LogRecord } from "@callchain/schemas/span/ports.ts";

interface TailBatch {
  readonly records: readonly LogRecord[];
  readonly lastOffset: bigint;
  readonly bytes: number;
}

export class Tail {
  readonly #bytesMax: number;
  readonly #batches: TailBatch[] = [];
  #bytes = 0;
  /** Every synced record from this offset on is here. */
  #coversFrom: bigint;

  constructor(bytesMax: number, coversFrom: bigint) {
    this.#bytesMax = bytesMax;
    this.#coversFrom = coversFrom;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes one synced batch; the oldest go where the tail is over its size. */
  push(records: readonly LogRecord[], bytes: number): void {
    const last = records.at(-1);
    if (last === undefined) return;
    this.#batches.push({ records, lastOffset: last.offset, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax) this.#dropOldest();
  }

  get coversFrom(): bigint {
    return this.#coversFrom;
  }

  /** Records from `position` on, up to about `bytesMax` bytes but at least one batch; drops what lies before them. */
  take(position: bigint, bytesMax: number): LogRecord[] {
    while (this.#batches[0] !== undefined && this.#batches[0].lastOffset < position) this.#dropOldest();
    const records: LogRecord[] = [];
    let bytes = 0;
    for (const batch of this.#batches) {
      if (bytes > 0 && bytes + batch.bytes > bytesMax) break;
      bytes += batch.bytes;
      for (const record of batch.records) if (record.offset >= position) records.push(record);
    }
    return records;
  }

  #dropOldest(): void {
    const batch = this.#batches.shift();
    if (batch === undefined) return;
    this.#bytes -= batch.bytes;
    this.#coversFrom = batch.lastOffset + 1n;
  }
}
