/** What every Kafka client of ours shares: addresses, TLS, SASL, time limits; and how its errors read. */
import { readFileSync } from "node:fs";
import { Connection, findErrorBy, instancesChannel, type BaseOptions } from "@platformatic/kafka";
import { Failure, InvalidError, messageOf } from "@callchain/schemas/span/errors.ts";
import { flagOf } from "@callchain/schemas/runtime/config.ts";
import type { KafkaConfig } from "./settings.ts";

/** Connecting and answering each take at most this: a sender hears within 5 s that the broker is away. */
const CONNECT_TIMEOUT_MS = 2_000;
export const REQUEST_TIMEOUT_MS = 4_000;

/**
 * A connection whose login was refused is let go of, and tells of the reset that follows without anybody listening: such an event would end the
 * process. Whoever waits for a connection hears of its end in other ways.
 */
instancesChannel.subscribe((created) => {
  if (isCreation(created) && created.instance instanceof Connection) created.instance.on("error", () => undefined);
});

function isCreation(message: unknown): message is { readonly instance: unknown } {
  return typeof message === "object" && message !== null && "instance" in message;
}

/** Throws InvalidError naming the setting where a file cannot be read or the settings contradict each other. */
export function clientOptions(config: KafkaConfig, role: string): BaseOptions {
  const { kafkaBrokers, kafkaClientId, kafkaSasl, kafkaSaslUser, kafkaSaslPassword } = config;
  if (kafkaBrokers.length === 0) throw new InvalidError(`${flagOf("kafkaBrokers")}: given none, accepted is host:port,...`);
  if (kafkaSasl !== "none" && kafkaSaslUser === "") {
    throw new InvalidError(`${flagOf("kafkaSaslUser")}: given none, needed with ${flagOf("kafkaSasl")} ${kafkaSasl}`);
  }
  return {
    clientId: `${kafkaClientId}-${role}`,
    bootstrapBrokers: [...kafkaBrokers],
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    timeout: REQUEST_TIMEOUT_MS - 500,
    // Who may repeat what is decided by the callers: a produce whose answer is lost may have been written.
    retries: 0,
    metadataMaxAge: 30_000,
    autocreateTopics: false,
    ...tlsOf(config),
    ...(kafkaSasl === "none"
      ? {}
      : { sasl: { mechanism: kafkaSasl, username: kafkaSaslUser, password: kafkaSaslPassword.reveal() } }),
  };
}

function tlsOf(config: KafkaConfig): Pick<BaseOptions, "tls"> {
  const files = { ca: "kafkaTlsCaFile", cert: "kafkaTlsCertFile", key: "kafkaTlsKeyFile" } as const;
  const tls: { ca?: string; cert?: string; key?: string } = {};
  for (const name of ["ca", "cert", "key"] as const) {
    const path = config[files[name]];
    if (path === "") continue;
    if (!config.kafkaTls) throw new InvalidError(`${flagOf(files[name])}: given ${path}, used only with ${flagOf("kafkaTls")}`);
    try {
      tls[name] = readFileSync(path, "utf8");
    } catch (error) {
      throw new InvalidError(`${flagOf(files[name])}: cannot read ${path}: ${messageOf(error)}`, { cause: error });
    }
  }
  return config.kafkaTls ? { tls } : {};
}

/** The id of a Kafka protocol error anywhere in what the client threw: "NOT_LEADER_OR_FOLLOWER". */
export function hasKafkaError(error: unknown, ...ids: readonly string[]): boolean {
  return error instanceof Error && ids.some((id) => findErrorBy(error, "apiId", id) !== null);
}

/** Classifies what the client threw on a produce. */
export function classifyProduceError(error: unknown, config: KafkaConfig): Failure {
  if (error instanceof Failure) return error;
  const where = `Kafka at ${config.kafkaBrokers.join(",")}`;
  const says = describeKafkaError(error);
  if (hasKafkaError(error, "MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE")) {
    const mend = `set ${flagOf("kafkaRecordMaxBytes")} below the topic's max.message.bytes`;
    return new Failure("too_large", `${where} takes no record of this size: ${mend}`, { cause: error });
  }
  return new Failure("unavailable", `${where} did not take the spans: ${says}`, { cause: error, retryAfterMs: 1_000 });
}

/** One line of what the client threw; it wraps its causes several deep, and the innermost say what happened. */
export function describeKafkaError(error: unknown): string {
  const leaves = new Set<string>();
  const collect = (value: unknown, depth: number): void => {
    if (value instanceof AggregateError && value.errors.length > 0 && depth < 6) {
      for (const inner of value.errors) collect(inner, depth + 1);
    } else if (value instanceof Error && value.cause instanceof Error && depth < 6) {
      collect(value.cause, depth + 1);
    } else leaves.add(messageOf(value));
  };
  collect(error, 0);
  return [...leaves].slice(0, 3).join("; ");
}
