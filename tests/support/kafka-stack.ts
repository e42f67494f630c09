/** The distributed mode on one machine: a real broker, the real engine, and the roles as processes that can be killed. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { KafkaConfig } from "@callchain/collector/log/kafka/settings.ts";
import { startEmbeddedClickHouse, type EmbeddedClickHouse } from "@callchain/deploy/embedded-clickhouse/supervisor.ts";
import { openDatabase, type SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { migrate } from "@callchain/schemas/clickhouse/migrate.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { startKafkaBroker, type KafkaBroker } from "./kafka-broker.ts";
import { CLI } from "./process.ts";

const logger = openLog("test", "silent");

export interface RoleProcess {
  readonly child: ChildProcess;
  /** What it printed, both streams. */
  output(): string;
  /** Of a receiver. */
  readonly otlpHttpUrl: string;
  /** The sum over the labels of a metric, and how many there are. */
  metric(name: string): Promise<{ sum: number; count: number }>;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** Ctrl-C; resolves with the exit status. */
  stop(): Promise<number | null>;
}

export interface KafkaStack extends Running {
  readonly broker: KafkaBroker;
  readonly engine: EmbeddedClickHouse;
  readonly database: SpanDatabase;
  /** Resolves when the role says that it is ready. */
  startRole(role: "receive" | "write", config: KafkaConfig, flags?: readonly string[]): Promise<RoleProcess>;
}

/** `stop` ends everything, roles included, and removes the directories. */
export async function startKafkaStack(): Promise<KafkaStack> {
  const dir = await mkdtemp(join(tmpdir(), "callchain-stack-"));
  const broker = await startKafkaBroker();
  const engine = await startEmbeddedClickHouse({ dataDir: dir, address: { host: "127.0.0.1", port: 0 }, log: logger });
  const database = openDatabase({ url: engine.url, role: "writer" });
  await migrate(database, logger);
  const roles = new Set<RoleProcess>();
  return {
    broker,
    engine,
    database,
    startRole: async (role, config, flags = []) => {
      const started = await startRole(role, flagsOf(role, config, engine.url, flags));
      roles.add(started);
      return started;
    },
    stop: async () => {
      await Promise.all([...roles].map((role) => role.kill()));
      await database.close();
      await engine.stop();
      await broker.stop();
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function flagsOf(role: "receive" | "write", config: KafkaConfig, engineUrl: string, flags: readonly string[]): string[] {
  const own =
    role === "receive"
      ? ["--otlp-http-address", "127.0.0.1:0", "--otlp-grpc-address", "127.0.0.1:0"]
      : ["--clickhouse-url", engineUrl, "--clickhouse-database", "default"];
  const shared = {
    "status-address": "127.0.0.1:0",
    "log-level": "warn",
    "kafka-brokers": config.kafkaBrokers.join(","),
    "kafka-topic": config.kafkaTopic,
    "kafka-dead-letter-topic": config.kafkaDeadLetterTopic,
    "kafka-group": config.kafkaGroup,
    "kafka-session-ms": String(config.kafkaSessionMs),
  };
  return [...Object.entries(shared).flatMap(([name, value]) => [`--${name}`, value]), ...own, ...flags];
}

async function startRole(role: string, flags: readonly string[]): Promise<RoleProcess> {
  const child = spawn(process.execPath, [CLI, role, ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const ready = Promise.withResolvers<void>();
  const onData = (piece: Buffer): void => {
    output += piece.toString();
    if (/is ready\.\n(?:.*\n)+/.test(output)) ready.resolve();
  };
  child.stdout.on("data", onData);
  child.stderr.on("data", onData);
  const exited = once(child, "exit");
  const end = async (signal: "SIGINT" | "SIGKILL"): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await exited;
  };
  void exited.then(() => ready.reject(new Error(`${role} ended with ${child.exitCode ?? child.signalCode}:\n${output}`)));
  const onExit = (): void => void child.kill("SIGKILL");
  process.once("exit", onExit);
  void exited.then(() => process.off("exit", onExit));
  await ready.promise;
  return {
    child,
    output: () => output,
    otlpHttpUrl: /ENDPOINT=(\S+)\s+\(http/.exec(output)?.[1] ?? "",
    metric: async (name) => {
      const url = /Status\s+(http\S+)\/ready/.exec(output)?.[1] ?? "";
      const text = await (await fetch(`${url}/metrics`)).text();
      const values = text
        .split("\n")
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
        .map((line) => Number(line.split(" ").at(-1)));
      return { sum: values.reduce((sum, value) => sum + value, 0), count: values.length };
    },
    kill: () => end("SIGKILL"),
    stop: async () => {
      await end("SIGINT");
      return child.exitCode;
    },
  };
}
