/** What each role can be told. Parts that several roles have are tables of their own, under the same names everywhere. */
import { readFileSync } from "node:fs";
import { kafkaSettings } from "@callchain/collector/log/kafka/settings.ts";
import type { Retention } from "@callchain/schemas/clickhouse/retention.ts";
import { flagOf, setting } from "@callchain/schemas/runtime/config.ts";
import type { ConfigOf, Setting } from "@callchain/schemas/runtime/config.ts";
import { InvalidError, messageOf } from "@callchain/schemas/span/errors.ts";

const MIB = 1024 * 1024;
const RETENTION_DAYS_MAX = 36_500;

const CLICKHOUSE_URL = "http://127.0.0.1:8123";
const CLICKHOUSE_URL_ACCEPTED = "http://host:port or https://host:port, without user, password, path or parameters";

function parseUrl(text: string): string | undefined {
  const url = URL.parse(text.trim());
  if (url === null || !["http:", "https:"].includes(url.protocol)) return undefined;
  const isBare = url.username === "" && url.password === "" && url.pathname === "/" && url.search === "" && url.hash === "";
  return isBare ? url.origin : undefined;
}

function name(pattern: RegExp, accepted: string, fallback: string, help: string): Setting<string> {
  return { fallback, help, accepted, parse: (text) => (pattern.test(text) ? text : undefined) };
}

/** Null: as it is. */
export const retentionSetting: Setting<Retention | null> = {
  fallback: null,
  help: "days that spans are kept, counted from their arrival, or forever (as it is; at first: forever)",
  accepted: `a whole number of days from 1 to ${RETENTION_DAYS_MAX}, or forever`,
  parse: (text) => {
    if (text === "forever") return text;
    const days = Number(text);
    return /^\d+$/.test(text) && days >= 1 && days <= RETENTION_DAYS_MAX ? { days } : undefined;
  },
};

export const listenSettings = {
  insecureListen: setting.toggle(
    false,
    "allow addresses beyond loopback although nothing asks for credentials: whoever reaches them may send, or read, spans",
  ),
};

export const receiverSettings = {
  otlpHttpAddress: setting.address({ host: "127.0.0.1", port: 4318 }, "OTLP over HTTP (127.0.0.1:4318)"),
  otlpGrpcAddress: setting.address({ host: "127.0.0.1", port: 4317 }, "OTLP over gRPC (127.0.0.1:4317)"),
  requestMaxBytes: setting.bytes(64 * MIB, "largest request, after decompression (64MiB)"),
  inFlightMaxBytes: setting.bytes(256 * MIB, "memory for requests in flight, all receivers together (256MiB)"),
  corsOrigins: setting.list([], "origins whose browsers may send OTLP, separated by commas (none)"),
};

export const queryFaceSettings = {
  queryAddress: setting.address({ host: "127.0.0.1", port: 16686 }, "the page and the query API (127.0.0.1:16686)"),
  allowedHosts: setting.list(
    [],
    "host names, beside localhost and plain addresses, under which browsers reach the page, separated by commas (none)",
  ),
};

const clickHouseAccess = {
  clickhouseUser: setting.text("default", "ClickHouse user (default)"),
  clickhousePassword: setting.secret("ClickHouse password; better in the environment than as a flag (none)"),
  clickhouseDatabase: name(
    /^[A-Za-z_]\w{0,63}$/,
    "letters, digits and _, not beginning with a digit",
    "callchain",
    "ClickHouse database; on a cluster readers take the one that ends in _all (callchain)",
  ),
  clickhouseCaFile: setting.text("", "PEM file of the authorities that an https server is checked against (Node's own)"),
};

export const clickHouseSettings = {
  clickhouseUrl: {
    fallback: CLICKHOUSE_URL,
    help: `ClickHouse's HTTP interface (${CLICKHOUSE_URL})`,
    accepted: CLICKHOUSE_URL_ACCEPTED,
    parse: parseUrl,
  } satisfies Setting<string>,
  ...clickHouseAccess,
};

export const clickHouseShardSettings = {
  clickhouseUrl: {
    fallback: [CLICKHOUSE_URL],
    help: `ClickHouse's HTTP interface; on a cluster one server of each shard, separated by commas, always in the same order (${CLICKHOUSE_URL})`,
    accepted: `${CLICKHOUSE_URL_ACCEPTED}; several are separated by commas`,
    parse: (text) => {
      const urls = text.split(",").map(parseUrl);
      return urls.every((url) => url !== undefined) ? urls : undefined;
    },
  } satisfies Setting<readonly string[]>,
  ...clickHouseAccess,
};

export function logLevelSetting(fallback: "info" | "warn"): ReturnType<typeof setting.oneOf<LogLevelName>> {
  return setting.oneOf(LOG_LEVELS, fallback, `how much is logged to standard error (${fallback})`);
}

const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
type LogLevelName = (typeof LOG_LEVELS)[number];

function statusAddress(port: number): Setting<{ readonly host: string; readonly port: number }> {
  return setting.address({ host: "127.0.0.1", port }, `/health, /ready and /metrics (127.0.0.1:${port})`);
}

export const receiveSettings = {
  ...receiverSettings,
  statusAddress: statusAddress(16_687),
  ...kafkaSettings,
  ...listenSettings,
  logLevel: logLevelSetting("info"),
};

export const writeSettings = {
  statusAddress: statusAddress(16_688),
  ...kafkaSettings,
  ...clickHouseShardSettings,
  ...listenSettings,
  logLevel: logLevelSetting("info"),
};

export const querySettings = {
  ...queryFaceSettings,
  ...clickHouseSettings,
  ...listenSettings,
  logLevel: logLevelSetting("info"),
};

export const migrateSettings = {
  dryRun: setting.toggle(false, "print what would be done, SQL included, and do nothing"),
  ...clickHouseSettings,
  clickhouseCluster: name(
    /^(?:[\w.{}-]{1,64})?$/,
    "a cluster of ClickHouse's remote_servers, or a macro such as {cluster}",
    "",
    "ClickHouse cluster to make replicated and distributed tables on (none: a single server)",
  ),
  retentionDays: retentionSetting,
  topics: setting.toggle(true, "make the Kafka topics that are missing; --no-topics leaves Kafka alone (true)"),
  topicPartitions: setting.wholeNumber(12, 1, 10_000, "partitions of the span topic where it is made (12)"),
  topicReplicas: setting.wholeNumber(
    1,
    1,
    32_767,
    "replicas of the topics where they are made; 3 where there are brokers for it (1)",
  ),
  ...kafkaSettings,
  logLevel: logLevelSetting("info"),
};

export type ReceiveConfig = ConfigOf<typeof receiveSettings>;
export type WriteConfig = ConfigOf<typeof writeSettings>;
export type QueryConfig = ConfigOf<typeof querySettings>;
export type MigrateConfig = ConfigOf<typeof migrateSettings>;

/** What openDatabase takes beside URL and role. Throws InvalidError where the file of authorities cannot be read. */
export function clickHouseAccessOf(config: ConfigOf<typeof clickHouseAccess>): {
  readonly username: string;
  readonly password: string;
  readonly caPem?: Buffer;
} {
  const { clickhouseUser: username, clickhouseCaFile: path } = config;
  const access = { username, password: config.clickhousePassword.reveal() };
  if (path === "") return access;
  try {
    return { ...access, caPem: readFileSync(path) };
  } catch (error) {
    throw new InvalidError(`${flagOf("clickhouseCaFile")}: cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
