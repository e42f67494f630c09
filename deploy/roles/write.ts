/** `write`: from Kafka into ClickHouse, each span effectively once. Several share the partitions of the topic among them. */
import { openKafkaDeadLetters } from "@callchain/collector/log/kafka/kafka-dead-letters.ts";
import { openKafkaReader } from "@callchain/collector/log/kafka/kafka-reader.ts";
import { probeKafka } from "@callchain/collector/log/kafka/kafka-probe.ts";
import { startRollupThread } from "@callchain/collector/write/rollup-thread.ts";
import { startWriter } from "@callchain/collector/write/writer.ts";
import { openDatabase, type SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { requireSchema } from "@callchain/schemas/clickhouse/migrate.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { openMetrics } from "@callchain/schemas/runtime/metrics.ts";
import type { SpanLogReader } from "@callchain/schemas/span/ports.ts";
import { refuseOpenAddresses } from "./open-listen.ts";
import { startRole, untilAvailable, type Role } from "./role.ts";
import { clickHouseAccessOf, type WriteConfig } from "./settings.ts";

/** Waits for ClickHouse, its schema and the topic; then takes its share of the partitions. */
export async function startWrite(config: WriteConfig, logger: Log): Promise<Role & { readonly statusUrl: string }> {
  const { statusAddress, clickhouseDatabase: database } = config;
  refuseOpenAddresses({ statusAddress }, config.insecureListen);
  const access = clickHouseAccessOf(config);
  const writing = config.clickhouseUrl.map((url) => ({ url, database, ...access, role: "writer" }) as const);
  const shards = writing.map(openDatabase);
  const metrics = openMetrics();
  const role = await startRole({
    statusAddress,
    check: async () => {
      await Promise.all([...shards.map((shard) => requireSchema(shard)), probeKafka(config)]);
    },
    metrics,
    logger,
    open: async (parts, { signal, fail }) => {
      parts.add("databases", { stop: () => closeAll(shards) });
      await untilAvailable("ClickHouse", () => requireSchemas(shards), { logger, signal });
      await untilAvailable("Kafka", () => probeKafka(config), { logger, signal });
      const reader = parts.add("log", await openKafkaReader({ config, logger: logger.child({ part: "log" }), metrics }));
      parts.add(
        "writer",
        startWriter({
          log: failing(reader, fail),
          database: shards,
          deadLetters: parts.add("dead letters", openKafkaDeadLetters(config)),
          metrics,
          logger: logger.child({ part: "writer" }),
          queryIdPrefix: `callchain-write-${database}`,
        }),
      );
      parts.add(
        "rollups",
        startRollupThread({
          databases: writing,
          metrics,
          logger: logger.child({ part: "rollups" }),
          queryIdPrefix: `callchain-rollup-${database}`,
        }),
      );
    },
  });
  return role;
}

async function requireSchemas(shards: readonly SpanDatabase[]): Promise<void> {
  for (const shard of shards) await requireSchema(shard);
}

async function closeAll(shards: readonly SpanDatabase[]): Promise<void> {
  for (const shard of shards) await shard.close();
}

/** A reader that ends by itself ends the role: whoever started the process starts it again. */
function failing(reader: SpanLogReader, fail: (error: unknown) => void): SpanLogReader {
  return {
    release: (position) => reader.release(position),
    consume: async (consumer, signal) => {
      try {
        await reader.consume(consumer, signal);
      } catch (error) {
        fail(error);
        throw error;
      }
    },
  };
}
