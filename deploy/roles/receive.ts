/** `receive`: OTLP into Kafka. Keeps nothing, so any number of them may stand behind a load balancer. */
import { openKafkaAppender } from "@callchain/collector/log/kafka/kafka-appender.ts";
import { probeKafka } from "@callchain/collector/log/kafka/kafka-probe.ts";
import { startReceivers } from "@callchain/collector/receive/receivers.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { openMetrics } from "@callchain/schemas/runtime/metrics.ts";
import { failureCodeOf } from "@callchain/schemas/span/errors.ts";
import { refuseOpenAddresses } from "./open-listen.ts";
import { startRole, untilAvailable, type Role } from "./role.ts";
import type { ReceiveConfig } from "./settings.ts";

export interface ReceiveRole extends Role {
  readonly statusUrl: string;
  /** Known once the role is open. */
  urls(): { readonly otlpHttpUrl: string; readonly otlpGrpcUrl: string };
}

/** Waits for the topic, not for a broker: with Kafka away it listens, and tells exporters to retry. */
export async function startReceive(config: ReceiveConfig, logger: Log): Promise<ReceiveRole> {
  const { otlpHttpAddress, otlpGrpcAddress, statusAddress } = config;
  refuseOpenAddresses({ otlpHttpAddress, otlpGrpcAddress, statusAddress }, config.insecureListen);
  const metrics = openMetrics();
  let urls = { otlpHttpUrl: "", otlpGrpcUrl: "" };
  const role = await startRole({
    statusAddress,
    check: () => probeKafka(config),
    metrics,
    logger,
    open: async (parts, { signal }) => {
      await untilAvailable(`the topic ${config.kafkaTopic}`, () => probeTopic(config), { logger, signal });
      const log = parts.add("log", await openKafkaAppender({ config, logger: logger.child({ part: "log" }), metrics }));
      const receivers = parts.add(
        "receivers",
        await startReceivers({
          httpAddress: otlpHttpAddress,
          grpcAddress: otlpGrpcAddress,
          log,
          limits: { requestMaxBytes: config.requestMaxBytes, inFlightMaxBytes: config.inFlightMaxBytes },
          corsOrigins: config.corsOrigins,
          metrics,
          logger: logger.child({ part: "receive" }),
        }),
      );
      urls = { otlpHttpUrl: receivers.httpUrl, otlpGrpcUrl: receivers.grpcUrl };
    },
  });
  return { ...role, urls: () => urls };
}

async function probeTopic(config: ReceiveConfig): Promise<void> {
  try {
    await probeKafka(config);
  } catch (error) {
    if (failureCodeOf(error) !== "unavailable") throw error;
  }
}
