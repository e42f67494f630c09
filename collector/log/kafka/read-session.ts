/**
 * One life of the reader: a membership, the partitions it brings, and the fetching. It mends what Kafka's protocol foresees
 * (rebalances, leaders that move, brokers that restart); anything else ends it, and the reader begins another one.
 */
import { Failure } from "@callchain/schemas/span/errors.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { LogConsumer } from "@callchain/schemas/span/ports.ts";
import { describeKafkaError } from "./client.ts";
import { Fetcher } from "./fetcher.ts";
import { GroupMember } from "./group-member.ts";
import { logPartitionOf } from "./log-partition.ts";
import { PartitionFeed } from "./partition-feed.ts";
import type { ReadMetrics } from "./read-metrics.ts";
import type { KafkaConfig } from "./settings.ts";
import { startOffsetOf } from "./start-offset.ts";

const WATCH_INTERVAL_MS = 5_000;
const STALL_MS = 30_000;
const COMMIT_INTERVAL_MS = 1_000;

export interface SessionOptions {
  readonly config: KafkaConfig;
  readonly logger: Log;
  readonly metrics: ReadMetrics;
  readonly consumer: LogConsumer;
}

export class ReadSession {
  readonly #options: SessionOptions;
  readonly #feeds = new Map<number, PartitionFeed>();
  readonly #member: GroupMember;
  readonly #fetcher: Fetcher;
  readonly #failed = Promise.withResolvers<void>();
  readonly #released = new Map<number, bigint>();
  readonly #revoking = new Set<Promise<void>>();
  #topic = { id: "", partitionCount: 0 };
  #assignmentCount = 0;
  #isOver = false;

  constructor(options: SessionOptions) {
    const { config, logger, metrics } = options;
    this.#options = options;
    this.#fetcher = new Fetcher(config, this.#feeds, logger, metrics);
    this.#member = new GroupMember(config, {
      onAssigned: (partitions) => void this.#onAssigned(partitions),
      onKeep: (partitions) => this.#keepOnly(partitions),
      onFailed: (error) => this.#failed.reject(error),
    });
  }

  /** Resolves when the signal aborts, rejects when the session cannot go on; either way every partition was let go of. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = Promise.withResolvers<void>();
    const onAbort = (): void => ended.resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    const watch = setInterval(() => void this.#watch(), WATCH_INTERVAL_MS);
    const commit = setInterval(() => void this.#commit(), COMMIT_INTERVAL_MS);
    try {
      if (signal.aborted) return;
      this.#topic = await this.#fetcher.describeTopic();
      this.#member.join().catch((error: unknown) => this.#failed.reject(error));
      await Promise.race([ended.promise, this.#failed.promise]);
    } finally {
      this.#isOver = true;
      signal.removeEventListener("abort", onAbort);
      clearInterval(watch);
      clearInterval(commit);
      await this.#end();
    }
  }

  /** The rows through `offset` are stored. */
  release(partition: number, offset: bigint): void {
    if (this.#feeds.has(partition)) this.#released.set(partition, offset + 1n);
  }

  async #end(): Promise<void> {
    this.#failed.promise.catch(() => undefined);
    await this.#keepOnly([]);
    await Promise.all(this.#revoking);
    await this.#commit();
    for (const part of [this.#member, this.#fetcher]) {
      await part.close().catch((error: unknown) => {
        this.#options.logger.warn({ reason: describeKafkaError(error) }, "a Kafka connection did not close cleanly");
      });
    }
  }

  async #onAssigned(partitions: readonly number[]): Promise<void> {
    const { consumer, logger, metrics } = this.#options;
    metrics.rebalances.inc();
    this.#assignmentCount += 1;
    const assignment = this.#assignmentCount;
    await this.#keepOnly(partitions);
    if (this.#isOver || assignment !== this.#assignmentCount) return;
    for (const partition of partitions) {
      if (this.#feeds.has(partition)) continue;
      this.#feeds.set(
        partition,
        new PartitionFeed({
          partition,
          logPartition: logPartitionOf(this.#topic.id, partition),
          consumer,
          logger,
          startAt: (of, wanted) => this.#startAt(of, wanted),
          onReady: () => this.#fetcher.pump(),
        }),
      );
    }
    logger.info({ partitions }, "reads these partitions");
  }

  /** Resolves when every other partition was let go of. */
  async #keepOnly(partitions: readonly number[]): Promise<void> {
    for (const [partition, feed] of this.#feeds) {
      if (partitions.includes(partition)) continue;
      this.#feeds.delete(partition);
      this.#options.metrics.lagRecords.remove({ partition: String(partition) });
      const revoked = feed.revoke().finally(() => this.#revoking.delete(revoked));
      this.#revoking.add(revoked);
    }
    await Promise.all(this.#revoking);
  }

  async #startAt(partition: number, wanted: bigint): Promise<bigint> {
    const { metrics, logger } = this.#options;
    const label = { partition: String(partition) };
    const [range, committed] = await Promise.all([this.#fetcher.rangeOf(partition), this.#member.committedOffset(partition)]);
    metrics.partitionsAhead.set(label, wanted > range.latest ? 1 : 0);
    const { offset, lostCount } = startOffsetOf({ wanted, committed, ...range });
    if (lostCount > 0n) {
      metrics.lostRecords.inc(label, Number(lostCount));
      logger.error(
        { partition, wantedOffset: String(wanted), firstOffset: String(range.earliest), lostRecordCount: String(lostCount) },
        "Kafka had deleted records before they were stored: its retention is shorter than the writers were away",
      );
    }
    return offset;
  }

  /** A partition that could be fetched and is not for so long is a defect; another topic of the name, or more partitions, are news. */
  async #watch(): Promise<void> {
    const now = performance.now();
    for (const feed of this.#feeds.values()) {
      if (feed.readyForMs(now) <= STALL_MS) continue;
      this.#failed.reject(new Failure("internal", `partition ${feed.partition} was not fetched for ${STALL_MS} ms`));
      return;
    }
    try {
      const topic = await this.#fetcher.describeTopic();
      if (this.#isOver) return;
      if (topic.id !== this.#topic.id) {
        this.#failed.reject(new Failure("unavailable", "the topic was deleted and made anew: it is read from its beginning"));
      } else if (topic.partitionCount !== this.#topic.partitionCount) {
        this.#options.logger.info(topic, "the topic has another number of partitions");
        this.#topic = topic;
        await this.#member.rejoin();
      }
    } catch (error) {
      this.#options.logger.warn({ reason: describeKafkaError(error) }, "Kafka did not describe the topic");
    }
  }

  /** Advisory: a commit that fails is repeated by the next one, or left to the rows. */
  async #commit(): Promise<void> {
    const offsets = new Map([...this.#released].filter(([partition]) => this.#feeds.has(partition) || this.#isOver));
    this.#released.clear();
    if (offsets.size === 0) return;
    try {
      await this.#member.commit(offsets);
    } catch (error) {
      this.#options.logger.debug({ reason: describeKafkaError(error) }, "offsets were not committed; the rows have them");
    }
  }
}
