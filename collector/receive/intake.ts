/** From one request's bytes to the acknowledgement, the same for every transport; and the counts of what came. */
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { Counter, Gauge, type Registry } from "@callchain/schemas/runtime/metrics.ts";
import type { OtlpEncoding } from "@callchain/schemas/otlp/response.ts";
import { scanRequest } from "@callchain/schemas/otlp/scan.ts";
import { messageOf } from "@callchain/schemas/span/errors.ts";
import type { ImportedSpans, SpanImporter, SpanLogAppender } from "@callchain/schemas/span/ports.ts";
import { unixNanoFromMs } from "@callchain/schemas/span/time.ts";
import { ArrivalRate } from "./arrival-rate.ts";
import { ByteBudget, type Lease } from "./budget.ts";
import { decompress, type ContentCoding } from "./content-encoding.ts";
import { JsonConverter } from "./json-converter.ts";
import { refusalOf, type Refusal } from "./status.ts";

export interface ReceiveLimits {
  /** One request, as it came and once decompressed. */
  readonly requestMaxBytes: number;
  /** All requests in flight together. */
  readonly inFlightMaxBytes: number;
}

type Transport = "http" | "grpc";

/** The part of IngestAnswer (schemas/api/catalog.ts) that the receivers know. */
export interface ReceiveReport {
  readonly acceptedSpanCount: number;
  readonly rejectedSpanCount: number;
  readonly refusedRequestCount: number;
  readonly lastRejection: { timeNano: string; transport: Transport; status: string; reason: string } | null;
}

/** A request's body as it came. `coding` is null where it is not compressed. */
export interface Body {
  readonly bytes: Uint8Array;
  readonly coding: ContentCoding | null;
  readonly encoding: OtlpEncoding;
}

/** Spans that were left out; null when every span was accepted. */
type Rejected = { readonly count: number; readonly message: string } | null;

const REASON_LENGTH_MAX = 500;

export class Intake implements SpanImporter {
  readonly limits: ReceiveLimits;
  readonly budget: ByteBudget;
  readonly #log: SpanLogAppender;
  readonly #logger: Log;
  readonly #jsonConverter = new JsonConverter();
  readonly #warned = new Set<string>();
  readonly #arrivals = new ArrivalRate();
  #acceptedSpanCount = 0;
  #rejectedSpanCount = 0;
  #refusedRequestCount = 0;
  readonly #requestCounts: Record<Transport, number> = { http: 0, grpc: 0 };
  #lastRejection: ReceiveReport["lastRejection"] = null;

  constructor(options: { log: SpanLogAppender; limits: ReceiveLimits; logger: Log; metrics: Registry }) {
    this.limits = options.limits;
    this.budget = new ByteBudget(options.limits.inFlightMaxBytes);
    this.#log = options.log;
    this.#logger = options.logger;
    this.#registerMetrics(options.metrics);
  }

  /**
   * Takes one export: decompress, convert, scan, append. Resolves when its good spans are durable, with what was left out. Rejects
   * with a Failure; then nothing was acknowledged. The lease holds the body already and stays the caller's to release, once this has
   * settled.
   */
  async receive(body: Body, transport: Transport, lease: Lease): Promise<Rejected> {
    this.#requestCounts[transport] += 1;
    let { bytes } = body;
    if (body.coding !== null) bytes = await decompress(bytes, body.coding, this.limits.requestMaxBytes, lease);
    if (body.encoding === "json") {
      lease.take(bytes.length);
      bytes = await this.#jsonConverter.convert(bytes);
    }
    const { rejectedSpanCount: count, rejection } = await this.#append(bytes);
    if (count === 0) return null;
    const message = rejection ?? "spans that cannot be stored were left out";
    this.#note(transport, "partial_success", message);
    return { count, message };
  }

  /** As `receive`, for what an operator hands over. */
  async importJson(request: Uint8Array): Promise<ImportedSpans> {
    const lease = this.budget.openLease();
    try {
      lease.take(2 * request.length);
      return await this.#append(await this.#jsonConverter.convert(request));
    } finally {
      lease.release();
    }
  }

  async #append(request: Uint8Array): Promise<ImportedSpans> {
    const scanned = scanRequest(request);
    if (scanned.spanCount > 0) await this.#log.append(scanned.request);
    this.#acceptedSpanCount += scanned.spanCount;
    this.#arrivals.add(scanned.spanCount, performance.now());
    this.#rejectedSpanCount += scanned.rejectedSpanCount;
    return {
      acceptedSpanCount: scanned.spanCount,
      rejectedSpanCount: scanned.rejectedSpanCount,
      rejection: scanned.rejection,
    };
  }

  /** Counts a request that is refused, and says how. */
  refuse(error: unknown, transport: Transport, statusOf: (refusal: Refusal) => string): Refusal {
    const refusal = refusalOf(error);
    this.refuseAs(transport, statusOf(refusal), refusal.message);
    if (refusal.httpStatus === 500)
      this.#logger.error({ transport, reason: messageOf(error), stack: stackOf(error) }, "a defect");
    return refusal;
  }

  /** Counts a refusal that the transport has worded itself. */
  refuseAs(transport: Transport, status: string, reason: string): void {
    this.#refusedRequestCount += 1;
    this.#note(transport, status, reason);
    this.#logger.debug({ transport, status, reason }, "a request was refused");
  }

  /** Logs once for as long as the process lives. */
  warnOnce(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#logger.warn(message);
  }

  /** Once the transports have stopped. */
  stop(): Promise<void> {
    return this.#jsonConverter.stop();
  }

  report(): ReceiveReport {
    return {
      acceptedSpanCount: this.#acceptedSpanCount,
      rejectedSpanCount: this.#rejectedSpanCount,
      refusedRequestCount: this.#refusedRequestCount,
      lastRejection: this.#lastRejection,
    };
  }

  arrivalsPerSecond(): number {
    return this.#arrivals.perSecond(performance.now());
  }

  #note(transport: Transport, status: string, reason: string): void {
    this.#lastRejection = {
      timeNano: String(unixNanoFromMs(Date.now())),
      transport,
      status,
      reason: reason.length > REASON_LENGTH_MAX ? `${reason.slice(0, REASON_LENGTH_MAX)}...` : reason,
    };
  }

  #registerMetrics(registry: Registry): void {
    const counter = (name: string, help: string, read: () => number): void => {
      const metric: Counter = new Counter({
        name,
        help,
        registers: [registry],
        collect: () => {
          metric.reset();
          metric.inc(read());
        },
      });
    };
    counter("callchain_receive_spans_accepted_total", "Spans acknowledged", () => this.#acceptedSpanCount);
    counter(
      "callchain_receive_spans_rejected_total",
      "Spans left out of requests otherwise accepted",
      () => this.#rejectedSpanCount,
    );
    counter("callchain_receive_requests_refused_total", "Requests refused", () => this.#refusedRequestCount);
    const requests: Counter<"transport"> = new Counter({
      name: "callchain_receive_requests_total",
      help: "Trace exports that were read whole",
      labelNames: ["transport"],
      registers: [registry],
      collect: () => {
        requests.reset();
        requests.inc({ transport: "http" }, this.#requestCounts.http);
        requests.inc({ transport: "grpc" }, this.#requestCounts.grpc);
      },
    });
    const inFlight: Gauge = new Gauge({
      name: "callchain_receive_in_flight_bytes",
      help: "Bytes held by requests in flight",
      registers: [registry],
      collect: () => inFlight.set(this.budget.usedBytes),
    });
  }
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
