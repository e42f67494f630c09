/**
 * What appending to a real Kafka broker and reading from it cost: CPU of this process alone a span; the broker runs on the other core.
 * `npm run bench -- kafka [requests of each case]`.
 */
import { Producer } from "@platformatic/kafka";
import { openKafkaAppender } from "@callchain/collector/log/kafka/kafka-appender.ts";
import { openKafkaReader } from "@callchain/collector/log/kafka/kafka-reader.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import type { LogConsumer } from "@callchain/schemas/span/ports.ts";
import { startKafkaBroker, type KafkaBroker } from "../support/kafka-broker.ts";
import { buildCorpus } from "./corpus.ts";
import { cpuSecondsOf, pin, rssBytesOf } from "./proc.ts";

const logger = openLog("bench", "warn");
const PARTITIONS = 6;
const SENDERS = 16;

/** Prints what `run` cost; `run` resolves with the number of spans it handled. */
async function measure(name: string, run: () => Promise<number>): Promise<void> {
  const before = cpuSecondsOf([process.pid]);
  const startedMs = performance.now();
  const spans = await run();
  const cpuSeconds = cpuSecondsOf([process.pid]) - before;
  const seconds = (performance.now() - startedMs) / 1000;
  process.stdout.write(
    `${name.padEnd(44)} ${((cpuSeconds * 1e6) / spans).toFixed(2).padStart(6)} us CPU/span  ` +
      `${String(Math.round(spans / cpuSeconds / 1000)).padStart(5)}k spans/CPU s  ` +
      `${String(Math.round(spans / seconds / 1000)).padStart(5)}k spans/s  RSS ${Math.round(rssBytesOf([process.pid]) / 2 ** 20)} MiB\n`,
  );
}

async function appendCase(broker: KafkaBroker, spansPerRequest: number, requestCount: number): Promise<void> {
  const config = await broker.freshTopic(PARTITIONS);
  const appender = await openKafkaAppender({ config, logger, metrics: new Registry() });
  const corpus = buildCorpus({ requestCount: 64, spansPerRequest });
  const send = async (count: number): Promise<number> => {
    let next = 0;
    const sender = async (): Promise<void> => {
      while (next < count) {
        const request = corpus[next++ % corpus.length];
        if (request !== undefined) await appender.append(request);
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, sender));
    return count * spansPerRequest;
  };
  await send(Math.ceil(requestCount / 5));
  await measure(`append, ${spansPerRequest} spans a request`, () => send(requestCount));
  await appender.stop();
}

async function readCase(broker: KafkaBroker, recordCount: number, compression: "none" | "zstd"): Promise<void> {
  const config = await broker.freshTopic(PARTITIONS);
  const spansPerRecord = 2_000;
  const corpus = buildCorpus({ requestCount: 8, spansPerRequest: spansPerRecord });
  const producer = new Producer({ clientId: "bench", bootstrapBrokers: [broker.address] });
  for (let index = 0; index < recordCount; index += 1) {
    const value = Buffer.from(corpus[index % corpus.length] ?? []);
    await producer.send({
      acks: -1,
      compression,
      messages: [{ topic: config.kafkaTopic, value, partition: index % PARTITIONS }],
    });
  }
  await producer.close(true);
  const reader = await openKafkaReader({ config, logger, metrics: new Registry() });
  await measure(`read, 2000 spans a record, ${compression}`, async () => {
    const end = new AbortController();
    let taken = 0;
    const consumer: LogConsumer = {
      assign: async () => 0n,
      deliver: async (_partition, records) => {
        taken += records.length;
        if (taken >= recordCount) end.abort();
      },
      idle: () => undefined,
      revoke: async () => undefined,
    };
    await reader.consume(consumer, end.signal);
    return taken * spansPerRecord;
  });
  await reader.stop();
}

export async function runKafkaBench(args: readonly string[]): Promise<void> {
  const requestCount = Number(args[0] ?? 1_500);
  process.stdout.write("kafka: CPU of the appending or reading process alone, one pinned core\n");
  const broker = await startKafkaBroker();
  try {
    pin([process.pid], 0);
    pin([broker.pid], 1);
    await appendCase(broker, 512, requestCount);
    await appendCase(broker, 20, requestCount * 6);
    await readCase(broker, 200, "none");
    await readCase(broker, 200, "zstd");
  } finally {
    await broker.stop();
  }
}
