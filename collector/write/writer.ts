/**
 * The writer: spans from a log into ClickHouse, each effectively once. It knows the log only by its ports: local segments or Kafka
 * look the same from here.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { requireOnlyShard } from "@callchain/schemas/clickhouse/shards.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { Failure, messageOf } from "@callchain/schemas/span/errors.ts";
import type { DeadLetterBox, LogConsumer, LogRecord, SpanLogReader } from "@callchain/schemas/span/ports.ts";
import { BlockPool } from "./block-pool.ts";
import { deadLetterTable } from "./dead-letter-table.ts";
import { PartitionWriter, type WriteLimits } from "./partition-writer.ts";
import { registerWriteMetrics } from "./write-metrics.ts";

export interface WriterOptions {
  readonly log: SpanLogReader;
  /**
   * With the role "writer"; the schema is migrated. Several are the shards of a cluster: log partition p is stored on shard p % count and
   * there alone, since only one server can compare and swap.
   */
  readonly database: SpanDatabase | readonly SpanDatabase[];
  readonly metrics: Registry;
  readonly logger: Log;
  readonly limits?: Partial<WriteLimits>;
  /** Where records go that cannot be decoded. Default: the table dead_letters. */
  readonly deadLetters?: DeadLetterBox;
  /** The same for all writers of one log, and different for logs that share a ClickHouse server. */
  readonly queryIdPrefix?: string;
}

/** 180,000 rows: a smaller block costs more CPU a span (12-15 ms an insert), a larger one memory (about 450 B a row, four times) and time until it can be found. */
export const DEFAULT_WRITE_LIMITS: WriteLimits = {
  blockRowsMax: 180_000,
  blockBytesMax: 96 * 1024 * 1024,
  blockAgeMaxMs: 1_300,
  backlogAgeMaxMs: 5_000,
  insertIntervalMinMs: 400,
  busyRowsMin: 5_000,
  insertTimeoutMs: 120_000,
  insertCountMax: 2,
  memoryBytesMax: 384 * 1024 * 1024,
};

/** Begins to write; `stop` stores what was taken from the log, then lets it go. What the log still holds is for the next start. */
export function startWriter(options: WriterOptions): Running {
  return new Writer(options);
}

/** One database and what the partitions that are stored in it share. */
interface Shard {
  readonly database: SpanDatabase;
  readonly pool: BlockPool;
  readonly deadLetters: DeadLetterBox;
  readonly partitions: Map<number, PartitionWriter>;
}

class Writer implements LogConsumer, Running {
  readonly #options: WriterOptions;
  readonly #limits: WriteLimits;
  readonly #metrics: ReturnType<typeof registerWriteMetrics>;
  readonly #shards: readonly Shard[];
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_WRITE_LIMITS, ...options.limits };
    this.#metrics = registerWriteMetrics(options.metrics);
    const databases = [options.database].flat();
    const { memoryBytesMax, insertCountMax } = this.#limits;
    this.#shards = databases.map((database) => ({
      database,
      pool: new BlockPool(memoryBytesMax / databases.length, insertCountMax),
      deadLetters: options.deadLetters ?? deadLetterTable(database),
      partitions: new Map(),
    }));
    this.#ended = options.log.consume(this, this.#stopping.signal).catch((error: unknown) => {
      options.logger.error({ reason: messageOf(error) }, "the log's reader ended");
    });
  }

  async assign(partition: number): Promise<bigint> {
    await requireOnlyShard(
      this.#shards.map(({ database }) => database),
      partition,
    );
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
    const { partitions, pool } = this.#shardOf(partition);
    const writer = partitions.get(partition);
    // First: should the partition come back at once, it gets a writer of its own, and the query id keeps the two apart.
    partitions.delete(partition);
    pool.partitionCount = partitions.size;
    await writer?.revoke();
  }

  async stop(): Promise<void> {
    const writers = this.#shards.flatMap(({ partitions }) => [...partitions.values()]);
    const limit = AbortSignal.timeout(STOP_FLUSH_MS);
    const expired = new Promise<void>((resolve) => {
      limit.addEventListener("abort", () => resolve());
    });
    await Promise.race([Promise.all(writers.map((writer) => writer.flush())), expired]);
    this.#stopping.abort();
    await this.#ended;
  }

  #shardOf(partition: number): Shard {
    const shard = this.#shards[partition % this.#shards.length];
    if (shard === undefined) throw new Failure("internal", "the writer was given no database");
    return shard;
  }

  #writerOf(partition: number): PartitionWriter {
    const { database, pool, deadLetters, partitions } = this.#shardOf(partition);
    const known = partitions.get(partition);
    if (known !== undefined) return known;
    const { logger, log, queryIdPrefix } = this.#options;
    const writer = new PartitionWriter({
      partition,
      database,
      logger,
      metrics: this.#metrics,
      limits: this.#limits,
      queryId: `${queryIdPrefix ?? "callchain-write"}-${partition}`,
      deadLetters,
      pool,
      onStored: (position) => log.release(position),
    });
    partitions.set(partition, writer);
    pool.partitionCount = partitions.size;
    return writer;
  }
}

/** Storing at the end is a courtesy to who looks soon; past this the next start does it. */
const STOP_FLUSH_MS = 10_000;
