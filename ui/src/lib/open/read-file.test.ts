import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { buildTracesJson } from "@callchain/schemas/otlp/export.ts";
import { SkeletonDecoder, type SkeletonChunk } from "@callchain/schemas/api/skeleton.ts";
import type { Attribute, Span } from "@callchain/schemas/span/span.ts";
import { LocalTrace } from "./local-trace.ts";
import { readTraceFile, type ReadFile } from "./read-file.ts";

const encoder = new TextEncoder();
const read = (document: unknown): ReadFile => readTraceFile(encoder.encode(JSON.stringify(document)));
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const valuesOf = (attributes: readonly Attribute[]): [string, unknown][] =>
  attributes.map(({ key, value }) => [key, "value" in value ? value.value : null]);

const OTLP = {
  resourceSpans: [
    {
      resource: { attributes: [{ key: "service.name", value: { stringValue: "cart" } }] },
      scopeSpans: [
        {
          scope: { name: "lib" },
          spans: [
            {
              traceId: TRACE.toUpperCase(),
              spanId: "00f067aa0ba902b7",
              name: "GET /cart",
              kind: 2,
              startTimeUnixNano: "1700000000000000000",
              endTimeUnixNano: "1700000000001500000",
              attributes: [{ key: "big", value: { intValue: "9223372036854775807" } }],
              events: [{ timeUnixNano: "1700000000000000001", name: "exception", attributes: [] }],
              status: { code: 2, message: "broken" },
            },
            { traceId: "abcd-", spanId: "1", name: "bad" },
          ],
        },
      ],
    },
  ],
};

const JAEGER = {
  data: [
    {
      traceID: "8448eb211c80319c",
      spans: [
        {
          traceID: "8448eb211c80319c",
          spanID: "a1",
          operationName: "GET /",
          references: [],
          startTime: 1_700_000_000_000_000,
          duration: 2_500,
          processID: "p1",
          tags: [
            { key: "span.kind", type: "string", value: "server" },
            { key: "http.status_code", type: "int64", value: 200 },
          ],
          logs: [],
        },
        {
          traceID: "8448eb211c80319c",
          spanID: "a2",
          operationName: "SELECT",
          references: [
            { refType: "CHILD_OF", traceID: "8448eb211c80319c", spanID: "a1" },
            { refType: "FOLLOWS_FROM", traceID: "77", spanID: "7" },
          ],
          startTime: 1_700_000_000_001_000,
          duration: 500,
          processID: "p2",
          tags: [
            { key: "error", type: "bool", value: true },
            { key: "ratio", type: "float64", value: 2 },
            { key: "otel.status_description", type: "string", value: "deadlock" },
          ],
          logs: [
            {
              timestamp: 1_700_000_000_001_100,
              fields: [
                { key: "event", type: "string", value: "retry" },
                { key: "count", type: "int64", value: 3 },
              ],
            },
          ],
        },
      ],
      processes: {
        p1: { serviceName: "web", tags: [{ key: "hostname", type: "string", value: "h1" }] },
        p2: { serviceName: "db", tags: [] },
      },
    },
  ],
};

const ZIPKIN = [
  {
    traceId: TRACE,
    id: "b1",
    name: "get",
    kind: "CLIENT",
    timestamp: 1_700_000_000_000_000,
    duration: 900,
    localEndpoint: { serviceName: "web", ipv4: "10.0.0.1" },
    remoteEndpoint: { serviceName: "api", port: 80 },
  },
  {
    traceId: TRACE,
    id: "b1",
    shared: true,
    name: "get",
    kind: "SERVER",
    timestamp: 1_700_000_000_000_100,
    duration: 700,
    localEndpoint: { serviceName: "api" },
    tags: { error: "timeout", "http.path": "/x" },
    annotations: [{ timestamp: 1_700_000_000_000_200, value: "ws" }],
  },
  {
    traceId: TRACE,
    id: "b2",
    parentId: "b1",
    name: "query",
    timestamp: 1_700_000_000_000_300,
    duration: 100,
    localEndpoint: { serviceName: "api" },
  },
];

describe("a file of traces", () => {
  it("in OTLP JSON is read with its types, one document or one per line", () => {
    const one = read(OTLP);
    assert.deepEqual([one.format, one.spans.length, one.rejectedCount], ["otlp", 1, 1]);
    assert.match(one.rejection ?? "", /trace id/);
    const [span] = one.spans;
    assert.deepEqual([span?.traceId, span?.service, span?.kind, span?.durationNano], [TRACE, "cart", "server", 1_500_000n]);
    assert.deepEqual(span?.status, { code: "error", message: "broken" });
    assert.deepEqual(valuesOf(span?.attributes ?? []), [["big", 9_223_372_036_854_775_807n]]);
    const line = JSON.stringify(OTLP);
    assert.equal(readTraceFile(encoder.encode(`${line}\n${line}\n`)).spans.length, 2);
  });

  it("in Jaeger's JSON is read with kinds, errors, parents, links and events", () => {
    const { format, spans } = read(JAEGER);
    assert.equal(format, "jaeger");
    const [root, child] = spans;
    assert.deepEqual(
      [root?.traceId, root?.service, root?.kind, root?.startNano],
      ["00000000000000008448eb211c80319c", "web", "server", 1_700_000_000_000_000_000n],
    );
    assert.deepEqual(valuesOf(root?.attributes ?? []), [["http.status_code", 200n]]);
    assert.deepEqual(valuesOf(root?.resource.attributes ?? []), [
      ["service.name", "web"],
      ["hostname", "h1"],
    ]);
    assert.deepEqual(
      [child?.parentSpanId, child?.status, child?.service],
      ["00000000000000a1", { code: "error", message: "deadlock" }, "db"],
    );
    assert.deepEqual(child?.attributes, [{ key: "ratio", value: { type: "double", value: 2 } }]);
    assert.deepEqual(
      child?.links.map(({ spanId }) => spanId),
      ["0000000000000007"],
    );
    assert.deepEqual(
      child?.events.map(({ name, attributes }) => [name, valuesOf(attributes)]),
      [["retry", [["count", 3n]]]],
    );
  });

  it("in Zipkin's JSON is read with both halves of a shared span, as a list of spans or of traces", async () => {
    for (const document of [ZIPKIN, [ZIPKIN]]) {
      const { format, spans } = read(document);
      assert.equal(format, "zipkin");
      assert.deepEqual(
        spans.map(({ service, kind, status }) => [service, kind, status.code]),
        [
          ["web", "client", "unset"],
          ["api", "server", "error"],
          ["api", "unspecified", "unset"],
        ],
      );
      assert.deepEqual(valuesOf(spans[0]?.attributes ?? []), [
        ["peer.service", "api"],
        ["network.peer.port", 80n],
      ]);
      const decoder = new SkeletonDecoder();
      const chunks: SkeletonChunk[] = [];
      for await (const frame of new LocalTrace(spans).skeleton()) chunks.push(...decoder.push(frame));
      const [chunk] = chunks;
      assert.ok(chunk !== undefined);
      assert.deepEqual(
        [...chunk.parent].map((parent, row) => [
          chunk.services[chunk.service[row] ?? -1],
          chunk.names[chunk.name[row] ?? -1],
          parent,
        ]),
        [
          ["web", "get", -1],
          ["api", "get", 0],
          ["api", "query", 1],
        ],
      );
    }
  });

  it("that is none of them is refused with what was found", () => {
    const refused: readonly (readonly [string, RegExp])[] = [
      ["", /it is empty/],
      ["<html>", /line 1: given "<"/],
      ['{"spans":1,"x":2}', /given an object with "spans", "x"/],
      ["[1,2]", /a list, but not of spans with traceId and id/],
      ["[{]", /not valid JSON/],
      ["[]", /no span in it/],
      ['{"resourceSpans":[]}', /no span in it/],
      ['{"data":[{"traceID":"1"}]}', /given an object with traceID/],
      ['[{"traceId":"x","id":"1"}]', /none of its 1 spans can be read: trace id/],
      [JSON.stringify(OTLP).slice(0, -5), /cut off/],
    ];
    for (const [text, message] of refused) assert.throws(() => readTraceFile(encoder.encode(text)), message, text);
  });

  it("whatever it holds, is read or refused with a reason", () => {
    const wild = fc.oneof(
      fc.json(),
      fc
        .record({ data: fc.array(fc.record({ spans: fc.jsonValue(), processes: fc.jsonValue() })) })
        .map((value) => JSON.stringify(value)),
      fc
        .array(fc.record({ traceId: fc.jsonValue(), id: fc.jsonValue(), timestamp: fc.jsonValue(), tags: fc.jsonValue() }))
        .map((value) => JSON.stringify(value)),
      fc
        .record({ resourceSpans: fc.array(fc.record({ scopeSpans: fc.jsonValue(), resource: fc.jsonValue() })) })
        .map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(wild, (text) => {
        try {
          assert.ok(readTraceFile(encoder.encode(text)).spans.length > 0);
        } catch (error) {
          assert.ok(error instanceof Error && error.name === "InvalidError", String(error));
        }
      }),
    );
  });
});

describe("a trace of a file", () => {
  it("answers as the API does: summary, skeleton, one span, and OTLP that reads the same", async () => {
    const { spans } = read(JAEGER);
    const trace = new LocalTrace(spans);
    const { rootName, rootService, spanCount, errorCount, durationNano, complete } = trace.summary();
    assert.deepEqual(
      { rootName, rootService, spanCount, errorCount, durationNano, complete },
      { rootName: "GET /", rootService: "web", spanCount: 2, errorCount: 1, durationNano: 2_500_000, complete: true },
    );
    const decoder = new SkeletonDecoder();
    const parents: number[] = [];
    for await (const frame of trace.skeleton()) for (const chunk of decoder.push(frame)) parents.push(...chunk.parent);
    assert.deepEqual([decoder.start?.spanCount, parents], [2, [-1, 0]]);
    assert.equal(trace.span("00000000000000a2")?.events.length, 1);
    assert.equal(trace.span("ffffffffffffffff"), null);
    const again: readonly Span[] = read(trace.otlp()).spans;
    assert.deepEqual(buildTracesJson(again), trace.otlp());
  });
});
