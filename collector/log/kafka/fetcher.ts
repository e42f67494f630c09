/**
 * Fetches ready partitions from the brokers that lead them: one request at a time to each broker, for all of its partitions together.
 * Memory is bounded whatever the lag: a partition that the writer has not finished with is not asked for.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Consumer } from "@platformatic/kafka";
import { Failure } from "@callchain/schemas/span/errors.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { clientOptions, describeKafkaError, hasKafkaError } from "./client.ts";
import type { PartitionFeed } from "./partition-feed.ts";
import type { ReadMetrics } from "./read-metrics.ts";
import type { KafkaConfig } from "./settings.ts";

const FETCH_BYTES_MAX = 8 * 1024 * 1024;
/** All partitions of this reader together hold about this much that the writer has not taken; one large record may exceed it. */
const PIECES_BYTES_MAX = 32 * 1024 * 1024;
const PIECE_BYTES_MIN = 64 * 1024;
const PIECE_BYTES_MAX = 1024 * 1024;
/** How long a broker waits for records to come; shorter while a partition may become ready that this request does not ask for. */
const WAIT_MS = 250;
const BUSY_WAIT_MS = 20;
const ERROR_PAUSE_MS = 200;
/** ListOffsets, Kafka protocol: the special timestamps. */
const LATEST = -1n;
const EARLIEST = -2n;

type FetchResponse = Awaited<ReturnType<Consumer["fetch"]>>;

interface Asked {
  readonly feed: PartitionFeed;
  readonly from: bigint;
}

export class Fetcher {
  readonly #consumer: Consumer;
  readonly #topic: string;
  readonly #feeds: ReadonlyMap<number, PartitionFeed>;
  readonly #logger: Log;
  readonly #metrics: ReadMetrics;
  readonly #busyNodes = new Set<number>();
  #topicId = "";
  #isClosed = false;
  #isPumping = false;
  #isPumpWanted = false;

  constructor(config: KafkaConfig, feeds: ReadonlyMap<number, PartitionFeed>, logger: Log, metrics: ReadMetrics) {
    this.#topic = config.kafkaTopic;
    this.#feeds = feeds;
    this.#logger = logger;
    this.#metrics = metrics;
    this.#consumer = new Consumer({ ...clientOptions(config, "write-fetch"), groupId: config.kafkaGroup, minBytes: 1 });
    this.#consumer.topics.track(this.#topic);
    // Every failed request rejects as well; without a listener this event would end the process.
    this.#consumer.on("error", (error: Error) => logger.warn({ reason: describeKafkaError(error) }, "a Kafka connection failed"));
  }

  /** Kafka's id of the topic and its number of partitions, asked anew. */
  async describeTopic(): Promise<{ id: string; partitionCount: number }> {
    const metadata = await this.#consumer.metadata({ topics: [this.#topic], forceUpdate: true });
    const topic = metadata.topics.get(this.#topic);
    if (topic === undefined) throw new Failure("unavailable", `Kafka has no topic ${this.#topic}`);
    if (this.#topicId === "") this.#topicId = topic.id;
    return { id: topic.id, partitionCount: topic.partitionsCount };
  }

  /** The first offset there is, and one past the last. */
  async rangeOf(partition: number): Promise<{ earliest: bigint; latest: bigint }> {
    const ask = async (timestamp: bigint): Promise<bigint> => {
      const offsets = await this.#consumer.listOffsets({
        topics: [this.#topic],
        partitions: { [this.#topic]: [partition] },
        timestamp,
      });
      return offsets.get(this.#topic)?.[partition] ?? 0n;
    };
    return { earliest: await ask(EARLIEST), latest: await ask(LATEST) };
  }

  /** Asks every broker that has ready partitions and is not being asked already. */
  pump(): void {
    this.#isPumpWanted = true;
    if (!this.#isPumping) void this.#pumpWhileWanted();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#consumer.close(true);
  }

  /** Never rejects. */
  async #pumpWhileWanted(): Promise<void> {
    this.#isPumping = true;
    while (this.#isPumpWanted && !this.#isClosed) {
      this.#isPumpWanted = false;
      await this.#pumpNodes();
    }
    this.#isPumping = false;
  }

  async #pumpNodes(): Promise<void> {
    try {
      const metadata = await this.#consumer.metadata({ topics: [this.#topic] });
      const topic = metadata.topics.get(this.#topic);
      // A topic made anew is another log: whoever watches the topic's id ends this reading.
      if (topic === undefined || topic.id !== this.#topicId) return;
      const byNode = new Map<number, Asked[]>();
      for (const feed of this.#feeds.values()) {
        const leader = topic.partitions[feed.partition]?.leader;
        if (!feed.isReady || leader === undefined || this.#busyNodes.has(leader)) continue;
        const asked = byNode.get(leader) ?? [];
        asked.push({ feed, from: feed.position });
        byNode.set(leader, asked);
      }
      for (const [node, asked] of byNode) void this.#fetch(node, topic.id, asked);
    } catch (error) {
      await this.#pauseAfter(error);
      this.#isPumpWanted = true;
    }
  }

  /** Never rejects. */
  async #fetch(node: number, topicId: string, asked: readonly Asked[]): Promise<void> {
    this.#busyNodes.add(node);
    const partitionMaxBytes = Math.max(PIECE_BYTES_MIN, Math.min(PIECE_BYTES_MAX, PIECES_BYTES_MAX / this.#feeds.size));
    const isOtherBusy = [...this.#feeds.values()].some((feed) => feed.isDelivering);
    const partitions = asked.map(({ feed, from }) => ({
      partition: feed.partition,
      fetchOffset: from,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      partitionMaxBytes: Math.floor(partitionMaxBytes),
    }));
    try {
      const response = await this.#consumer.fetch({
        node,
        topics: [{ topicId, partitions }],
        maxBytes: FETCH_BYTES_MAX,
        maxWaitTime: isOtherBusy ? BUSY_WAIT_MS : WAIT_MS,
      });
      this.#hand(response, asked);
    } catch (error) {
      if (hasKafkaError(error, "OFFSET_OUT_OF_RANGE")) for (const { feed } of asked) feed.restart();
      await this.#pauseAfter(error);
    } finally {
      this.#busyNodes.delete(node);
      this.pump();
    }
  }

  #hand(response: FetchResponse, asked: readonly Asked[]): void {
    const answers = new Map(
      response.responses.flatMap((topic) => topic.partitions.map((answer) => [answer.partitionIndex, answer])),
    );
    const isShared = [...answers.values()].filter(({ records }) => (records?.length ?? 0) > 0).length > 1;
    for (const { feed, from } of asked) {
      // What did not change the broker leaves out (KIP-227).
      const answer = answers.get(feed.partition);
      feed.take({ batches: answer?.records ?? [], end: answer?.lastStableOffset ?? null, isShared }, from);
      // A partition that was let go of meanwhile is no longer ours to tell of.
      if (this.#feeds.get(feed.partition) !== feed) continue;
      this.#metrics.lagRecords.set({ partition: String(feed.partition) }, Number(feed.lag));
    }
  }

  async #pauseAfter(error: unknown): Promise<void> {
    if (this.#isClosed) return;
    this.#logger.warn({ reason: describeKafkaError(error) }, "Kafka did not answer a fetch");
    this.#consumer.clearMetadata();
    await sleep(ERROR_PAUSE_MS);
  }
}
