/** Group commit: requests that arrive while a batch is being synced wait and share the next write and fdatasync. */
import { statfs, type FileHandle } from "node:fs/promises";
import { writeFully } from "@callchain/schemas/runtime/write-fully.ts";
import { messageOf, Failure } from "@callchain/schemas/span/errors.ts";
import { FRAME_BYTES, encodeFrameHead } from "./format.ts";
import type { Segment } from "./recover.ts";
import type { Segments } from "./segments.ts";

/** A batch is at most this large, or one record. */
const BATCH_BYTES_MAX = 8 * 1024 * 1024;
const RETRY_AFTER_FULL_MS = 1_000;
const RETRY_AFTER_FAULT_MS = 5_000;
/** Free space is looked at again after so many bytes or milliseconds. */
const FREE_CHECK_BYTES = 4 * 1024 * 1024;
const FREE_CHECK_MS = 200;

interface Pending {
  readonly value: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (reason: Failure) => void;
}

interface CommitterOptions {
  readonly segments: Segments;
  /** Unreleased and queued bytes together stay at or below this. */
  readonly capBytes: number;
  /** Nothing is taken while the file system of `dir` has less than this free, beside what is being written. */
  readonly freeBytesMin: number;
  readonly dir: string;
  /** A segment that has reached this size is sealed. */
  readonly segmentBytes: number;
  readonly nextOffset: bigint;
  /** Called after each batch once it is synced, before its senders are told. */
  readonly onCommit: () => void;
}

interface CommitCounts {
  recordCount: number;
  byteCount: number;
  batchCount: number;
  refusedCount: number;
  failedCount: number;
}

export class Committer {
  readonly counts: CommitCounts = { recordCount: 0, byteCount: 0, batchCount: 0, refusedCount: 0, failedCount: 0 };
  readonly #options: CommitterOptions;
  readonly #segments: Segments;
  #queue: Pending[] = [];
  #queuedBytes = 0;
  #nextOffset: bigint;
  #running: Promise<void> | null = null;
  #committing: Promise<void> | null = null;
  #isClosed = false;
  /** What may be written before free space is looked at again, and until when. */
  #checkedBytes = 0;
  #checkedUntilMs = 0;

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#segments = options.segments;
    this.#nextOffset = options.nextOffset;
  }

  get nextOffset(): bigint {
    return this.#nextOffset;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  append(value: Uint8Array): Promise<void> {
    if (this.#isClosed) {
      return Promise.reject(unavailable("the log is closing"));
    }
    const bytes = FRAME_BYTES + value.length;
    const { capBytes } = this.#options;
    if (bytes > capBytes) {
      this.counts.refusedCount += 1;
      return Promise.reject(
        new Failure("too_large", `the request of ${value.length} bytes exceeds the log's cap of ${capBytes}`),
      );
    }
    if (this.#segments.unreleasedBytes + this.#queuedBytes + bytes > capBytes) {
      this.counts.refusedCount += 1;
      const message = `the log holds its cap of ${capBytes} bytes of spans not yet stored`;
      return Promise.reject(new Failure("overloaded", message, { retryAfterMs: RETRY_AFTER_FULL_MS }));
    }
    this.#queuedBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#queue.push({ value, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Later records are at this offset or behind it; resolves when no record before it is being written any more. */
  async skipTo(offset: bigint): Promise<void> {
    if (offset > this.#nextOffset) this.#nextOffset = offset;
    await this.#committing;
  }

  /** Refuses new records and resolves when those taken are synced or refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
    await this.#segments.seal();
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      // What else can be read in this turn of the event loop joins the batch: the busier the loop, the larger the batches.
      await new Promise(setImmediate);
      this.#committing = this.#commit(this.#takeBatch());
      await this.#committing;
    }
    this.#committing = null;
    this.#running = null;
  }

  #takeBatch(): Pending[] {
    let bytes = 0;
    let count = 0;
    for (const pending of this.#queue) {
      bytes += FRAME_BYTES + pending.value.length;
      if (count > 0 && bytes > BATCH_BYTES_MAX) break;
      count += 1;
    }
    if (count === this.#queue.length) {
      const all = this.#queue;
      this.#queue = [];
      return all;
    }
    return this.#queue.splice(0, count);
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    let bytes = 0;
    for (const pending of batch) bytes += FRAME_BYTES + pending.value.length;
    try {
      await this.#checkFree(bytes);
      await this.#store(batch, bytes);
      this.counts.recordCount += batch.length;
      this.counts.byteCount += bytes;
      this.counts.batchCount += 1;
      this.#queuedBytes -= bytes;
      this.#options.onCommit();
      for (const pending of batch) pending.resolve();
    } catch (error) {
      this.counts.failedCount += batch.length;
      this.#queuedBytes -= bytes;
      const failure = error instanceof Failure ? error : unavailable(`the log cannot be written: ${messageOf(error)}`, error);
      for (const pending of batch) pending.reject(failure);
    }
  }

  /** A log that takes the last of the disk leaves nothing to store its records with, and so could never be emptied again. */
  async #checkFree(bytes: number): Promise<void> {
    const { dir, freeBytesMin } = this.#options;
    this.#checkedBytes -= bytes;
    if (freeBytesMin === 0 || (this.#checkedBytes >= 0 && performance.now() < this.#checkedUntilMs)) return;
    const { bavail, bsize } = await statfs(dir);
    const freeBytes = bavail * bsize;
    if (freeBytes < freeBytesMin + bytes) {
      this.#checkedBytes = 0;
      throw unavailable(
        `the disk of ${dir} is full: ${freeBytes} bytes are free, and the log leaves ${freeBytesMin} for storing what it holds`,
      );
    }
    this.#checkedBytes = FREE_CHECK_BYTES;
    this.#checkedUntilMs = performance.now() + FREE_CHECK_MS;
  }

  /** Writes and syncs one batch. On failure nothing of it remains in the part of the file that is read. */
  async #store(batch: readonly Pending[], bytes: number): Promise<void> {
    const { segment, file } = await this.#segmentFor(bytes);
    const heads = Buffer.allocUnsafeSlow(batch.length * FRAME_BYTES);
    const pieces: Uint8Array[] = [];
    for (const [index, { value }] of batch.entries()) {
      const head = heads.subarray(index * FRAME_BYTES, (index + 1) * FRAME_BYTES);
      encodeFrameHead(head, this.#nextOffset, segment.bytes, value);
      this.#nextOffset += 1n;
      pieces.push(head, value);
    }
    try {
      await writeFully(file, pieces, segment.bytes);
    } catch (error) {
      await this.#rollBack(segment, file);
      throw error;
    }
    try {
      await file.datasync();
    } catch (error) {
      // After a failed sync the kernel may have dropped the pages while calling them clean: this file takes nothing more.
      await this.#rollBack(segment, file);
      await this.#segments.seal();
      throw error;
    }
    segment.bytes += bytes;
    segment.lastOffset = this.#nextOffset - 1n;
  }

  async #segmentFor(bytes: number): Promise<{ readonly segment: Segment; readonly file: FileHandle }> {
    const { active } = this.#segments;
    const { segmentBytes } = this.#options;
    if (active !== null) {
      const { segment } = active;
      const isFull = segment.lastOffset >= segment.firstOffset && segment.bytes + bytes > segmentBytes;
      const isSpent = segment.bytes > segmentBytes / 8 && this.#segments.isReleased(segment);
      if (!isFull && !isSpent) return active;
    }
    try {
      return await this.#segments.openNext(this.#nextOffset);
    } catch (error) {
      // A name is never tried twice: remains of a file that could not even be removed must not be in the way.
      this.#nextOffset += 1n;
      throw error;
    }
  }

  /** Removes what a failed write left; where that fails too the segment is sealed at its synced length. */
  async #rollBack(segment: Segment, file: FileHandle): Promise<void> {
    try {
      await file.truncate(segment.bytes);
    } catch {
      // The next segment's header says where this one ends, so what remains behind it is never read.
      await this.#segments.seal();
    }
  }
}

function unavailable(message: string, cause?: unknown): Failure {
  return new Failure("unavailable", message, { cause, retryAfterMs: RETRY_AFTER_FAULT_MS });
}
