/**
 * The log partition that rows keep, in 32 bits: which topic it was, by Kafka's own id of it, and its partition.
 *
 *   | 18 bits of the topic id's hash, never 0 | 14 bits partition |
 *
 * A topic that was deleted and made again has another id, so its offsets, which begin at 0 once more, are not taken for those of the
 * rows; nor are those of another topic, or of the local log (log partition 0), that was stored in the same tables. (Two topics out of
 * 262,143 share a hash; where brokers know no topic ids, as before Kafka 2.8, the name takes their place.)
 */
import { createHash } from "node:crypto";
import { Failure } from "@callchain/schemas/span/errors.ts";

const PARTITION_COUNT_MAX = 2 ** 14;
const TOPIC_COUNT = 2 ** 18;

/** Throws Failure "invalid" where the topic has more partitions than fit. */
export function logPartitionOf(topicId: string, partition: number): number {
  if (partition >= PARTITION_COUNT_MAX) {
    throw new Failure("invalid", `Kafka partition ${partition}: a topic may have at most ${PARTITION_COUNT_MAX} partitions`);
  }
  const hash = createHash("sha256").update(topicId).digest().readUInt32BE(0) % (TOPIC_COUNT - 1);
  return (hash + 1) * PARTITION_COUNT_MAX + partition;
}

export function kafkaPartitionOf(logPartition: number): number {
  return logPartition % PARTITION_COUNT_MAX;
}
