/**
 * How a failure is told to a sender, on both transports; the only place that knows these numbers. OTLP specification "Failures":
 * retryable are HTTP 429, 502, 503, 504 with Retry-After, and UNAVAILABLE or RESOURCE_EXHAUSTED with RetryInfo. gRPC codes:
 * googleapis `google/rpc/code.proto`.
 */
import { Failure, messageOf, type FailureCode } from "@callchain/schemas/span/errors.ts";

/** google.rpc.Code. */
export const RPC = {
  ok: 0,
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

const RPC_NAMES: Readonly<Record<number, string>> = {
  0: "OK",
  1: "CANCELLED",
  3: "INVALID_ARGUMENT",
  4: "DEADLINE_EXCEEDED",
  5: "NOT_FOUND",
  8: "RESOURCE_EXHAUSTED",
  12: "UNIMPLEMENTED",
  13: "INTERNAL",
  14: "UNAVAILABLE",
};

export function rpcNameOf(code: number): string {
  return RPC_NAMES[code] ?? String(code);
}

/** What the sender is told. */
export interface Refusal {
  readonly httpStatus: number;
  readonly rpcCode: number;
  readonly message: string;
  /** Given where the same request may succeed later. */
  readonly retryAfterMs: number | undefined;
}

const STATUSES: Readonly<Record<FailureCode, { httpStatus: number; rpcCode: number; retryAfterMs?: number }>> = {
  invalid: { httpStatus: 400, rpcCode: RPC.invalidArgument },
  not_found: { httpStatus: 404, rpcCode: RPC.notFound },
  too_large: { httpStatus: 413, rpcCode: RPC.resourceExhausted },
  overloaded: { httpStatus: 429, rpcCode: RPC.resourceExhausted, retryAfterMs: 1_000 },
  unavailable: { httpStatus: 503, rpcCode: RPC.unavailable, retryAfterMs: 5_000 },
  timeout: { httpStatus: 504, rpcCode: RPC.deadlineExceeded, retryAfterMs: 1_000 },
  internal: { httpStatus: 500, rpcCode: RPC.internal },
};

/** Of any thrown value; the message of one that was never classified stays with us. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof Failure)) {
    return {
      ...STATUSES.internal,
      message: "the request met a defect of the collector; its log says more",
      retryAfterMs: undefined,
    };
  }
  const status = STATUSES[error.code];
  const retryAfterMs = status.retryAfterMs === undefined ? undefined : (error.retryAfterMs ?? status.retryAfterMs);
  return { httpStatus: status.httpStatus, rpcCode: status.rpcCode, message: messageOf(error), retryAfterMs };
}

/** Retry-After is in whole seconds (RFC 9110, 10.2.3). */
export function retryAfterSeconds(retryAfterMs: number): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
}
