/** Whether Kafka can be used now: for roles that wait for it, and for their readiness. */
import { Admin } from "@platformatic/kafka";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { clientOptions, describeKafkaError } from "./client.ts";
import { isTopicMissing } from "./kafka-appender.ts";
import type { KafkaConfig } from "./settings.ts";

/**
 * Resolves when a broker answers and the span topic exists. Rejects with Failure "unavailable" where no broker answers, "not_found"
 * where the topic is missing, "invalid" where the settings are wrong.
 */
export async function probeKafka(config: KafkaConfig): Promise<void> {
  const admin = new Admin(clientOptions(config, "probe"));
  try {
    await admin.metadata({ topics: [config.kafkaTopic] });
  } catch (error) {
    const where = `Kafka at ${config.kafkaBrokers.join(",")}`;
    if (isTopicMissing(error)) {
      throw new Failure(
        "not_found",
        `${where} has no topic ${config.kafkaTopic}: run callchain migrate, or choose another with --kafka-topic`,
        {
          cause: error,
        },
      );
    }
    throw new Failure("unavailable", `${where}: ${describeKafkaError(error)}`, { cause: error, retryAfterMs: 1000 });
  } finally {
    await admin.close();
  }
}
