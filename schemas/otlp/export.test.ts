import assert from "node:assert/strict";
import { test } from "node:test";
import { ExportRequest } from "@callchain/tests/bench/otlp-schema.ts";
import { parseSpanId, parseTraceId } from "../span/ids.ts";
import { ANOMALY, type Attribute, type Span } from "../span/span.ts";
import { unixNano } from "../span/time.ts";
import { buildKeyValueJson, buildTracesJson, encodeTraces } from "./export.ts";
import { encodeRequestFromJson } from "./json.ts";
import { scanRequest } from "./scan.ts";

const attributes: Attribute[] = [
  { key: "s", value: { type: "string", value: "é" } },
  { key: "i", value: { type: "int", value: -(2n ** 63n) } },
  { key: "d", value: { type: "double", value: NaN } },
  { key: "b", value: { type: "bool", value: false } },
  { key: "y", value: { type: "bytes", value: new Uint8Array([0, 255]) } },
  { key: "e", value: { type: "empty" } },
  { key: "s", value: { type: "array", value: [{ type: "map", value: [{ key: "", value: { type: "int", value: 0n } }] }] } },
];

function spanOf(changes: Partial<Span> = {}): Span {
  return {
    traceId: parseTraceId("0af7651916cd43dd8448eb211c80319c"),
    spanId: parseSpanId("b7ad6b7169203331"),
    parentSpanId: parseSpanId("00f067aa0ba902b7"),
    name: "GET /",
    kind: "server",
    startNano: unixNano(1_544_712_660_000_000_001n),
    durationNano: 99n,
    status: { code: "error", message: "no" },
    traceState: "a=b",
    flags: 0x101,
    service: "cart",
    resource: { attributes, droppedAttributesCount: 2, schemaUrl: "https://r" },
    scope: { name: "lib", version: "1", attributes, droppedAttributesCount: 3, schemaUrl: "https://s" },
    attributes,
    droppedAttributesCount: 4,
    events: [{ timeNano: unixNano(5n), name: "exception", attributes, droppedAttributesCount: 5 }],
    droppedEventsCount: 6,
    links: [
      {
        traceId: parseTraceId("0af7651916cd43dd8448eb211c80319d"),
        spanId: parseSpanId("b7ad6b7169203332"),
        traceState: "c=d",
        flags: 1,
        attributes,
        droppedAttributesCount: 7,
      },
    ],
    droppedLinksCount: 8,
    anomalies: 0,
    ...changes,
  };
}

function viaJson(spans: readonly Span[]): Uint8Array {
  return encodeRequestFromJson(new TextEncoder().encode(JSON.stringify(buildTracesJson(spans))));
}

test("both encodings say the same of every field", () => {
  const spans = [spanOf(), spanOf({ parentSpanId: null, traceState: "", events: [], links: [], kind: "internal" })];
  const binary = encodeTraces(spans);
  assert.deepEqual(ExportRequest.decode(viaJson(spans)), ExportRequest.decode(binary));
  assert.equal(scanRequest(binary).spanCount, 2);
  const message: unknown = ExportRequest.decode(binary).toJSON();
  assert.match(JSON.stringify(message), /"startTimeUnixNano":"1544712660000000001","endTimeUnixNano":"1544712660000000100"/);
});

test("spans of equal resources and scopes share one group, in order of first appearance", () => {
  const other = { ...spanOf().resource, droppedAttributesCount: 0 };
  const spans = [spanOf({ name: "1" }), spanOf({ name: "2", resource: other }), spanOf({ name: "3" })];
  const names = JSON.stringify(buildTracesJson(spans)).match(/"resource":|"GET|"name":"\d"/g);
  assert.deepEqual(names, ['"resource":', '"name":"1"', '"name":"3"', '"resource":', '"name":"2"']);
});

test("a span that was sent without a start goes out without one", () => {
  const span = spanOf({ anomalies: ANOMALY.startMissing, durationNano: 0n });
  assert.match(JSON.stringify(buildTracesJson([span])), /"startTimeUnixNano":"0","endTimeUnixNano":"1544712660000000001"/);
});

test("attributes become OTLP/JSON KeyValues", () => {
  assert.deepEqual(buildKeyValueJson(attributes), [
    { key: "s", value: { stringValue: "é" } },
    { key: "i", value: { intValue: "-9223372036854775808" } },
    { key: "d", value: { doubleValue: "NaN" } },
    { key: "b", value: { boolValue: false } },
    { key: "y", value: { bytesValue: "AP8=" } },
    { key: "e", value: {} },
    { key: "s", value: { arrayValue: { values: [{ kvlistValue: { values: [{ key: "", value: { intValue: "0" } }] } }] } } },
  ]);
});
