/**
 * One partition on its way to the writer:
 *
 *   [starting] --position known--> [ready] --fetched--> [delivering] --taken--> [ready] ...
 *       ^                                                    |
 *       +---------- the writer starts again from the rows ---+          any --revoke--> [revoked]
 *
 * Only a ready partition is fetched: while the writer is busy with one piece the next stays in Kafka.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { RecordsBatch } from "@platformatic/kafka";
import { Failure, messageOf } from "@callchain/schemas/span/errors.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { LogConsumer, LogRecord } from "@callchain/schemas/span/ports.ts";
import { describeKafkaError } from "./client.ts";

const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 5_000;
/** RecordBatch attributes, bit 5: a transaction's marker, no data. Kafka protocol "Record Batch". */
const CONTROL_BATCH = 1 << 5;
const NO_BYTES = new Uint8Array(0);

export interface FeedOptions {
  readonly partition: number;
  readonly logPartition: number;
  readonly consumer: LogConsumer;
  readonly logger: Log;
  /** Turns the first offset that the writer wants into the one to read from. */
  readonly startAt: (partition: number, wanted: bigint) => Promise<bigint>;
  /** The partition can be fetched now. */
  readonly onReady: () => void;
}

/** What a fetch brought of one partition. */
export interface Piece {
  readonly batches: readonly RecordsBatch[];
  /** One past the last offset that can be read; null where that has not changed. */
  readonly end: bigint | null;
  /** The bytes lie in a buffer with those of other partitions, which must not be kept for as long as this one takes. */
  readonly isShared: boolean;
}

export class PartitionFeed {
  readonly partition: number;
  readonly #options: FeedOptions;
  readonly #revoked = new AbortController();
  #state: "starting" | "ready" | "delivering" | "revoked" = "starting";
  #position = 0n;
  #end = 0n;
  #isIdleTold = false;
  #backoffMs = BACKOFF_FIRST_MS;
  #readySinceMs = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.partition = options.partition;
    void this.#start();
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  get isDelivering(): boolean {
    return this.#state === "delivering";
  }

  /** The next offset to fetch. */
  get position(): bigint {
    return this.#position;
  }

  /** Records that were there at the last fetch and have not been taken. */
  get lag(): bigint {
    return this.#end > this.#position ? this.#end - this.#position : 0n;
  }

  /** How long it could have been fetched and has not been. */
  readyForMs(nowMs: number): number {
    return this.isReady ? nowMs - this.#readySinceMs : 0;
  }

  /** Takes what was fetched from `position` on; ignored where the partition is no longer ready for it. */
  take(piece: Piece, from: bigint): void {
    if (this.#state !== "ready" || from !== this.#position) return;
    const { records, next } = recordsOf(piece, this.#options.logPartition, from);
    this.#position = next;
    this.#end = piece.end ?? this.#end;
    if (records.length > 0) void this.#deliver(records);
    else {
      this.#readySinceMs = performance.now();
      if (this.lag === 0n) this.#tellIdle();
    }
  }

  /** Begins again from the rows. */
  restart(): void {
    if (this.#state !== "ready") return;
    this.#state = "starting";
    void this.#start();
  }

  /** Resolves when the writer has let go of the partition. */
  async revoke(): Promise<void> {
    if (this.#state === "revoked") return;
    this.#state = "revoked";
    this.#revoked.abort();
    await this.#options.consumer.revoke(this.#options.logPartition);
  }

  /** Never rejects: tries until it is ready or revoked. */
  async #start(): Promise<void> {
    const { partition, logPartition, consumer, logger, startAt } = this.#options;
    const { signal } = this.#revoked;
    while (!signal.aborted) {
      try {
        const wanted = await consumer.assign(logPartition);
        if (signal.aborted) return;
        const position = await startAt(partition, wanted);
        if (signal.aborted) return;
        this.#position = position;
        this.#isIdleTold = false;
        this.#becomeReady();
        return;
      } catch (error) {
        const reason = error instanceof Failure ? error.message : describeKafkaError(error);
        logger.error({ partition, reason, retryAfterMs: this.#backoffMs }, "a partition cannot be read yet");
        await this.#pause();
      }
    }
  }

  async #deliver(records: readonly LogRecord[]): Promise<void> {
    const { partition, logPartition, consumer, logger } = this.#options;
    this.#state = "delivering";
    this.#isIdleTold = false;
    try {
      await consumer.deliver(logPartition, records);
    } catch (error) {
      if (this.#revoked.signal.aborted) return;
      logger.warn({ partition, reason: messageOf(error) }, "the partition is read again from where the rows end");
      this.#state = "starting";
      await this.#pause();
      await this.#start();
      return;
    }
    if (this.#revoked.signal.aborted) return;
    this.#backoffMs = BACKOFF_FIRST_MS;
    if (this.lag === 0n) this.#tellIdle();
    this.#becomeReady();
  }

  #becomeReady(): void {
    this.#state = "ready";
    this.#readySinceMs = performance.now();
    this.#options.onReady();
  }

  /** Once each time the partition runs dry. */
  #tellIdle(): void {
    if (this.#isIdleTold) return;
    this.#isIdleTold = true;
    this.#options.consumer.idle(this.#options.logPartition);
  }

  async #pause(): Promise<void> {
    const waitMs = this.#backoffMs;
    this.#backoffMs = Math.min(waitMs * 2, BACKOFF_MAX_MS);
    await sleep(waitMs, undefined, { signal: this.#revoked.signal }).catch(() => undefined);
  }
}

/** A batch is fetched whole, also where only its end was asked for. A record without a value (a tombstone) holds no spans. */
function recordsOf(piece: Piece, partition: number, from: bigint): { records: LogRecord[]; next: bigint } {
  const records: LogRecord[] = [];
  let next = from;
  for (const batch of piece.batches) {
    const batchEnd = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
    if ((batch.attributes & CONTROL_BATCH) === 0) {
      for (const record of batch.records) {
        const offset = batch.firstOffset + BigInt(record.offsetDelta);
        if (offset >= from) records.push({ partition, offset, value: record.value ?? NO_BYTES });
      }
    }
    if (batchEnd > next) next = batchEnd;
  }
  return { records: piece.isShared ? copyOf(records) : records, next };
}

/** The same records over one buffer of their own. */
function copyOf(records: readonly LogRecord[]): LogRecord[] {
  const bytes = new Uint8Array(records.reduce((sum, { value }) => sum + value.length, 0));
  let at = 0;
  return records.map((record) => {
    const value = bytes.subarray(at, at + record.value.length);
    value.set(record.value);
    at += value.length;
    return { ...record, value };
  });
}
