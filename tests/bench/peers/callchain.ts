/** Callchain itself: the all-in-one, and the roles with a real Kafka broker between them. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { startEmbeddedClickHouse } from "@callchain/deploy/embedded-clickhouse/supervisor.ts";
import { openDatabase, type SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { migrate } from "@callchain/schemas/clickhouse/migrate.ts";
import type { KafkaConfig } from "@callchain/collector/log/kafka/settings.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { z } from "zod";
import { kafkaMissing, startKafkaBroker, type KafkaBroker } from "../../support/kafka-broker.ts";
import { ROOT, startCallchain } from "../../support/process.ts";
import { environmentOf, startRoleProcess, type RoleProcess } from "../../support/roles.ts";
import { isCounted } from "../count-rollups.ts";
import { familyOf, pin } from "../proc.ts";
import { SYSTEM_CORE, type FoundSystem, type StartedSystem } from "./system.ts";

const PARTITIONS = 3;
const Package = z.object({ version: z.string() });
const Tree = z.object({ spanCount: z.int() });
const SETTLED = "SELECT toString(count()) AS n FROM system.merges";
const BYTES = "SELECT toString(sum(bytes_on_disk)) AS n FROM system.parts WHERE active AND database = currentDatabase()";
const SPANS = "SELECT toString(count()) AS n FROM spans";

function callchainVersion(): string {
  const { version } = Package.parse(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")));
  const { status, stdout } = spawnSync("git", ["-C", ROOT, "rev-parse", "--short", "HEAD"], { encoding: "utf8" });
  return `Callchain ${version}${status === 0 ? ` at ${stdout.trim()}` : ""}`;
}

export function findCallchain(): FoundSystem {
  return {
    system: {
      name: "callchain",
      version: callchainVersion(),
      setup: "all-in-one: log, writer and embedded engine",
      format: "otlp",
      isSearchable: true,
      isPersistent: true,
      start: startEmbedded,
    },
  };
}

export function findCallchainKafka(): FoundSystem {
  const missing = kafkaMissing();
  if (missing !== false) return { name: "callchain-kafka", missing };
  return {
    system: {
      name: "callchain-kafka",
      version: callchainVersion(),
      setup: `receive, a Kafka broker (one node, ${PARTITIONS} partitions, C1 compiler only), write, query and the engine, all on the one core`,
      format: "otlp",
      isSearchable: true,
      isPersistent: true,
      start: startWithKafka,
    },
  };
}

async function startEmbedded(dir: string): Promise<StartedSystem> {
  const callchain = await startCallchain(dir);
  const pids = (): number[] => familyOf(callchain.child.pid ?? 0);
  pinAll(pids());
  const database = openDatabase({ url: callchain.engineUrl, role: "writer" });
  return {
    pids,
    httpUrl: callchain.otlpHttpUrl,
    grpcUrl: callchain.otlpGrpcUrl,
    queryUrl: callchain.queryUrl,
    ...questionsOf(database, callchain.queryUrl),
    stop: async () => {
      await database.close();
      await callchain.stop();
    },
    kill: async () => {
      for (const pid of pids()) process.kill(pid, "SIGKILL");
      await callchain.kill();
      await database.close();
    },
  };
}

interface KafkaPlace {
  readonly broker: KafkaBroker;
  readonly config: KafkaConfig;
}
/** Brokers of directories that may be started again after a kill. */
const places = new Map<string, KafkaPlace>();

async function openPlace(dir: string): Promise<KafkaPlace> {
  const known = places.get(dir);
  if (known !== undefined) {
    await known.broker.start();
    return known;
  }
  const broker = await startKafkaBroker();
  const place = { broker, config: await broker.freshTopic(PARTITIONS) };
  places.set(dir, place);
  return place;
}

async function startWithKafka(dir: string): Promise<StartedSystem> {
  const { broker, config } = await openPlace(dir);
  const logger = openLog("bench", "warn");
  const address = { host: "127.0.0.1", port: 0 };
  const engine = await startEmbeddedClickHouse({ dataDir: join(dir, "engine"), address, log: logger });
  const database = openDatabase({ url: engine.url, role: "writer" });
  await migrate(database, logger);
  const { kafkaBrokers, kafkaTopic, kafkaDeadLetterTopic, kafkaGroup, kafkaSessionMs } = config;
  const kafka = { kafkaBrokers: kafkaBrokers.join(","), kafkaTopic, kafkaDeadLetterTopic, kafkaGroup, kafkaSessionMs };
  const clickhouse = { clickhouseUrl: engine.url, clickhouseDatabase: "default" };
  const roles = {
    receive: startRoleProcess("receive", environmentOf({ logLevel: "warn", ...kafka })),
    write: startRoleProcess("write", environmentOf({ logLevel: "warn", ...kafka, ...clickhouse })),
    query: startRoleProcess("query", environmentOf({ logLevel: "warn", ...clickhouse })),
  };
  const processes: RoleProcess[] = Object.values(roles);
  await Promise.all(processes.map((role) => role.find(/is ready\.\n(?:.*\n)+/)));
  const queryUrl = await roles.query.find(/Open\s+(http\S+)/);
  const pids = (): number[] =>
    [broker.pid, engine.pid ?? 0, ...processes.map(({ child }) => child.pid ?? 0)].filter((pid) => pid > 0).flatMap(familyOf);
  pinAll(pids());
  return {
    pids,
    httpUrl: await roles.receive.find(/ENDPOINT=(\S+)\s+\(http/),
    grpcUrl: await roles.receive.find(/ENDPOINT=(\S+)\s+\(grpc/),
    queryUrl,
    ...questionsOf(database, queryUrl),
    stop: async () => {
      await Promise.all(processes.map((role) => role.stop()));
      await database.close();
      await engine.stop();
      await broker.stop();
      places.delete(dir);
    },
    kill: async () => {
      for (const pid of pids()) process.kill(pid, "SIGKILL");
      await Promise.all([broker.kill(), engine.stop(), ...processes.map((role) => role.kill())]);
      await database.close();
    },
  };
}

function pinAll(pids: readonly number[]): void {
  if (!pin(pids, SYSTEM_CORE)) throw new Error("taskset could not pin the processes (util-linux is needed)");
}

type Questions = Pick<StartedSystem, "countSpans" | "countAll" | "settle" | "catchUp" | "bytesStored">;

function questionsOf(database: SpanDatabase, queryUrl: string): Questions {
  const number = async (sql: string): Promise<number> => Number((await database.query<{ n: string }>(sql)).rows[0]?.n ?? 0);
  return {
    countSpans: async (traceId) => {
      const response = await fetch(`${queryUrl}/api/v1/traces/${traceId}?view=tree`);
      const text = await response.text();
      if (response.status === 404) return 0;
      if (response.status !== 200) throw new Error(`${response.status} for trace ${traceId}: ${text.slice(0, 200)}`);
      return Tree.parse(JSON.parse(text)).spanCount;
    },
    countAll: () => number(SPANS),
    settle: async () => {
      const untilMs = performance.now() + 120_000;
      while (((await number(SETTLED)) > 0 || !(await isCounted(database))) && performance.now() < untilMs)
        await new Promise((resolve) => setTimeout(resolve, 250));
    },
    catchUp: async () => {
      while (!(await isCounted(database))) await new Promise((resolve) => setTimeout(resolve, 1000));
    },
    bytesStored: () => number(BYTES),
  };
}
