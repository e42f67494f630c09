/**
 * Membership in the consumer group: which partitions are ours. Partitions are handed over cooperatively: those that stay are read on
 * while the group shares out, and one that goes is let go of - its last insert has ended - before the group hears that it is free.
 *
 *   join -> assigned 0 1 2 -> (another joins) -> told to keep 0 1 -> revoke 2, wait -> join again -> the other gets 2
 *
 * It has a connection of its own: a broker answers one request of a connection after the other, and joining may take as long as the
 * slowest member.
 */
import { Consumer } from "@platformatic/kafka";
import { clientOptions } from "./client.ts";
import type { KafkaConfig } from "./settings.ts";
import { shareOut } from "./share-out.ts";

const REBALANCE_TIMEOUT_MS = 30_000;
const HEARTBEATS_PER_SESSION = 5;
const RETRY_DELAY_MS = 200;

export interface GroupEvents {
  /** The partitions that are ours from now on, all of them. */
  onAssigned(partitions: readonly number[]): void;
  /** Resolves when every partition that is not among these has been let go of. */
  onKeep(partitions: readonly number[]): Promise<void>;
  /** The membership is over and does not mend itself. */
  onFailed(error: Error): void;
}

export class GroupMember {
  readonly #consumer: Consumer;
  readonly #topic: string;

  constructor(config: KafkaConfig, events: GroupEvents) {
    const rebalanceTimeout = Math.max(REBALANCE_TIMEOUT_MS, config.kafkaSessionMs);
    this.#topic = config.kafkaTopic;
    this.#consumer = new Consumer({
      ...clientOptions(config, "write"),
      groupId: config.kafkaGroup,
      requestTimeout: rebalanceTimeout + 5_000,
      retries: 5,
      retryDelay: RETRY_DELAY_MS,
      sessionTimeout: config.kafkaSessionMs,
      rebalanceTimeout,
      heartbeatInterval: Math.floor(config.kafkaSessionMs / HEARTBEATS_PER_SESSION),
      protocols: [{ name: "cooperative-sticky", version: 3 }],
      partitionAssigner: (_leader, members, _topics, metadata) => {
        const states = [...members.values()].map(({ memberId, ownedPartitions, generationId }) => ({
          memberId,
          owned: ownedPartitions?.find(({ topic }) => topic === this.#topic)?.partitions ?? [],
          generationId: generationId ?? -1,
        }));
        const shares = shareOut(states, metadata.topics.get(this.#topic)?.partitionsCount ?? 0);
        return [...shares].map(([memberId, partitions]) => ({
          memberId,
          assignments: new Map([[this.#topic, { topic: this.#topic, partitions }]]),
        }));
      },
      // The client asks for this before each JoinGroup and waits for the answer; no data of ours goes along.
      protocolsMetadata: async () => {
        await events.onKeep(this.#assigned());
        return Buffer.alloc(0);
      },
    });
    this.#consumer.topics.track(this.#topic);
    this.#consumer.on("error", (error: Error) => events.onFailed(error));
    this.#consumer.on("consumer:group:join", () => events.onAssigned(this.#assigned()));
    this.#consumer.on("consumer:heartbeat:stalled", ({ stalledFor }) => {
      events.onFailed(new Error(`no heartbeat reached the group's coordinator for ${stalledFor} ms`));
    });
  }

  async join(): Promise<void> {
    await this.#consumer.joinGroup();
  }

  /** Has the group share out again, with the topic's partitions as they are now. */
  async rejoin(): Promise<void> {
    this.#consumer.clearMetadata();
    await this.#consumer.joinGroup();
  }

  /** The offset after the last one released of the partition; -1 where there is none. */
  async committedOffset(partition: number): Promise<bigint> {
    const offsets = await this.#consumer.listCommittedOffsets({ topics: [{ topic: this.#topic, partitions: [partition] }] });
    return offsets.get(this.#topic)?.[partition] ?? -1n;
  }

  /** Next offset by partition. */
  async commit(offsets: ReadonlyMap<number, bigint>): Promise<void> {
    await this.#consumer.commit({
      offsets: [...offsets].map(([partition, offset]) => ({ topic: this.#topic, partition, offset, leaderEpoch: -1 })),
    });
  }

  /** Leaves the group and closes; the group shares out what was ours. */
  async close(): Promise<void> {
    await this.#consumer.close(true);
  }

  #assigned(): number[] {
    return this.#consumer.assignments?.find(({ topic }) => topic === this.#topic)?.partitions ?? [];
  }
}
