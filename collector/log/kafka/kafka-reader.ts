/**
 * The Kafka topic as the writer reads it. Positions come from the rows (`assign`); Kafka's own committed offsets only spare reading
 * again what gave no rows. Partitions are shared among all writers of the consumer group.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "@callchain/schemas/span/errors.ts";
import type { LogConsumer, LogPosition, SpanLogReader } from "@callchain/schemas/span/ports.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { clientOptions, describeKafkaError } from "./client.ts";
import type { KafkaLogOptions } from "./kafka-appender.ts";
import { ReadSession } from "./read-session.ts";
import { registerReadMetrics, type ReadMetrics } from "./read-metrics.ts";
import { kafkaPartitionOf } from "./log-partition.ts";

const BACKOFF_FIRST_MS = 250;
const BACKOFF_MAX_MS = 5_000;
/** A session that lasted so long had worked: the next failure is another one. */
const GOOD_SESSION_MS = 30_000;

/**
 * Connects only when it is consumed; a broker that is away is waited for. Rejects with InvalidError where the settings are wrong.
 */
export async function openKafkaReader(options: KafkaLogOptions): Promise<SpanLogReader & Running> {
  clientOptions(options.config, "write");
  return new KafkaReader(options, registerReadMetrics(options.metrics));
}

class KafkaReader implements SpanLogReader, Running {
  readonly #options: KafkaLogOptions;
  readonly #metrics: ReadMetrics;
  readonly #stopping = new AbortController();
  #session: ReadSession | null = null;
  #consumed: Promise<void> | null = null;

  constructor(options: KafkaLogOptions, metrics: ReadMetrics) {
    this.#options = options;
    this.#metrics = metrics;
  }

  async consume(consumer: LogConsumer, signal: AbortSignal): Promise<void> {
    if (this.#consumed !== null) throw new Failure("internal", "this reader takes one consumer at a time");
    this.#consumed = this.#runSessions(consumer, AbortSignal.any([signal, this.#stopping.signal]));
    try {
      await this.#consumed;
    } finally {
      this.#consumed = null;
    }
  }

  async release(position: LogPosition): Promise<void> {
    this.#session?.release(kafkaPartitionOf(position.partition), position.offset);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#consumed;
  }

  async #runSessions(consumer: LogConsumer, signal: AbortSignal): Promise<void> {
    const { config, logger } = this.#options;
    let backoffMs = BACKOFF_FIRST_MS;
    while (!signal.aborted) {
      const startedMs = performance.now();
      this.#session = new ReadSession({ config, logger, metrics: this.#metrics, consumer });
      try {
        await this.#session.run(signal);
      } catch (error) {
        if (performance.now() - startedMs > GOOD_SESSION_MS) backoffMs = BACKOFF_FIRST_MS;
        const reason = error instanceof Failure ? error.message : describeKafkaError(error);
        logger.error({ reason, retryAfterMs: backoffMs }, "reading from Kafka begins anew");
        this.#metrics.restarts.inc();
        await sleep(backoffMs, undefined, { signal }).catch(() => undefined);
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      }
    }
    this.#session = null;
  }
}
