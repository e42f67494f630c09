/** The writer between a real broker and the real engine: many partitions in one process, and records that are no OTLP. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Consumer, Producer } from "@platformatic/kafka";
import { openKafkaAppender } from "@callchain/collector/log/kafka/kafka-appender.ts";
import { openKafkaDeadLetters } from "@callchain/collector/log/kafka/kafka-dead-letters.ts";
import { openKafkaReader } from "@callchain/collector/log/kafka/kafka-reader.ts";
import type { KafkaConfig } from "@callchain/collector/log/kafka/settings.ts";
import { startWriter } from "@callchain/collector/write/writer.ts";
import { Lifecycle, type Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { buildCorpus } from "../bench/corpus.ts";
import { kafkaMissing } from "../support/kafka-broker.ts";
import { startKafkaStack, type KafkaStack } from "../support/kafka-stack.ts";
import { until } from "../support/process.ts";

const logger = openLog("test", "silent");
const skip = kafkaMissing();
const timeout = 180_000;

let stack: KafkaStack;
before(async () => {
  if (skip === false) stack = await startKafkaStack();
});
after(() => stack?.stop());

async function startOne(config: KafkaConfig, metrics: Registry): Promise<Running> {
  const parts = new Lifecycle(logger);
  const deadLetters = parts.add("dead letters", openKafkaDeadLetters(config));
  const log = parts.add("log", await openKafkaReader({ config, logger, metrics }));
  const limits = { blockRowsMax: 500, insertIntervalMinMs: 5, memoryBytesMax: 4 * 1024 * 1024 };
  parts.add("writer", startWriter({ log, database: stack.database, deadLetters, metrics, logger, limits }));
  return parts;
}

async function countSpans(): Promise<{ all: number; distinct: number }> {
  const { rows } = await stack.database.query<{ all: string; distinct: string }>(
    "SELECT count() AS all, uniqExact(trace_id, span_id) AS distinct FROM spans",
  );
  return { all: Number(rows[0]?.all), distinct: Number(rows[0]?.distinct) };
}

async function deadLetterCount(metrics: Registry): Promise<number> {
  return (await metrics.getSingleMetric("callchain_writer_dead_letters_total")?.get())?.values[0]?.value ?? 0;
}

test("two writers store every span of twelve partitions once, in little memory", { timeout, skip }, async () => {
  await stack.database.command("TRUNCATE TABLE spans");
  const config = await stack.broker.freshTopic(12, { "kafka-record-max-bytes": "20000" });
  const appender = await openKafkaAppender({ config, logger, metrics: new Registry() });
  const writers = [await startOne(config, new Registry()), await startOne(config, new Registry())];
  const requests = buildCorpus({ requestCount: 400, spansPerRequest: 25 });
  await Promise.all(requests.map((request) => appender.append(request)));
  await until("10,000 spans are stored", async () => (await countSpans()).all >= 10_000);
  for (const part of [appender, ...writers]) await part.stop();
  assert.deepEqual(await countSpans(), { all: 10_000, distinct: 10_000 });
});

test(
  "a record that is no OTLP goes to the dead-letter topic with its origin, once, and what follows is stored",
  { timeout, skip },
  async () => {
    await stack.database.command("TRUNCATE TABLE spans");
    const config = await stack.broker.freshTopic(1);
    const [first, second] = buildCorpus({ requestCount: 2, spansPerRequest: 10 });
    const producer = new Producer({ clientId: "test", bootstrapBrokers: [stack.broker.address] });
    for (const value of [first, Uint8Array.of(0x0a, 0xff, 0xff), second, Uint8Array.of(1, 2, 3)]) {
      await producer.send({ acks: -1, messages: [{ topic: config.kafkaTopic, value: Buffer.from(value ?? []) }] });
    }
    const metrics = new Registry();
    const writer = await startOne(config, metrics);
    await until("the rest is stored", async () => (await countSpans()).all === 20 && (await deadLetterCount(metrics)) === 2);
    await writer.stop();
    const again = new Registry();
    const successor = await startOne(config, again);
    await producer.send({ acks: -1, messages: [{ topic: config.kafkaTopic, value: Buffer.from(first ?? []) }] });
    await until("the successor has stored", async () => (await countSpans()).all === 30);
    await successor.stop();
    await producer.close(true);
    assert.equal(await deadLetterCount(again), 0);

    const consumer = new Consumer({ clientId: "test", groupId: "test", bootstrapBrokers: [stack.broker.address] });
    const stream = await consumer.consume({ topics: [config.kafkaDeadLetterTopic], mode: "earliest", autocommit: false });
    const letters: { value: string; headers: Record<string, string> }[] = [];
    for await (const message of stream) {
      const headers = Object.fromEntries([...message.headers].map(([name, text]) => [String(name), String(text)]));
      letters.push({ value: message.value.toString("hex"), headers });
      if (letters.length === 2) break;
    }
    await consumer.close(true);
    assert.deepEqual(
      letters.map(({ value, headers }) => [value, headers["topic"], headers["partition"], headers["offset"]]),
      [
        ["0affff", config.kafkaTopic, "0", "1"],
        ["010203", config.kafkaTopic, "0", "3"],
      ],
    );
    for (const { headers } of letters) assert.ok((headers["reason"] ?? "").length > 0);
  },
);
