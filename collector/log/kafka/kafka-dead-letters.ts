/**
 * Dead letters in a Kafka topic of their own: the record as it was, and where it came from in the headers `reason`, `topic`,
 * `partition` and `offset` (texts).
 */
import { Producer } from "@platformatic/kafka";
import type { DeadLetter, DeadLetterBox } from "@callchain/schemas/span/ports.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { classifyProduceError, clientOptions } from "./client.ts";
import { kafkaPartitionOf } from "./log-partition.ts";
import type { KafkaConfig } from "./settings.ts";

const ACKS_ALL = -1;
/** Fits every topic: Kafka's default max.message.bytes is 1,048,588. */
const CUT_BYTES = 1_000_000;

/** Connects at the first letter. Throws InvalidError where the settings are wrong. */
export function openKafkaDeadLetters(config: KafkaConfig): DeadLetterBox & Running {
  const producer = new Producer(clientOptions(config, "dead-letters"));
  const send = async (letter: DeadLetter, value: Uint8Array): Promise<void> => {
    const headers = new Map<string, string>([
      ["reason", letter.reason],
      ["topic", config.kafkaTopic],
      ["partition", String(kafkaPartitionOf(letter.partition))],
      ["offset", letter.offset.toString()],
      ...(value.length < letter.record.length ? [["cut-from-bytes", String(letter.record.length)] as const] : []),
    ]);
    try {
      await producer.send({
        acks: ACKS_ALL,
        messages: [
          {
            topic: config.kafkaDeadLetterTopic,
            value: Buffer.from(value),
            headers: new Map([...headers].map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
          },
        ],
      });
    } catch (error) {
      producer.clearMetadata();
      throw classifyProduceError(error, config);
    }
  };
  return {
    keep: async (letter) => {
      try {
        await send(letter, letter.record);
      } catch (error) {
        // A topic that takes no record of this size would hold its partition up for ever: the beginning tells what it was.
        if (!isTooLarge(error) || letter.record.length <= CUT_BYTES) throw error;
        await send(letter, letter.record.subarray(0, CUT_BYTES));
      }
    },
    stop: () => producer.close(true),
  };
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "too_large";
}
