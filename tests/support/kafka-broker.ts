/** A real Apache Kafka broker of one node (KRaft, broker and controller in one), on free loopback ports and a directory of its own. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureTopics } from "@callchain/collector/log/kafka/kafka-topic.ts";
import { kafkaSettings, type KafkaConfig } from "@callchain/collector/log/kafka/settings.ts";
import { readConfig } from "@callchain/schemas/runtime/config.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { freePort } from "./free-port.ts";
import { findKafka } from "./kafka-jars.ts";

const JVM_FLAGS = ["-Xmx512m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"];
const START_LIMIT_MS = 90_000;
const START_ATTEMPTS = 3;
const CLUSTER_ID = "Y2FsbGNoYWluLWthZmthMQ";

export interface KafkaBroker {
  readonly address: string;
  readonly pid: number;
  /** Settings of a client: this broker and a short session, then what is given. */
  config(settings?: Readonly<Record<string, string>>): KafkaConfig;
  /** The same with a topic, a dead-letter topic and a group of its own, made with so many partitions. */
  freshTopic(partitionCount: number, settings?: Readonly<Record<string, string>>): Promise<KafkaConfig>;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again where it was killed; resolves when it answers. */
  start(): Promise<void>;
  signal(name: "SIGSTOP" | "SIGCONT"): void;
  /** Ends it and removes its directory. */
  stop(): Promise<void>;
}

/** Why there is no broker on this machine, or false: `test(..., { skip: kafkaMissing() })`. */
export function kafkaMissing(): string | false {
  return findKafka({ install: true }).missing ?? false;
}

type Table = Readonly<Record<string, string>>;

/** Starts with more broker properties, and more client settings, than the usual ones; resolves when it answers. */
export async function startKafkaBroker(properties: Table = {}, settings: Table = {}): Promise<KafkaBroker> {
  const found = findKafka({ install: true });
  if (found.classPath === undefined) throw new Error(found.missing);
  for (let attempt = 1; ; attempt += 1) {
    const dir = await mkdtemp(join(tmpdir(), "callchain-kafka-"));
    const broker = new Broker(found.classPath, dir, await freePort(), settings);
    try {
      await broker.format(await freePort(), properties);
      await broker.start();
      return broker;
    } catch (error) {
      await broker.stop();
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

class Broker implements KafkaBroker {
  readonly #classPath: string;
  readonly #dir: string;
  readonly #port: number;
  readonly #settings: Table;
  #child: ChildProcess | null = null;
  #output = "";
  #topicCount = 0;

  constructor(classPath: string, dir: string, port: number, settings: Table) {
    this.#settings = settings;
    this.#classPath = classPath;
    this.#dir = dir;
    this.#port = port;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  config(settings: Readonly<Record<string, string>> = {}): KafkaConfig {
    const given = { "kafka-brokers": this.address, "kafka-session-ms": "3000", ...this.#settings, ...settings };
    const argv = Object.entries(given).flatMap(([name, value]) => (value === "" ? [`--${name}`] : [`--${name}`, value]));
    return readConfig(kafkaSettings, { argv, env: {} });
  }

  async freshTopic(partitionCount: number, settings: Readonly<Record<string, string>> = {}): Promise<KafkaConfig> {
    this.#topicCount += 1;
    const name = `spans-${this.#topicCount}`;
    const config = this.config({
      "kafka-topic": name,
      "kafka-dead-letter-topic": `${name}-dead`,
      "kafka-group": `${name}-group`,
      ...settings,
    });
    await ensureTopics({ config, logger: openLog("test", "silent"), partitionCount, replicaCount: 1 });
    return config;
  }

  async format(controllerPort: number, properties: Readonly<Record<string, string>>): Promise<void> {
    const lines = { ...this.#properties(controllerPort), ...properties };
    const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(this.#file, text.join(""));
    const args = [...JVM_FLAGS, "-cp", this.#classPath, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", this.#file];
    const { status, stderr, stdout } = spawnSync("java", args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`Kafka's storage was not formatted:\n${stdout}${stderr}`);
  }

  async start(): Promise<void> {
    this.#output = "";
    const flags = [...JVM_FLAGS, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"];
    const child = spawn("java", [...flags, "-cp", this.#classPath, "kafka.Kafka", this.#file], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    const keep = (piece: Buffer): void => {
      this.#output = (this.#output + piece.toString()).slice(-20_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const onExit = (): void => void child.kill("SIGKILL");
    process.once("exit", onExit);
    child.once("exit", () => process.off("exit", onExit));
    const untilMs = performance.now() + START_LIMIT_MS;
    while (!(await this.#answers())) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`Kafka ended at its start:\n${this.#output}`);
      if (performance.now() > untilMs) throw new Error(`Kafka did not answer in ${START_LIMIT_MS} ms:\n${this.#output}`);
      await sleep(100);
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(name);
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#dir, { recursive: true, force: true, maxRetries: 5 });
  }

  get #file(): string {
    return join(this.#dir, "server.properties");
  }

  #properties(controllerPort: number): Record<string, string> {
    return {
      "process.roles": "broker,controller",
      "node.id": "1",
      listeners: `PLAINTEXT://127.0.0.1:${this.#port},CONTROLLER://127.0.0.1:${controllerPort}`,
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${this.#port}`,
      "controller.listener.names": "CONTROLLER",
      "controller.quorum.voters": `1@127.0.0.1:${controllerPort}`,
      "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
      "inter.broker.listener.name": "PLAINTEXT",
      "log.dirs": join(this.#dir, "data"),
      "offsets.topic.replication.factor": "1",
      "offsets.topic.num.partitions": "1",
      "transaction.state.log.replication.factor": "1",
      "transaction.state.log.min.isr": "1",
      "transaction.state.log.num.partitions": "1",
      "group.initial.rebalance.delay.ms": "0",
      "group.min.session.timeout.ms": "1000",
      "auto.create.topics.enable": "false",
      "log.cleaner.dedupe.buffer.size": "8388608",
      // A killed broker may register again only when its last life is over.
      "broker.session.timeout.ms": "2000",
      "broker.heartbeat.interval.ms": "400",
      "num.network.threads": "2",
      "num.io.threads": "2",
    };
  }

  /** The port is open and a client gets answers. */
  async #answers(): Promise<boolean> {
    if (!(await isOpen(this.#port))) return false;
    try {
      await ensureTopics({
        config: this.config({ "kafka-topic": "probe", "kafka-dead-letter-topic": "probe" }),
        logger: openLog("test", "silent"),
        partitionCount: 1,
        replicaCount: 1,
      });
      return true;
    } catch {
      return false;
    }
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
