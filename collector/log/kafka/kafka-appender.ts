/**
 * Requests into the Kafka topic. Small ones are joined to records of about 1 MB (concatenated OTLP requests are themselves a valid
 * request), larger ones are split by span; records go to the partitions in turn, with `acks=all`.
 *
 *   append --joined or split--> [filling] --full or 5 ms old--> produce --every replica has it--> acknowledged
 *
 * A produce whose outcome is in doubt is not repeated here: it may have been written, and a second copy would be a second span. The
 * sender is told "unavailable" and decides. What a broker refused for certain (no leader here) the client repeats once.
 */
import { Producer } from "@platformatic/kafka";
import { Failure } from "@callchain/schemas/span/errors.ts";
import type { SpanLogAppender } from "@callchain/schemas/span/ports.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { Registry } from "@callchain/schemas/runtime/metrics.ts";
import { registerAppendMetrics, type AppendMetrics } from "./append-metrics.ts";
import { classifyProduceError, clientOptions, describeKafkaError, hasKafkaError } from "./client.ts";
import type { KafkaConfig } from "./settings.ts";
import { splitRequest } from "./split-request.ts";

const LINGER_MS = 5;
/** A sender waits no longer than this, whatever the client still hopes for. */
const APPEND_TIMEOUT_MS = 4_500;
const ACKS_ALL = -1;

export interface KafkaLogOptions {
  readonly config: KafkaConfig;
  readonly logger: Log;
  readonly metrics: Registry;
}

/**
 * Opens the producer. A broker that is away is no error yet: appends answer "unavailable" until it is back. Rejects with Failure
 * "invalid" where the settings are wrong, or the topic is known not to exist.
 */
export async function openKafkaAppender(options: KafkaLogOptions): Promise<SpanLogAppender & Running> {
  const { config, logger, metrics } = options;
  const producer = new Producer(clientOptions(config, "receive"));
  try {
    await producer.metadata({ topics: [config.kafkaTopic] });
  } catch (error) {
    if (isTopicMissing(error)) {
      await producer.close(true);
      throw new Failure("invalid", `Kafka has no topic ${config.kafkaTopic}: create it, or choose another with --kafka-topic`);
    }
    logger.warn({ reason: describeKafkaError(error) }, "Kafka is away; exporters are told to retry until it is back");
  }
  return new KafkaAppender(producer, config, logger, registerAppendMetrics(metrics));
}

/** The client answers an unknown topic with an error of its own that carries no code. */
export function isTopicMissing(error: unknown): boolean {
  return hasKafkaError(error, "UNKNOWN_TOPIC_OR_PARTITION") || describeKafkaError(error).startsWith("Unknown topic ");
}

interface Batch {
  readonly parts: Uint8Array[];
  bytes: number;
  readonly outcome: PromiseWithResolvers<void>;
}

class KafkaAppender implements SpanLogAppender, Running {
  readonly #producer: Producer;
  readonly #config: KafkaConfig;
  readonly #logger: Log;
  readonly #metrics: AppendMetrics;
  #filling: Batch = emptyBatch();
  #linger: NodeJS.Timeout | null = null;
  /** Bytes from `append` until the client has let go of them. */
  #inFlightBytes = 0;
  readonly #sending = new Set<Promise<void>>();
  #isAway = false;
  #isStopped = false;

  constructor(producer: Producer, config: KafkaConfig, logger: Log, metrics: AppendMetrics) {
    this.#producer = producer;
    this.#config = config;
    this.#logger = logger;
    this.#metrics = metrics;
  }

  async append(request: Uint8Array): Promise<void> {
    if (this.#isStopped) throw new Failure("unavailable", "the log is stopping");
    const { kafkaInFlightMaxBytes, kafkaRecordMaxBytes } = this.#config;
    if (this.#inFlightBytes > 0 && this.#inFlightBytes + request.length > kafkaInFlightMaxBytes) {
      this.#metrics.refused.inc();
      throw new Failure("overloaded", `${this.#inFlightBytes} bytes are on their way into Kafka, as many as may be`, {
        retryAfterMs: 1_000,
      });
    }
    if (request.length <= kafkaRecordMaxBytes) return this.#put(request);
    const outcomes = await Promise.allSettled(splitRequest(request, kafkaRecordMaxBytes).map((piece) => this.#put(piece)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#flush();
    await Promise.all(this.#sending);
    await this.#producer.close(true);
  }

  #put(piece: Uint8Array): Promise<void> {
    if (this.#filling.bytes + piece.length > this.#config.kafkaRecordMaxBytes) this.#flush();
    const batch = this.#filling;
    batch.parts.push(piece);
    batch.bytes += piece.length;
    this.#inFlightBytes += piece.length;
    this.#metrics.inFlightBytes.set(this.#inFlightBytes);
    this.#linger ??= setTimeout(() => this.#flush(), LINGER_MS);
    return batch.outcome.promise;
  }

  #flush(): void {
    if (this.#linger !== null) clearTimeout(this.#linger);
    this.#linger = null;
    const batch = this.#filling;
    if (batch.parts.length === 0) return;
    this.#filling = emptyBatch();
    const sent = this.#send(batch).finally(() => this.#sending.delete(sent));
    this.#sending.add(sent);
  }

  /** Never rejects; resolves when the client has let go of the bytes. */
  async #send(batch: Batch): Promise<void> {
    const { outcome, parts, bytes } = batch;
    // A copy: the parts are only lent to us, and after the time limit the client may still hold on to what it was given.
    const value = Buffer.concat(parts, bytes);
    const limit = setTimeout(() => {
      outcome.reject(this.#failed(new Error(`no answer within ${APPEND_TIMEOUT_MS} ms`)));
    }, APPEND_TIMEOUT_MS);
    try {
      await this.#producer.send({ acks: ACKS_ALL, messages: [{ topic: this.#config.kafkaTopic, value }] });
      outcome.resolve();
      this.#metrics.records.inc();
      this.#metrics.bytes.inc(bytes);
      this.#setAway(null);
    } catch (error) {
      // Who leads a partition may have changed: the next produce asks again.
      this.#producer.clearMetadata();
      outcome.reject(this.#failed(error));
    } finally {
      clearTimeout(limit);
      this.#inFlightBytes -= bytes;
      this.#metrics.inFlightBytes.set(this.#inFlightBytes);
    }
  }

  #failed(error: unknown): Failure {
    this.#metrics.failed.inc();
    const failure = classifyProduceError(error, this.#config);
    this.#setAway(failure);
    return failure;
  }

  /** One line when it begins and one when it is over, however many requests it takes down. */
  #setAway(failure: Failure | null): void {
    if (failure !== null && !this.#isAway) this.#logger.error({ reason: failure.message }, "spans cannot be written to Kafka");
    if (failure === null && this.#isAway) this.#logger.info("spans are written to Kafka again");
    this.#isAway = failure !== null;
  }
}

function emptyBatch(): Batch {
  const outcome = Promise.withResolvers<void>();
  // A batch of pieces may fail after its sender was told about another piece's failure.
  outcome.promise.catch(() => undefined);
  return { parts: [], bytes: 0, outcome };
}
