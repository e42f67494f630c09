import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { SpanBlock } from "@callchain/schemas/clickhouse/native/block.ts";
import { encodeTraces } from "@callchain/schemas/otlp/export.ts";
import { parseSpanId, parseTraceId } from "@callchain/schemas/span/ids.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { splitRequest } from "./split-request.ts";

function spanOf(number: number, service: string, scope: string, textLength: number): Span {
  const text = (value: string): { type: "string"; value: string } => ({ type: "string", value });
  return {
    traceId: parseTraceId((number + 1).toString(16).padStart(32, "0")),
    spanId: parseSpanId((number + 1).toString(16).padStart(16, "0")),
    parentSpanId: null,
    name: "work",
    kind: "internal",
    startNano: unixNano(1_700_000_000_000_000_000n),
    durationNano: 1n,
    status: { code: "unset", message: "" },
    traceState: "",
    flags: 0,
    service,
    resource: { attributes: [{ key: "service.name", value: text(service) }], droppedAttributesCount: 1, schemaUrl: "r" },
    scope: { name: scope, version: "1", attributes: [], droppedAttributesCount: 0, schemaUrl: "s" },
    attributes: [{ key: "text", value: text("x".repeat(textLength)) }],
    droppedAttributesCount: 0,
    events: [],
    droppedEventsCount: 0,
    links: [],
    droppedLinksCount: 0,
    anomalies: 0,
  };
}

/** What the rows of these requests are, byte for byte. */
function rowsOf(requests: readonly Uint8Array[]): Buffer {
  const block = new SpanBlock();
  for (const value of requests) block.append({ partition: 0, offset: 0n, value });
  return Buffer.concat(block.encode(0));
}

test("the pieces of a split request hold the same spans in their order, and none is larger than asked for", () => {
  const spans = fc.array(fc.tuple(fc.constantFrom("cart", "shop"), fc.constantFrom("a", "b"), fc.nat(150)), { minLength: 1 });
  fc.assert(
    fc.property(spans, fc.integer({ min: 400, max: 3_000 }), (seeds, bytesMax) => {
      const request = encodeTraces(seeds.map(([service, scope, length], number) => spanOf(number, service, scope, length)));
      const pieces = splitRequest(request, bytesMax);
      for (const piece of pieces) assert.ok(piece.length <= bytesMax, `${piece.length} of ${bytesMax}`);
      assert.ok(rowsOf(pieces).equals(rowsOf([request])));
    }),
  );
});

test("a span that does not fit alone is refused with its size", () => {
  const request = encodeTraces([spanOf(1, "cart", "a", 5_000)]);
  assert.throws(() => splitRequest(request, 1_000), {
    name: "Failure",
    code: "too_large",
    message: /a span of \d+ bytes.*1000 bytes/,
  });
});
