/** The topics of a deployment: made where they are missing, looked at where they exist. */
import { Admin, ConfigResourceTypes } from "@platformatic/kafka";
import { Failure } from "@callchain/schemas/span/errors.ts";
import { flagOf } from "@callchain/schemas/runtime/config.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { clientOptions, describeKafkaError, hasKafkaError } from "./client.ts";
import type { KafkaConfig } from "./settings.ts";

export interface EnsureTopicsOptions {
  readonly config: KafkaConfig;
  readonly logger: Log;
  /** Of the span topic, where it is made: a writer takes whole partitions. The dead-letter topic gets 1. */
  readonly partitionCount: number;
  /** Of both topics, where they are made. */
  readonly replicaCount: number;
  /** Says what would be done, and does nothing. */
  readonly isDryRun?: boolean;
}

export interface EnsuredTopic {
  readonly topic: string;
  readonly partitionCount: number;
  /** It was missing: it is made now, or would be in a dry run. */
  readonly isMade: boolean;
  /** What is not as this deployment wants it; nothing that exists is changed. */
  readonly remarks: readonly string[];
}

/** Safe to run twice, and by two processes at once. Rejects with Failure "unavailable" where Kafka is away or refuses. */
export async function ensureTopics(options: EnsureTopicsOptions): Promise<EnsuredTopic[]> {
  const { config, partitionCount } = options;
  const admin = new Admin({ ...clientOptions(config, "topics"), retries: 3, retryDelay: 500 });
  try {
    const known = new Set(await admin.listTopics());
    return [
      await ensureTopic(admin, options, known, config.kafkaTopic, partitionCount),
      await ensureTopic(admin, options, known, config.kafkaDeadLetterTopic, 1),
    ];
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure("unavailable", `Kafka at ${config.kafkaBrokers.join(",")}: ${describeKafkaError(error)}`, { cause: error });
  } finally {
    await admin.close();
  }
}

async function ensureTopic(
  admin: Admin,
  { config, logger, replicaCount, isDryRun }: EnsureTopicsOptions,
  known: ReadonlySet<string>,
  topic: string,
  partitionCount: number,
): Promise<EnsuredTopic> {
  if (known.has(topic)) return lookAt(admin, config, topic, partitionCount);
  if (isDryRun !== true) {
    try {
      await admin.createTopics({ topics: [topic], partitions: partitionCount, replicas: replicaCount });
    } catch (error) {
      // Another process made it meanwhile.
      if (hasKafkaError(error, "TOPIC_ALREADY_EXISTS")) return lookAt(admin, config, topic, partitionCount);
      throw error;
    }
    logger.info({ topic, partitionCount, replicaCount }, "made a Kafka topic");
  }
  return { topic, partitionCount, isMade: true, remarks: [] };
}

async function lookAt(admin: Admin, config: KafkaConfig, topic: string, wanted: number): Promise<EnsuredTopic> {
  const metadata = await admin.metadata({ topics: [topic], forceUpdate: true });
  const partitionCount = metadata.topics.get(topic)?.partitionsCount ?? 0;
  const names = ["max.message.bytes", "cleanup.policy"];
  const [description] = await admin.describeConfigs({
    resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configurationKeys: names }],
  });
  const valueOf = (name: string): string => description?.configs.find((entry) => entry.name === name)?.value ?? "";
  const remarks: string[] = [];
  if (partitionCount < wanted) remarks.push(`it has ${partitionCount} partitions, wanted are ${wanted}`);
  const messageMaxBytes = Number(valueOf("max.message.bytes"));
  if (messageMaxBytes > 0 && messageMaxBytes <= config.kafkaRecordMaxBytes) {
    remarks.push(
      `its max.message.bytes is ${messageMaxBytes}: it must be above ${flagOf("kafkaRecordMaxBytes")} ${config.kafkaRecordMaxBytes}`,
    );
  }
  if (valueOf("cleanup.policy").includes("compact")) {
    remarks.push("its cleanup.policy compacts: records without a key are refused, or lost");
  }
  return { topic, partitionCount, isMade: false, remarks };
}
