import { after, before } from "node:test";
import { openKafkaAppender } from "@callchain/collector/log/kafka/kafka-appender.ts";
import { openKafkaReader } from "@callchain/collector/log/kafka/kafka-reader.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { kafkaMissing, startKafkaBroker, type KafkaBroker } from "../support/kafka-broker.ts";
import { testSpanLog } from "./span-log.ts";

const logger = openLog("test", "silent");
const skip = kafkaMissing();

let broker: KafkaBroker | undefined;
before(async () => {
  if (skip === false) broker = await startKafkaBroker();
});
after(() => broker?.stop());

for (const partitionCount of [1, 3]) {
  testSpanLog(
    `Kafka, ${partitionCount} partitions`,
    async () => {
      if (broker === undefined) throw new Error("the broker has not started");
      const config = await broker.freshTopic(partitionCount);
      return {
        partitionCount,
        open: async () => {
          const options = { config, logger, metrics: new Registry() };
          const appender = await openKafkaAppender(options);
          const reader = await openKafkaReader(options);
          return {
            append: (request) => appender.append(request),
            consume: (consumer, signal) => reader.consume(consumer, signal),
            release: (position) => reader.release(position),
            stop: async () => {
              await appender.stop();
              await reader.stop();
            },
          };
        },
        remove: async () => undefined,
      };
    },
    skip,
  );
}
