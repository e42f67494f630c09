/** Spans into the real engine on the way the writer takes: OTLP protobuf, transcoded to a Native block. */
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";
import { SPAN_COLUMNS } from "@callchain/schemas/clickhouse/spans-table.ts";
import { encodeTraces } from "@callchain/schemas/otlp/export.ts";
import { parseSpanId, parseTraceId } from "@callchain/schemas/span/ids.ts";
import type { Attribute, AttributeValue, Span } from "@callchain/schemas/span/span.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";

const INSERT = `INSERT INTO spans (${SPAN_COLUMNS.map(([name]) => name).join(", ")}) FORMAT Native`;

/** One block, one part. Resolves with the offset after the last one. */
export async function storeRequests(writer: SpanDatabase, requests: Iterable<Uint8Array>, fromOffset = 0n): Promise<bigint> {
  const block = new SpanBlock();
  let offset = fromOffset;
  for (const value of requests) {
    block.append({ partition: 0, offset, value });
    offset += 1n;
  }
  await writer.insert(INSERT, block.encode(20_000));
  return offset;
}

/** As one request. */
export function storeSpans(writer: SpanDatabase, spans: readonly Span[], fromOffset = 0n): Promise<bigint> {
  return storeRequests(writer, [encodeTraces(spans)], fromOffset);
}

export function traceIdOf(number: number): Span["traceId"] {
  return parseTraceId(number.toString(16).padStart(32, "0"));
}

export function spanIdOf(number: number): Span["spanId"] {
  return parseSpanId(number.toString(16).padStart(16, "0"));
}

export const text = (value: string): AttributeValue => ({ type: "string", value });
export const int = (value: bigint): AttributeValue => ({ type: "int", value });
export const double = (value: number): AttributeValue => ({ type: "double", value });
export const bool = (value: boolean): AttributeValue => ({ type: "bool", value });

export function attributes(values: Readonly<Record<string, AttributeValue>>): Attribute[] {
  return Object.entries(values).map(([key, value]) => ({ key, value }));
}

/** A span with defaults: one internal call of 1 ms of the service "shop". */
export function buildSpan(
  rest: Partial<Span> & { readonly resourceAttributes?: Readonly<Record<string, AttributeValue>> },
): Span {
  const { resourceAttributes, ...given } = rest;
  const service = given.service ?? "shop";
  return {
    traceId: traceIdOf(1),
    spanId: spanIdOf(1),
    parentSpanId: null,
    name: "work",
    kind: "internal",
    startNano: unixNano(1_700_000_000_000_000_000n),
    durationNano: 1_000_000n,
    status: { code: "unset", message: "" },
    traceState: "",
    flags: 0,
    service,
    resource: {
      attributes: attributes({ "service.name": text(service), ...resourceAttributes }),
      droppedAttributesCount: 0,
      schemaUrl: "",
    },
    scope: { name: "test", version: "1.0", attributes: [], droppedAttributesCount: 0, schemaUrl: "" },
    attributes: [],
    droppedAttributesCount: 0,
    events: [],
    droppedEventsCount: 0,
    links: [],
    droppedLinksCount: 0,
    anomalies: 0,
    ...given,
  };
}
