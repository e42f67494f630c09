/**
 * The writer: spans from a log into ClickHouse, each effectively once. It knows the log only by its ports: local segments or Kafka
 * look the same from here.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { messageOf } from "@callchain/schemas/span/errors.ts";
import type { LogConsumer, LogRecord, SpanLogReader } from "@callchain/schemas/span/ports.ts";
import { PartitionWriter, type WriteLimits } from "./partition-writer.ts";
import { registerWriteMetrics } from "./write-metrics.ts";

export interface WriterOptions {
  readonly log: SpanLogReader;
  /** With the role "writer"; the schema is migrated. */
  readonly database: SpanDatabase;
  readonly metrics: Registry;
  readonly logger: Log;
  readonly limits?: Partial<WriteLimits>;
  /** The same for all writers of one log, and different for logs that share a ClickHouse server. */
  readonly queryIdPrefix?: string;
}

/** 200,000 rows: a smaller block costs more CPU a span (12-15 ms an insert), a larger one memory (about 450 B a row, four times). */
export const DEFAULT_WRITE_LIMITS: WriteLimits = {
  blockRowsMax: 200_000,
  blockBytesMax: 96 * 1024 * 1024,
  blockAgeMaxMs: 1_500,
  insertIntervalMinMs: 250,
  busyRowsMin: 5_000,
  insertTimeoutMs: 120_000,
};

/** Begins to write; `stop` stores what was taken from the log, then lets it go. What the log still holds is for the next start. */
export function startWriter(options: WriterOptions): Running {
  return new Writer(options);
}

class Writer implements LogConsumer, Running {
  readonly #options: WriterOptions;
  readonly #metrics: ReturnType<typeof registerWriteMetrics>;
  readonly #partitions = new Map<number, PartitionWriter>();
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#metrics = registerWriteMetrics(options.metrics);
    this.#ended = options.log.consume(this, this.#stopping.signal).catch((error: unknown) => {
      options.logger.error({ reason: messageOf(error) }, "the log's reader ended");
    });
  }

  assign(partition: number): Promise<bigint> {
    return this.#writerOf(partition).assign();
  }

  async deliver(partition: number, records: readonly LogRecord[]): Promise<void> {
    await this.#writerOf(partition).deliver(records);
    // Transcoding holds the thread; sockets and timers get their turn between two deliveries.
    await nextTurn();
  }

  idle(partition: number): void {
    this.#writerOf(partition).idle();
  }

  async revoke(partition: number): Promise<void> {
    await this.#partitions.get(partition)?.revoke();
    this.#partitions.delete(partition);
  }

  async stop(): Promise<void> {
    const writers = [...this.#partitions.values()];
    const limit = AbortSignal.timeout(STOP_FLUSH_MS);
    const expired = new Promise<void>((resolve) => {
      limit.addEventListener("abort", () => resolve());
    });
    await Promise.race([Promise.all(writers.map((writer) => writer.flush())), expired]);
    this.#stopping.abort();
    await this.#ended;
  }

  #writerOf(partition: number): PartitionWriter {
    const known = this.#partitions.get(partition);
    if (known !== undefined) return known;
    const { database, logger, limits, log, queryIdPrefix } = this.#options;
    const writer = new PartitionWriter({
      partition,
      database,
      logger,
      metrics: this.#metrics,
      limits: { ...DEFAULT_WRITE_LIMITS, ...limits },
      queryId: `${queryIdPrefix ?? "callchain-write"}-${partition}`,
      onStored: (position) => log.release(position),
    });
    this.#partitions.set(partition, writer);
    return writer;
  }
}

/** Storing at the end is a courtesy to who looks soon; past this the next start does it. */
const STOP_FLUSH_MS = 10_000;
