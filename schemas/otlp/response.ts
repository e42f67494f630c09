/**
 * What a receiver answers: ExportTraceServiceResponse (opentelemetry-proto `collector/trace/v1/trace_service.proto`) and
 * google.rpc.Status with RetryInfo (googleapis `google/rpc/status.proto`, `error_details.proto`).
 *
 *   ExportTraceServiceResponse  partial_success 1      ExportTracePartialSuccess  rejected_spans 1 int64, error_message 2 string
 *   Status                      code 1 int32, message 2 string, details 3 repeated Any
 *   Any                         type_url 1 string, value 2 bytes
 *   RetryInfo                   retry_delay 1 Duration      Duration  seconds 1 int64, nanos 2 int32
 */
import { ProtobufWriter } from "./writer.ts";

export type OtlpEncoding = "protobuf" | "json";

const RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo";
const ENCODER = new TextEncoder();

/** The success answer; `rejected` is null when every span was accepted, and `partial_success` is then left unset. */
export function encodeExportResponse(
  rejected: { readonly count: number; readonly message: string } | null,
  encoding: OtlpEncoding,
): Uint8Array {
  if (encoding === "json") {
    const answer =
      rejected === null ? {} : { partialSuccess: { rejectedSpans: String(rejected.count), errorMessage: rejected.message } };
    return ENCODER.encode(JSON.stringify(answer));
  }
  const writer = new ProtobufWriter(128);
  if (rejected !== null) {
    const partial = writer.begin(0x0a);
    if (rejected.count > 0) writer.varintField(0x08, rejected.count);
    if (rejected.message !== "") writer.stringField(0x12, rejected.message);
    writer.end(partial);
  }
  return writer.finish();
}

export interface OtlpStatus {
  /** google.rpc.Code, the same numbers as gRPC's status codes. */
  readonly code: number;
  readonly message: string;
  /** When given, a RetryInfo says so. */
  readonly retryDelayMs?: number | undefined;
}

/** The error answer in the encoding of the request. */
export function encodeStatus(status: OtlpStatus, encoding: OtlpEncoding): Uint8Array {
  const delayMs = status.retryDelayMs === undefined ? undefined : Math.max(0, Math.round(status.retryDelayMs));
  if (encoding === "json") {
    const details = delayMs === undefined ? undefined : [{ "@type": RETRY_INFO, retryDelay: `${delayMs / 1000}s` }];
    return ENCODER.encode(JSON.stringify({ code: status.code, message: status.message, details }));
  }
  const writer = new ProtobufWriter(256);
  if (status.code !== 0) writer.varintField(0x08, status.code);
  if (status.message !== "") writer.stringField(0x12, status.message);
  if (delayMs !== undefined) {
    const any = writer.begin(0x1a);
    writer.stringField(0x0a, RETRY_INFO);
    const info = writer.begin(0x12);
    const delay = writer.begin(0x0a);
    const seconds = Math.floor(delayMs / 1000);
    if (seconds > 0) writer.varintField(0x08, seconds);
    if (delayMs % 1000 > 0) writer.varintField(0x10, (delayMs % 1000) * 1_000_000);
    writer.end(delay);
    writer.end(info);
    writer.end(any);
  }
  return writer.finish();
}
