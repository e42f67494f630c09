/**
 * Trace and span ids as the REST API and the read side carry them: lower-case hex. The hot path never makes these; it copies
 * the 16 and 8 raw bytes (OTLP trace.proto: `trace_id` 16 bytes, `span_id` 8 bytes, all zero is invalid).
 */
import { InvalidError } from "./errors.ts";

export type TraceId = string & { readonly __brand: "TraceId" };
export type SpanId = string & { readonly __brand: "SpanId" };

const TRACE_ID = /^[0-9a-f]{32}$/;
const SHORT_TRACE_ID = /^[0-9a-f]{16}$/;
const SPAN_ID = /^[0-9a-f]{16}$/;
const ALL_ZERO = /^0+$/;

/** Hex in either case; a 64-bit id is padded to 128 bits. Throws InvalidError naming the value. */
export function parseTraceId(text: string): TraceId {
  const lower = text.toLowerCase();
  const id = SHORT_TRACE_ID.test(lower) ? lower.padStart(32, "0") : lower;
  if (!TRACE_ID.test(id) || ALL_ZERO.test(id)) {
    throw new InvalidError(`trace id ${JSON.stringify(text)}: expected 32 hex digits (or 16), not all zero`);
  }
  // Checked by the expression above.
  return id as TraceId;
}

/** Hex in either case. Throws InvalidError naming the value. */
export function parseSpanId(text: string): SpanId {
  const id = text.toLowerCase();
  if (!SPAN_ID.test(id) || ALL_ZERO.test(id)) {
    throw new InvalidError(`span id ${JSON.stringify(text)}: expected 16 hex digits, not all zero`);
  }
  // Checked by the expression above.
  return id as SpanId;
}
