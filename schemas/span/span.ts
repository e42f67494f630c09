/**
 * A span as the read side sees it. The write side never builds these: spans go from OTLP bytes to columns in one pass
 * (schemas/clickhouse/native). Field meanings: OpenTelemetry `trace/v1/trace.proto`.
 */
import type { SpanId, TraceId } from "./ids.ts";
import type { UnixNano } from "./time.ts";

/** OTLP SpanKind; the index is the wire value. */
export const SPAN_KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;
export type SpanKind = (typeof SPAN_KINDS)[number];

/** OTLP StatusCode; the index is the wire value. */
export const STATUS_CODES = ["unset", "ok", "error"] as const;
export type StatusCode = (typeof STATUS_CODES)[number];

/** OTLP AnyValue with its exact type. `int` is a 64-bit integer. */
export type AttributeValue =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "int"; readonly value: bigint }
  | { readonly type: "double"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "bytes"; readonly value: Uint8Array }
  | { readonly type: "array"; readonly value: readonly AttributeValue[] }
  | { readonly type: "map"; readonly value: readonly Attribute[] }
  | { readonly type: "empty" };

/** Pairs, never object keys: keys come from outside and may repeat. */
export interface Attribute {
  readonly key: string;
  readonly value: AttributeValue;
}

export interface Resource {
  readonly attributes: readonly Attribute[];
  readonly droppedAttributesCount: number;
  readonly schemaUrl: string;
}

export interface Scope {
  readonly name: string;
  readonly version: string;
  readonly attributes: readonly Attribute[];
  readonly droppedAttributesCount: number;
  readonly schemaUrl: string;
}

export interface SpanEvent {
  readonly timeNano: UnixNano;
  readonly name: string;
  readonly attributes: readonly Attribute[];
  readonly droppedAttributesCount: number;
}

export interface SpanLink {
  readonly traceId: TraceId;
  readonly spanId: SpanId;
  readonly traceState: string;
  readonly flags: number;
  readonly attributes: readonly Attribute[];
  readonly droppedAttributesCount: number;
}

/** What ingest had to mend to store the span: a bit set, kept in the column `anomalies`. */
export const ANOMALY = {
  /** The end lay before the start; the duration is stored as 0. */
  endBeforeStart: 1,
  /** A time beyond 2262-04-11 was stored as that instant. */
  timeClamped: 2,
  /** Bytes that are not UTF-8 were replaced by U+FFFD. */
  textRepaired: 4,
  /** No start time was sent (0): the span is stored at its end, with duration 0. */
  startMissing: 8,
} as const;

export interface Span {
  readonly traceId: TraceId;
  readonly spanId: SpanId;
  readonly parentSpanId: SpanId | null;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startNano: UnixNano;
  readonly durationNano: bigint;
  readonly status: { readonly code: StatusCode; readonly message: string };
  readonly traceState: string;
  readonly flags: number;
  /** `service.name` of the resource, or "unknown_service". */
  readonly service: string;
  readonly resource: Resource;
  readonly scope: Scope;
  readonly attributes: readonly Attribute[];
  readonly droppedAttributesCount: number;
  readonly events: readonly SpanEvent[];
  readonly droppedEventsCount: number;
  readonly links: readonly SpanLink[];
  readonly droppedLinksCount: number;
  readonly anomalies: number;
}
