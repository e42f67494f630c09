/** The distributed mode on one machine: a real broker, a real ClickHouse, and the roles as processes that can be killed. */
import type { KafkaConfig } from "@callchain/collector/log/kafka/settings.ts";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { migrate } from "@callchain/schemas/clickhouse/migrate.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { startClickHouse, type TestClickHouse } from "./clickhouse.ts";
import { startKafkaBroker, type KafkaBroker } from "./kafka-broker.ts";
import { environmentOf, startRoleProcess, type RoleProcess } from "./roles.ts";

const logger = openLog("test", "silent");

export interface StackRole extends RoleProcess {
  /** Of a receiver. */
  readonly otlpHttpUrl: string;
}

export interface KafkaStack extends Running {
  readonly broker: KafkaBroker;
  readonly engine: TestClickHouse;
  readonly database: SpanDatabase;
  /** Resolves when the role says that it is ready. */
  startRole(role: "receive" | "write", config: KafkaConfig, nodeArgs?: readonly string[]): Promise<StackRole>;
}

/** `stop` ends everything, roles included, and removes the directories. */
export async function startKafkaStack(): Promise<KafkaStack> {
  const broker = await startKafkaBroker();
  const engine = await startClickHouse();
  const database = engine.open("writer");
  await migrate(database, logger, { database: engine.database });
  const roles = new Set<RoleProcess>();
  return {
    broker,
    engine,
    database,
    startRole: (role, config, nodeArgs = []) => startRole(role, config, { engine, nodeArgs }, roles),
    stop: async () => {
      await Promise.all([...roles].map((role) => role.kill()));
      await database.close();
      await engine.stop();
      await broker.stop();
    },
  };
}

/** The process is among `all` from its first moment: one that never says it is ready is ended, too. */
async function startRole(
  role: "receive" | "write",
  config: KafkaConfig,
  { engine, nodeArgs }: { readonly engine: TestClickHouse; readonly nodeArgs: readonly string[] },
  all: Set<RoleProcess>,
): Promise<StackRole> {
  const { kafkaBrokers, kafkaTopic, kafkaDeadLetterTopic, kafkaGroup, kafkaSessionMs } = config;
  const kafka = { kafkaBrokers: kafkaBrokers.join(","), kafkaTopic, kafkaDeadLetterTopic, kafkaGroup, kafkaSessionMs };
  const own = role === "write" ? engine.settings : {};
  const started = startRoleProcess(role, environmentOf({ logLevel: "warn", ...kafka, ...own }), nodeArgs);
  all.add(started);
  await started.find(/is ready\.\n(?:.*\n)+/);
  return { ...started, otlpHttpUrl: role === "receive" ? await started.find(/ENDPOINT=(\S+)\s+\(http/) : "" };
}
