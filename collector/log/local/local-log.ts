/**
 * The local log: what the all-in-one has in Kafka's place. Append-only segments in a directory (format.ts), group commit
 * (committer.ts), reading back (consumption.ts): what was just written comes from the system's page cache. One process, one partition, number 0.
 *
 * Offsets: rows keep the offset of their record, and the writer takes records behind the highest one found in the rows. So a
 * directory that was lost or put back from an old copy must never hand out offsets that rows already have: new acknowledged
 * spans would be taken for stored. Each start therefore begins at a new epoch, the time in milliseconds times 1024, or behind the
 * last record, whichever is higher. (A log would have to take 1,024,000 records a second on average to overtake the clock; the
 * numbers stay below 2^53 until the year 2248.) Should the clock have been set back too, `assign` shows it: `#align` then
 * appends what this life has taken once more, at offsets behind those of the rows.
 */
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { lockDirectory, type DirectoryLock } from "@callchain/schemas/runtime/directory-lock.ts";
import { Failure, messageOf } from "@callchain/schemas/span/errors.ts";
import type { LogConsumer, LogPosition, SpanLogAppender, SpanLogReader } from "@callchain/schemas/span/ports.ts";
import { Committer } from "./committer.ts";
import { consumeLog } from "./consumption.ts";
import { registerLogMetrics } from "./log-metrics.ts";
import { recoverSegments } from "./recover.ts";
import { SegmentReader } from "./segment-reader.ts";
import { Segments } from "./segments.ts";

const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;
const SEGMENT_BYTES_MIN = 64 * 1024;
/** A block of spans on its way in, as a file and as a part, with room for a merge. */
const FREE_BYTES_MIN = 256 * 1024 * 1024;
const OFFSETS_PER_MS = 1024n;

export interface LocalLogOptions {
  /** The log's own directory; it is made where it is absent. */
  readonly dir: string;
  /** Records not yet released take at most this much disk; then appends are refused as "overloaded". */
  readonly capBytes: number;
  /** While the disk has less than this free, appends are refused as "unavailable". Default 256 MiB. */
  readonly freeBytesMin?: number;
  /** A segment of this size is followed by the next. Default: 64 MiB, or an eighth of the cap. */
  readonly segmentBytes?: number;
  /** The setting that chooses the directory, for refusals. Default `--data-dir`. */
  readonly dirFlag?: string;
  readonly logger: Log;
  readonly metrics?: Registry;
  /** Milliseconds since the epoch; tests set it. */
  readonly now?: () => number;
}

export type LocalSpanLog = SpanLogAppender & SpanLogReader & Running;

/**
 * Opens the log of the directory: takes the directory for this process, cuts a torn tail, reports damage. Throws Failure
 * "unavailable" where another process has the directory or it cannot be read.
 */
export async function openLocalLog(options: LocalLogOptions): Promise<LocalSpanLog> {
  const { dir, logger } = options;
  const lock = lockDirectory(dir, options.dirFlag ?? "--data-dir");
  try {
    const segments = new Segments(dir, await recoverSegments(dir, logger), logger);
    return new LocalLog(options, lock, segments);
  } catch (error) {
    lock.release();
    if (error instanceof Failure) throw error;
    throw new Failure("unavailable", `cannot open the log in ${dir}: ${messageOf(error)}`, { cause: error });
  }
}

class LocalLog implements SpanLogAppender, SpanLogReader, Running {
  readonly #logger: Log;
  readonly #lock: DirectoryLock;
  readonly #segments: Segments;
  readonly #committer: Committer;
  /** The first offset of this life: what lies below was there before this start. */
  readonly #firstOffset: bigint;
  #damagedByteCount = 0;
  #isConsumed = false;
  #wake: (() => void) | null = null;

  constructor(options: LocalLogOptions, lock: DirectoryLock, segments: Segments) {
    const { capBytes, logger } = options;
    const segmentBytes =
      options.segmentBytes ?? Math.max(SEGMENT_BYTES_MIN, Math.min(SEGMENT_BYTES_MAX, Math.floor(capBytes / 8)));
    const epoch = BigInt((options.now ?? Date.now)()) * OFFSETS_PER_MS;
    const end = segments.endOffset;
    this.#firstOffset = epoch > end ? epoch : end;
    this.#logger = logger;
    this.#lock = lock;
    this.#segments = segments;
    this.#committer = new Committer({
      segments,
      capBytes,
      dir: options.dir,
      freeBytesMin: options.freeBytesMin ?? FREE_BYTES_MIN,
      segmentBytes,
      nextOffset: this.#firstOffset,
      onCommit: () => this.#wake?.(),
    });
    if (options.metrics !== undefined) {
      registerLogMetrics(options.metrics, {
        segments,
        committer: this.#committer,
        damagedByteCount: () => this.#damagedByteCount,
      });
    }
  }

  append(request: Uint8Array): Promise<void> {
    return this.#committer.append(request);
  }

  async consume(consumer: LogConsumer, signal: AbortSignal): Promise<void> {
    if (this.#isConsumed) throw new Failure("internal", "the local log has one partition and takes one consumer at a time");
    this.#isConsumed = true;
    try {
      await consumeLog({
        consumer,
        signal,
        reader: this.#openReader(),
        logger: this.#logger,
        align: (wanted) => this.#align(wanted),
        arrival: (position, until) => this.#arrival(position, until),
      });
    } finally {
      this.#isConsumed = false;
    }
  }

  async release(position: LogPosition): Promise<void> {
    await this.#segments.release(position.offset);
  }

  async stop(): Promise<void> {
    await this.#committer.close();
    this.#lock.release();
  }

  #openReader(): SegmentReader {
    return new SegmentReader({
      segments: this.#segments,
      logger: this.#logger,
      onDamage: (bytes) => {
        this.#damagedByteCount += bytes;
      },
    });
  }

  async #align(wanted: bigint): Promise<void> {
    if (wanted <= this.#committer.nextOffset) return;
    this.#logger.warn(
      { nextOffset: String(this.#committer.nextOffset), wantedOffset: String(wanted) },
      "the stored rows are ahead of the log (was its directory lost and the clock set back?); it goes on behind them",
    );
    await this.#committer.skipTo(wanted);
    const reader = this.#openReader();
    try {
      let position = this.#firstOffset;
      while (position < wanted) {
        const { records, next } = await reader.read(position);
        const early = records.filter((record) => record.offset < wanted);
        await Promise.all(early.map((record) => this.#committer.append(record.value)));
        if (next === position) return;
        position = next;
      }
    } finally {
      await reader.close();
    }
  }

  async #arrival(position: bigint, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#segments.lastOffset >= position) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const onAbort = (): void => resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    await promise;
    signal.removeEventListener("abort", onAbort);
    this.#wake = null;
  }
}
