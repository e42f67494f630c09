/**
 * The writing of one log partition: one block fills while another is being stored.
 *
 *   deliver -> [filling] --full, old or idle--> a spare takes its place -> [storing] -> insert -> release
 *
 * A failed insert leaves a doubt that only the rows can settle: the next offset is read again, and the block is stored already, or is
 * sent once more, or this writer has lost the partition and gives up what it holds. While that lasts the filling block fills up, then
 * deliver waits, then the log does, then its cap answers the senders.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { clickHouseCodeOf, CLICKHOUSE_CODE } from "@callchain/schemas/clickhouse/errors.ts";
import { insertSpans, readNextOffset } from "@callchain/schemas/clickhouse/insert-spans.ts";
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";
import { scanRequest } from "@callchain/schemas/otlp/scan.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { Failure, failureCodeOf, InvalidError, messageOf } from "@callchain/schemas/span/errors.ts";
import type { DeadLetter, DeadLetterBox, LogPosition, LogRecord } from "@callchain/schemas/span/ports.ts";
import type { BlockPool } from "./block-pool.ts";
import type { WriteMetrics } from "./write-metrics.ts";

export interface WriteLimits {
  /** A block is stored when it holds this many rows or bytes; the record that passes the mark still belongs to it. */
  readonly blockRowsMax: number;
  readonly blockBytesMax: number;
  /** A block is stored at this age even while records keep coming. */
  readonly blockAgeMaxMs: number;
  /** At this age while the log's end is not in sight: sooner would make more and smaller blocks, and so be found later. */
  readonly backlogAgeMaxMs: number;
  /**
   * Between the starts of two inserts of a database on average, so that a trickle does not make a part of every request: each partition waits
   * so many times longer, blockAgeMaxMs at most.
   */
  readonly insertIntervalMinMs: number;
  /** From this many rows on a block waits for its size or its age, even while the log has nothing more. */
  readonly busyRowsMin: number;
  readonly insertTimeoutMs: number;
  /** Inserts at once, of all partitions of a database. */
  readonly insertCountMax: number;
  /** Bytes of columns in all blocks of all partitions; the process takes up to about three times as much. */
  readonly memoryBytesMax: number;
}

export interface PartitionWriterOptions {
  readonly partition: number;
  readonly database: SpanDatabase;
  readonly metrics: WriteMetrics;
  readonly logger: Log;
  readonly limits: WriteLimits;
  readonly queryId: string;
  readonly deadLetters: DeadLetterBox;
  /** Of all partitions that are stored in this database. */
  readonly pool: BlockPool;
  /** Called after everything through this position is stored and synced, as rows or as dead letters. */
  readonly onStored: (position: LogPosition) => Promise<void>;
}

/** Spans of consecutive records, and what is known of them. */
interface Batch {
  readonly block: SpanBlock;
  /** One past the last record that gave rows. */
  end: bigint;
  /** The last record, also where it gave none. */
  last: bigint;
  sinceMs: number;
  /** The log's end was reached while it filled. */
  hasSeenEnd: boolean;
  readonly deadLetters: DeadLetter[];
}

const BACKOFF_FIRST_MS = 100;
const BACKOFF_MAX_MS = 5_000;
const REVOKE_WAIT_MS = 10_000;

export class PartitionWriter {
  readonly #options: PartitionWriterOptions;
  readonly #label: { readonly partition: string };
  #filling = emptyBatch(new SpanBlock());
  /** The rows of this partition end before this offset, as far as we know. */
  #next = 0n;
  #inFlight: Promise<void> | null = null;
  #lost: Failure | null = null;
  /** No further attempt. */
  #giveUp = new AbortController();
  /** Nor any waiting for the one under way; should it still be stored, the rows will say so. */
  #abandon = new AbortController();
  #timer: NodeJS.Timeout | null = null;
  #lastInsertMs = -Infinity;

  constructor(options: PartitionWriterOptions) {
    this.#options = options;
    this.#label = { partition: String(options.partition) };
  }

  /** Drops what is buffered and resolves with the first offset wanted, read from the rows, when no insert is in flight any more. */
  async assign(): Promise<bigint> {
    await this.revoke();
    this.#giveUp = new AbortController();
    this.#abandon = new AbortController();
    this.#lost = null;
    this.#next = await readNextOffset(this.#options.database, this.#options.partition);
    this.#options.metrics.nextOffset.set(this.#label, Number(this.#next));
    return this.#next;
  }

  /** Resolves when every record's spans are in a block; waits while both blocks are full. Rejects when the partition was lost. */
  async deliver(records: readonly LogRecord[]): Promise<void> {
    for (const record of records) {
      while (this.#isFull() && this.#inFlight !== null) await this.#inFlight;
      if (this.#lost !== null) throw this.#lost;
      if (this.#giveUp.signal.aborted) return;
      if (this.#isFull()) this.#store();
      this.#append(record);
    }
    if (this.#isFull() && this.#inFlight === null) this.#store();
    this.#schedule(this.#maxAgeMs());
  }

  /**
   * Stores what is buffered as soon as the interval between inserts allows. A log that is empty for a moment under load is no reason to:
   * a block that fills so fast is left to its size and its age, since small blocks cost twice the CPU, in merges above all.
   */
  idle(): void {
    this.#filling.hasSeenEnd = true;
    this.#schedule(this.#dueMs());
  }

  /** Stores what is buffered now; resolves when it is stored or given up. */
  async flush(): Promise<void> {
    while (this.#lost === null && !this.#giveUp.signal.aborted) {
      if (this.#inFlight !== null) await this.#inFlight;
      else if (isEmpty(this.#filling)) return;
      else this.#store();
    }
  }

  /** Drops what is buffered; resolves when no insert is in flight any more. */
  async revoke(): Promise<void> {
    this.#giveUp.abort();
    this.#cancelTimer();
    const timer = setTimeout(() => this.#abandon.abort(), REVOKE_WAIT_MS);
    await this.#inFlight;
    clearTimeout(timer);
    const { block } = this.#filling;
    block.reset();
    this.#filling = emptyBatch(block);
    this.#options.metrics.bufferedRows.set(this.#label, 0);
  }

  #isFull(): boolean {
    const { block } = this.#filling;
    return block.rowCount >= this.#options.limits.blockRowsMax || block.byteCount >= this.#blockBytesMax();
  }

  #blockBytesMax(): number {
    return Math.min(this.#options.limits.blockBytesMax, this.#options.pool.bytesOfBlock);
  }

  #append(record: LogRecord): void {
    const batch = this.#filling;
    if (isEmpty(batch)) batch.sinceMs = performance.now();
    let rows = 0;
    try {
      rows = this.#appendSpans(batch.block, record);
    } catch (error) {
      if (!(error instanceof InvalidError)) throw error;
      this.#keepDeadLetter(batch, record, error);
    }
    if (rows > 0) batch.end = record.offset + 1n;
    batch.last = record.offset;
    this.#options.metrics.bufferedRows.inc(this.#label, rows);
  }

  /** A record that has not passed our receivers may hold spans that cannot be stored: they are left out, the others stay. */
  #appendSpans(block: SpanBlock, record: LogRecord): number {
    try {
      return block.append(record);
    } catch (error) {
      if (!(error instanceof InvalidError)) throw error;
      const { request, rejectedSpanCount, rejection } = scanRequest(record.value);
      if (rejectedSpanCount === 0) throw error;
      const rows = block.append({ ...record, value: request });
      this.#options.metrics.rejectedSpans.inc(rejectedSpanCount);
      this.#options.logger.warn(
        { partition: record.partition, offset: record.offset.toString(), rejectedSpanCount, reason: rejection },
        "left spans out of a log record",
      );
      return rows;
    }
  }

  #keepDeadLetter(batch: Batch, record: LogRecord, error: InvalidError): void {
    const { partition, offset } = record;
    this.#options.metrics.deadLetters.inc();
    this.#options.logger.error(
      { partition, offset: offset.toString(), byteCount: record.value.length, reason: error.message },
      "a log record cannot be decoded; it is kept as a dead letter",
    );
    // A copy: the bytes are lent, and where they are a Buffer its slice() would be a view of them.
    batch.deadLetters.push({ partition, offset, reason: error.message, record: Uint8Array.from(record.value) });
  }

  #schedule(atMs: number): void {
    if (this.#inFlight !== null || this.#lost !== null || isEmpty(this.#filling)) return;
    const waitMs = atMs - performance.now();
    this.#cancelTimer();
    if (waitMs <= 0) this.#store();
    else this.#timer = setTimeout(() => this.#onTimer(), waitMs);
  }

  #onTimer(): void {
    this.#timer = null;
    if (this.#inFlight === null && !isEmpty(this.#filling)) this.#store();
  }

  #cancelTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #store(): void {
    this.#cancelTimer();
    this.#lastInsertMs = performance.now();
    this.#inFlight = this.#storeInTurn().finally(() => {
      this.#inFlight = null;
      this.#onStoredBatch();
    });
  }

  /** Never rejects. While the inserts of other partitions are under way, the block goes on filling. */
  async #storeInTurn(): Promise<void> {
    const { pool } = this.#options;
    const spare = pool.takeNow() ?? (await pool.take(this.#giveUp.signal));
    if (spare === null) return;
    const batch = this.#filling;
    this.#filling = emptyBatch(spare);
    this.#lastInsertMs = performance.now();
    try {
      await this.#storeBatch(batch);
    } finally {
      pool.give(batch.block);
    }
  }

  /** What came meanwhile has waited: it goes next, as soon as the interval allows. */
  #onStoredBatch(): void {
    if (this.#lost !== null || this.#giveUp.signal.aborted) return;
    if (this.#isFull()) this.#store();
    else this.#schedule(this.#dueMs());
  }

  /** When a block that is not full is to be stored. */
  #dueMs(): number {
    const { limits, pool } = this.#options;
    if (this.#filling.block.rowCount >= limits.busyRowsMin) return this.#maxAgeMs();
    return this.#lastInsertMs + Math.min(limits.blockAgeMaxMs, limits.insertIntervalMinMs * Math.max(1, pool.partitionCount));
  }

  /** When it is to be stored at the latest. */
  #maxAgeMs(): number {
    const { blockAgeMaxMs, backlogAgeMaxMs } = this.#options.limits;
    const { sinceMs, hasSeenEnd } = this.#filling;
    return sinceMs + (hasSeenEnd ? blockAgeMaxMs : backlogAgeMaxMs);
  }

  /** Never rejects: a failure is settled from the rows, or noted in `#lost` for the next deliver. */
  async #storeBatch(batch: Batch): Promise<void> {
    const { partition, metrics, logger } = this.#options;
    const { rowCount } = batch.block;
    try {
      await this.#storeDeadLetters(batch.deadLetters);
      if (rowCount > 0) await this.#insertOnce(batch);
    } catch (error) {
      if (this.#giveUp.signal.aborted) return;
      this.#lost = error instanceof Failure ? error : new Failure("internal", messageOf(error), { cause: error });
      logger.error({ partition, reason: this.#lost.message }, "the writer gave up its block and starts again from the rows");
      return;
    }
    metrics.bufferedRows.dec(this.#label, rowCount);
    if (rowCount > 0) {
      this.#next = batch.end;
      metrics.rows.inc(rowCount);
      metrics.blocks.inc();
      metrics.nextOffset.set(this.#label, Number(batch.end));
      metrics.lagSeconds.set(this.#label, (performance.now() - batch.sinceMs) / 1000);
    }
    await this.#options.onStored({ partition, offset: batch.last }).catch((error: unknown) => {
      logger.warn({ partition, reason: messageOf(error) }, "the log did not take the release of stored records");
    });
  }

  async #storeDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    for (const letter of letters) await this.#untilDone(() => this.#options.deadLetters.keep(letter));
  }

  /** Resolves when the block is among the rows, once. Rejects when the rows say that another writer has the partition. */
  async #insertOnce(batch: Batch): Promise<void> {
    const { database, partition, queryId, limits, metrics } = this.#options;
    const body = batch.block.encode(Math.floor(Date.now() / 86_400_000));
    await this.#untilDone(async (isFirst) => {
      if (!isFirst && (await this.#isStored(batch))) return;
      const startedMs = performance.now();
      const { signal } = this.#abandon;
      await insertSpans(database, {
        partition,
        expectedNext: this.#next,
        body,
        queryId,
        timeoutMs: limits.insertTimeoutMs,
        signal,
      });
      metrics.insertSeconds.observe((performance.now() - startedMs) / 1000);
    });
  }

  async #isStored(batch: Batch): Promise<boolean> {
    const found = await readNextOffset(this.#options.database, this.#options.partition);
    if (found === batch.end) return true;
    if (found === this.#next) return false;
    throw new LostPartition(this.#options.partition, this.#next, found);
  }

  /** Tries until it is done, with growing pauses. Rejects when the partition is lost or given up. */
  async #untilDone(attempt: (isFirst: boolean) => Promise<void>): Promise<void> {
    const { partition, metrics, logger } = this.#options;
    let backoffMs = BACKOFF_FIRST_MS;
    for (let count = 0; ; count += 1) {
      this.#giveUp.signal.throwIfAborted();
      try {
        return await attempt(count === 0);
      } catch (error) {
        if (error instanceof LostPartition) throw error;
        metrics.insertFailures.inc({ code: failureCodeOf(error) });
        const isMoved = clickHouseCodeOf(error) === CLICKHOUSE_CODE.valueIsNonZero;
        logger.warn(
          { partition, reason: messageOf(error), attempt: count + 1 },
          "an insert failed; the rows will say whether it holds",
        );
        await delay(isMoved ? 0 : backoffMs, undefined, { signal: this.#giveUp.signal });
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      }
    }
  }
}

class LostPartition extends Failure {
  constructor(partition: number, believed: bigint, found: bigint) {
    super("unavailable", `log partition ${partition}: the rows end before offset ${found}, this writer believed ${believed}`);
  }
}

function emptyBatch(block: SpanBlock): Batch {
  return { block, end: 0n, last: 0n, sinceMs: 0, hasSeenEnd: false, deadLetters: [] };
}

function isEmpty(batch: Batch): boolean {
  return batch.block.rowCount === 0 && batch.deadLetters.length === 0;
}
