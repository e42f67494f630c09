/** The Kafka log beyond the contract of every log: what others write, what is too large, what goes missing, and a broker that is away. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Admin, Producer } from "@platformatic/kafka";
import { openKafkaAppender } from "@callchain/collector/log/kafka/kafka-appender.ts";
import { ensureTopics } from "@callchain/collector/log/kafka/kafka-topic.ts";
import { openKafkaReader } from "@callchain/collector/log/kafka/kafka-reader.ts";
import { kafkaPartitionOf } from "@callchain/collector/log/kafka/log-partition.ts";
import type { KafkaConfig } from "@callchain/collector/log/kafka/settings.ts";
import { scanRequest } from "@callchain/schemas/otlp/scan.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import type { LogConsumer, LogRecord } from "@callchain/schemas/span/ports.ts";
import { buildCorpus } from "../bench/corpus.ts";
import { until } from "../support/process.ts";
import { kafkaMissing, startKafkaBroker, type KafkaBroker } from "../support/kafka-broker.ts";

const logger = openLog("test", "silent");
const skip = kafkaMissing();
const timeout = 180_000;

let broker: KafkaBroker;
before(async () => {
  if (skip === false) broker = await startKafkaBroker();
});
after(() => broker?.stop());

/** Keeps copies of what it is given. */
class Collector implements LogConsumer {
  readonly values: Buffer[] = [];
  /** By Kafka's partition. */
  readonly offsets = new Map<number, bigint[]>();
  readonly wanted = new Map<number, bigint>();
  readonly logPartitions = new Set<number>();
  idleCount = 0;

  async assign(logPartition: number): Promise<bigint> {
    const partition = kafkaPartitionOf(logPartition);
    this.logPartitions.add(logPartition);
    this.offsets.set(partition, this.offsets.get(partition) ?? []);
    return this.wanted.get(partition) ?? 0n;
  }
  async deliver(logPartition: number, records: readonly LogRecord[]): Promise<void> {
    const partition = kafkaPartitionOf(logPartition);
    for (const { offset, value } of records) {
      this.values.push(Buffer.from(value));
      this.offsets.get(partition)?.push(offset);
      this.wanted.set(partition, offset + 1n);
    }
  }
  idle(): void {
    this.idleCount += 1;
  }
  async revoke(): Promise<void> {}
}

async function consuming(
  config: KafkaConfig,
  consumer: LogConsumer,
  run: () => Promise<void>,
  metrics = new Registry(),
): Promise<void> {
  const reader = await openKafkaReader({ config, logger, metrics });
  const end = new AbortController();
  const consumed = reader.consume(consumer, end.signal);
  try {
    await run();
  } finally {
    end.abort();
    await consumed;
    await reader.stop();
  }
}

async function producing(run: (producer: Producer) => Promise<void>): Promise<void> {
  const producer = new Producer({ clientId: "test", bootstrapBrokers: [broker.address] });
  try {
    await run(producer);
  } finally {
    await producer.close(true);
  }
}

async function administering(run: (admin: Admin) => Promise<void>): Promise<void> {
  const admin = new Admin({ clientId: "test", bootstrapBrokers: [broker.address] });
  try {
    await run(admin);
  } finally {
    await admin.close();
  }
}

async function valueOf(metrics: Registry, name: string): Promise<number> {
  const metric = await metrics.getSingleMetric(name)?.get();
  return (metric?.values ?? []).reduce((sum, { value }) => sum + value, 0);
}

function spanCountOf(requests: readonly Uint8Array[]): number {
  return requests.reduce((sum, request) => sum + scanRequest(request).spanCount, 0);
}

describe("records", { skip }, () => {
  test("of otelcol's kafkaexporter are read as they are, whatever their key, headers and compression", { timeout }, async () => {
    const config = await broker.freshTopic(1);
    const sent = buildCorpus({ requestCount: 20, spansPerRequest: 5 }).map((request) => Buffer.from(request));
    await producing(async (producer) => {
      const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
      for (const [index, compression] of codecs.entries()) {
        const messages = sent.slice(index * 4, index * 4 + 4).map((value, at) => ({
          topic: config.kafkaTopic,
          value,
          partition: 0,
          ...(at % 2 === 0 ? { key: Buffer.from([at, 255]) } : {}),
          headers: new Map([[Buffer.from("content"), Buffer.from([0, 1])]]),
        }));
        await producer.send({ acks: -1, compression, messages });
      }
    });
    const consumer = new Collector();
    await consuming(config, consumer, () => until("20 records", () => consumer.values.length >= 20));
    assert.deepEqual(
      consumer.values.map((value) => value.toString("hex")),
      sent.map((value) => value.toString("hex")),
    );
    const middle = new Collector();
    middle.wanted.set(0, 14n);
    await consuming(config, middle, () => until("the rest", () => middle.values.length >= 6));
    assert.deepEqual(middle.offsets.get(0), [14n, 15n, 16n, 17n, 18n, 19n]);
  });

  test("hold small requests together and large ones in pieces, and every span once", { timeout }, async () => {
    const config = await broker.freshTopic(3, { "kafka-record-max-bytes": "100000" });
    const metrics = new Registry();
    const appender = await openKafkaAppender({ config, logger, metrics });
    const small = buildCorpus({ requestCount: 300, spansPerRequest: 3 });
    const large = buildCorpus({ requestCount: 3, spansPerRequest: 1_500, seed: 2 });
    await Promise.all([...small, ...large].map((request) => appender.append(request)));
    await appender.stop();
    const consumer = new Collector();
    await consuming(config, consumer, () => until("all spans", () => spanCountOf(consumer.values) >= 900 + 4_500));
    assert.equal(spanCountOf(consumer.values), 900 + 4_500);
    const recordCount = await valueOf(metrics, "callchain_log_records_total");
    assert.ok(recordCount > 20 && recordCount < 100, `${recordCount} records`);
    for (const value of consumer.values) assert.ok(value.length <= 100_000);
  });

  test("that Kafka deleted before they were read are counted as lost, and reading goes on behind them", { timeout }, async () => {
    const config = await broker.freshTopic(1);
    await producing(async (producer) => {
      for (let index = 0; index < 10; index += 1) {
        await producer.send({ acks: -1, messages: [{ topic: config.kafkaTopic, value: Buffer.from([index]) }] });
      }
    });
    await administering(async (admin) => {
      await admin.deleteRecords({ topics: [{ name: config.kafkaTopic, partitions: [{ partition: 0, offset: 7n }] }] });
    });
    const consumer = new Collector();
    consumer.wanted.set(0, 2n);
    const metrics = new Registry();
    await consuming(config, consumer, () => until("3 records", () => consumer.values.length >= 3), metrics);
    assert.deepEqual(consumer.offsets.get(0), [7n, 8n, 9n]);
    assert.equal(await valueOf(metrics, "callchain_log_lost_records_total"), 5);
  });

  test("are held, loudly, where the rows are ahead of the partition", { timeout }, async () => {
    const config = await broker.freshTopic(1);
    const ahead = new Collector();
    ahead.wanted.set(0, 5_000n);
    const metrics = new Registry();
    await consuming(
      config,
      ahead,
      () => until("it is held", async () => (await valueOf(metrics, "callchain_log_partition_ahead")) === 1),
      metrics,
    );
    assert.equal(ahead.values.length, 0);
  });

  test("of a topic that is deleted and made anew are read from its beginning, as another log", { timeout }, async () => {
    const config = await broker.freshTopic(1);
    const produce = (text: string): Promise<void> =>
      producing(async (producer) => {
        await producer.send({ acks: -1, messages: [{ topic: config.kafkaTopic, value: Buffer.from(text) }] });
      });
    await produce("old");
    const consumer = new Collector();
    consumer.wanted.set(0, 0n);
    await consuming(config, consumer, async () => {
      await until("the first is read", () => consumer.values.length === 1);
      consumer.wanted.clear();
      await administering((admin) => admin.deleteTopics({ topics: [config.kafkaTopic] }));
      await until("it is made anew", async () => {
        const [made] = await ensureTopics({ config, logger, partitionCount: 1, replicaCount: 1 });
        return made?.isMade === true;
      });
      await produce("new");
      await until("the second is read", () => consumer.values.length === 2);
    });
    assert.deepEqual(consumer.values.map(String), ["old", "new"]);
    assert.equal(consumer.logPartitions.size, 2);
  });

  test("of a partition that is added later are read without a restart", { timeout }, async () => {
    const config = await broker.freshTopic(1);
    const consumer = new Collector();
    await consuming(config, consumer, async () => {
      await until("it is idle", () => consumer.idleCount > 0);
      await administering((admin) =>
        admin.createPartitions({ topics: [{ name: config.kafkaTopic, count: 2, assignments: [{ brokerIds: [1] }] }] }),
      );
      await until("the partition is read", () => consumer.offsets.has(1));
      await producing(async (producer) => {
        await producer.send({ acks: -1, messages: [{ topic: config.kafkaTopic, value: Buffer.from([1]), partition: 1 }] });
      });
      await until("its record", () => consumer.values.length === 1);
    });
    assert.deepEqual(consumer.offsets.get(1), [0n]);
  });
});

describe("appending", { skip }, () => {
  test("refuses a span that is larger than a record may be, clearly", { timeout }, async () => {
    const config = await broker.freshTopic(1, { "kafka-record-max-bytes": "300" });
    const appender = await openKafkaAppender({ config, logger, metrics: new Registry() });
    const [request] = buildCorpus({ requestCount: 1, spansPerRequest: 2 });
    assert.ok(request !== undefined);
    await assert.rejects(appender.append(request), {
      code: "too_large",
      message: /a span of \d+ bytes does not fit into a record of 300/,
    });
    await appender.stop();
  });

  test("is refused when the topic is missing, with its name", { timeout }, async () => {
    const config = broker.config({ "kafka-topic": "nowhere" });
    await assert.rejects(openKafkaAppender({ config, logger, metrics: new Registry() }), { message: /no topic nowhere/ });
  });

  test(
    "answers unavailable while the broker hangs or is gone, overloaded beyond the cap, and works again afterwards",
    { timeout },
    async () => {
      const config = await broker.freshTopic(2, { "kafka-in-flight-max-bytes": "100000" });
      const metrics = new Registry();
      const appender = await openKafkaAppender({ config, logger, metrics });
      const [request] = buildCorpus({ requestCount: 1, spansPerRequest: 100 });
      assert.ok(request !== undefined);
      await appender.append(request);
      broker.signal("SIGSTOP");
      try {
        const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => appender.append(request)));
        const codes = outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason.code : outcome.status));
        assert.deepEqual(new Set(codes), new Set(["unavailable", "overloaded"]));
      } finally {
        broker.signal("SIGCONT");
      }
      await untilAppended(appender, request);
      await broker.kill();
      await assert.rejects(appender.append(request), { code: "unavailable" });
      await broker.start();
      await untilAppended(appender, request);
      assert.equal(await valueOf(metrics, "callchain_log_queued_bytes"), 0);
      await appender.stop();
    },
  );
});

/** As an exporter does: again and again until it is accepted. */
async function untilAppended(appender: { append(request: Uint8Array): Promise<void> }, request: Uint8Array): Promise<void> {
  for (;;) {
    try {
      return await appender.append(request);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
