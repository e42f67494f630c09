/** How a role reaches Kafka and which topics it uses. */
import { setting } from "@callchain/schemas/runtime/config.ts";
import type { ConfigOf } from "@callchain/schemas/runtime/config.ts";

const MIB = 1024 * 1024;

export const kafkaSettings = {
  kafkaBrokers: setting.list(["127.0.0.1:9092"], "Kafka brokers to start from, host:port separated by commas (127.0.0.1:9092)"),
  kafkaTopic: setting.text("otlp_spans", "topic of OTLP protobuf requests, as otelcol's kafkaexporter writes it (otlp_spans)"),
  kafkaDeadLetterTopic: setting.text("otlp_spans_dead", "topic of records that cannot be decoded (otlp_spans_dead)"),
  kafkaGroup: setting.text("callchain-write", "consumer group that shares the partitions out among writers (callchain-write)"),
  kafkaSessionMs: setting.wholeNumber(
    15_000,
    1_000,
    300_000,
    "a writer that is not heard of for so long, in ms, loses its partitions to the others (15000)",
  ),
  kafkaClientId: setting.text("callchain", "name of this client in Kafka's logs and quotas (callchain)"),
  kafkaTls: setting.toggle(false, "connect with TLS"),
  kafkaTlsCaFile: setting.text("", "PEM file of the authorities that brokers are checked against (the system's)"),
  kafkaTlsCertFile: setting.text("", "PEM file of the client certificate (none)"),
  kafkaTlsKeyFile: setting.text("", "PEM file of the client certificate's key (none)"),
  kafkaSasl: setting.oneOf(["none", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], "none", "SASL mechanism (none)"),
  kafkaSaslUser: setting.text("", "SASL user"),
  kafkaSaslPassword: setting.secret("SASL password; better in the environment than as a flag"),
  kafkaRecordMaxBytes: setting.bytes(
    1_000_000,
    "requests are joined and split to records of at most this size; the topic's max.message.bytes must be larger (1000000)",
  ),
  kafkaInFlightMaxBytes: setting.bytes(
    64 * MIB,
    "bytes on their way into Kafka; beyond them exporters are told to retry (64MiB)",
  ),
};

export type KafkaConfig = ConfigOf<typeof kafkaSettings>;
