/** `migrate`: ClickHouse's tables and Kafka's topics, as this release needs them. */
import { ensureTopics, type EnsuredTopic } from "@callchain/collector/log/kafka/kafka-topic.ts";
import { openDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { migrate, planMigration, type SchemaOptions, type Step } from "@callchain/schemas/clickhouse/migrate.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { clickHouseAccessOf, type MigrateConfig } from "./settings.ts";

/** What was done, or in a dry run would be. */
export interface MigrateReport {
  readonly steps: readonly Step[];
  /** Null where Kafka was left alone. */
  readonly topics: readonly EnsuredTopic[] | null;
}

/** Safe to repeat, and by several processes at once. Rejects with the first failure; what was done until then stays done. */
export async function runMigrate(config: MigrateConfig, logger: Log): Promise<MigrateReport> {
  const database = openDatabase({ url: config.clickhouseUrl, ...clickHouseAccessOf(config), role: "writer" });
  const options: SchemaOptions = {
    database: config.clickhouseDatabase,
    cluster: config.clickhouseCluster === "" ? null : config.clickhouseCluster,
    ...(config.retentionDays === null ? {} : { retention: config.retentionDays }),
  };
  try {
    const steps = config.dryRun ? await planMigration(database, options) : await migrate(database, logger, options);
    return { steps, topics: config.topics ? await ensure(config, logger) : null };
  } finally {
    await database.close();
  }
}

function ensure(config: MigrateConfig, logger: Log): Promise<EnsuredTopic[]> {
  const { topicPartitions: partitionCount, topicReplicas: replicaCount, dryRun: isDryRun } = config;
  return ensureTopics({ config, logger, partitionCount, replicaCount, isDryRun });
}
