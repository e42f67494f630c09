/** The receivers of one process: OTLP over HTTP and gRPC, one intake, one budget. */
import type { Address } from "@callchain/schemas/runtime/config.ts";
import { Lifecycle, type Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import type { Registry } from "@callchain/schemas/runtime/metrics.ts";
import type { SpanImporter, SpanLogAppender } from "@callchain/schemas/span/ports.ts";
import { Intake, type ReceiveLimits, type ReceiveReport } from "./intake.ts";
import { startOtlpGrpc } from "./otlp-grpc.ts";
import { startOtlpHttp } from "./otlp-http.ts";

export interface ReceiversOptions {
  readonly httpAddress: Address;
  readonly grpcAddress: Address;
  readonly log: SpanLogAppender;
  readonly limits: ReceiveLimits;
  /** Origins whose pages may send spans from a browser; `*` for all. Default: none. */
  readonly corsOrigins?: readonly string[];
  /** A request that has not come whole after this is cut off. Default 25 s. */
  readonly slowMs?: number;
  readonly metrics: Registry;
  readonly logger: Log;
}

const SLOW_MS = 25_000;

export interface Receivers extends Running, SpanImporter {
  readonly httpUrl: string;
  readonly grpcUrl: string;
  /** What came so far, for `GET /api/v1/ingest`. */
  report(): ReceiveReport;
  /** Spans accepted, just now. */
  arrivalsPerSecond(): number;
}

/** Listens on both addresses, or on neither: throws Failure "unavailable" naming the address and its flag. */
export async function startReceivers(options: ReceiversOptions): Promise<Receivers> {
  const { httpAddress, grpcAddress, log, limits, metrics, logger, corsOrigins = [], slowMs = SLOW_MS } = options;
  const intake = new Intake({ log, limits, logger, metrics });
  const lifecycle = new Lifecycle(logger);
  lifecycle.add("intake", intake);
  try {
    const http = await startOtlpHttp({ address: httpAddress, flag: "--otlp-http-address", intake, corsOrigins, slowMs });
    lifecycle.add("otlp-http", http);
    const grpc = await startOtlpGrpc({ address: grpcAddress, flag: "--otlp-grpc-address", intake, slowMs });
    lifecycle.add("otlp-grpc", grpc);
    return {
      httpUrl: http.url,
      grpcUrl: grpc.url,
      report: () => intake.report(),
      arrivalsPerSecond: () => intake.arrivalsPerSecond(),
      importJson: (request) => intake.importJson(request),
      stop: () => lifecycle.stop(),
    };
  } catch (error) {
    await lifecycle.stop();
    throw error;
  }
}
