import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  CLOCKS_MEDIA_TYPE,
  decodeClocks,
  SkeletonDecoder,
  SKELETON_FLAG,
  SKELETON_HAS_EVENTS,
  SKELETON_KIND_SHIFT,
  SKELETON_MEDIA_TYPE,
} from "@callchain/schemas/api/skeleton.ts";
import { SpanDetail, TraceTreeAnswer } from "@callchain/schemas/api/traces.ts";
import { buildTracesJson, encodeTraces } from "@callchain/schemas/otlp/export.ts";
import { SPAN_KINDS, type Span } from "@callchain/schemas/span/span.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { parseSpanId } from "@callchain/schemas/span/ids.ts";
import { readTraceColumns } from "@callchain/query-api/store/trace-columns.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import {
  attributes,
  bool,
  buildSpan,
  double,
  int,
  spanIdOf,
  storeRequests,
  storeSpans,
  text,
  traceIdOf,
} from "../support/store-spans.ts";

const START = 1_700_000_000_000_000_000n;
const at = (micros: number): Span["startNano"] => unixNano(START + BigInt(micros) * 1000n);

const SHOP = buildSpan({ resourceAttributes: { "host.name": text("h1"), replicas: int(3n) } });
const SHOP_RESOURCE = { service: SHOP.service, resource: SHOP.resource };

/** root(0-1000) -> call(100-500) -> [other host, 5 s behind] serve -> query; an orphan; a copy of the call. */
const CALL = buildSpan({
  ...SHOP_RESOURCE,
  spanId: spanIdOf(2),
  parentSpanId: spanIdOf(1),
  name: "call",
  kind: "client",
  startNano: at(100),
  durationNano: 400_000n,
});
const TRACE: readonly Span[] = [
  buildSpan({ ...SHOP_RESOURCE, spanId: spanIdOf(1), name: "root", kind: "server", startNano: at(0), durationNano: 1_000_000n }),
  CALL,
  buildSpan({
    spanId: spanIdOf(3),
    parentSpanId: spanIdOf(2),
    name: "serve",
    kind: "server",
    service: "cart",
    resourceAttributes: { "host.name": text("h2") },
    startNano: at(-4_999_800),
    durationNano: 200_000n,
    status: { code: "error", message: "out of stock" },
    events: [
      { timeNano: at(0), name: "exception", attributes: attributes({ "exception.type": text("E") }), droppedAttributesCount: 1 },
    ],
  }),
  buildSpan({
    spanId: spanIdOf(4),
    parentSpanId: spanIdOf(99),
    name: "orphan",
    startNano: at(700),
    links: [
      {
        traceId: traceIdOf(7),
        spanId: spanIdOf(7),
        traceState: "a=b",
        flags: 1,
        attributes: attributes({ k: int(1n) }),
        droppedAttributesCount: 0,
      },
    ],
  }),
];

/** One resource, one scope, every type of value: what comes back must be what was sent. */
const FULL: readonly Span[] = [1, 2, 3].map((number) =>
  buildSpan({
    ...SHOP_RESOURCE,
    traceId: traceIdOf(2),
    spanId: spanIdOf(number),
    parentSpanId: number === 1 ? null : spanIdOf(1),
    name: `span ${number} 日本 "quoted"`,
    startNano: at(number),
    traceState: "vendor=1",
    flags: 0x101,
    status: { code: "error", message: "no\nluck" },
    attributes: [
      { key: "text", value: text("日本\n\"'\\") },
      { key: "int", value: int(9_007_199_254_740_993n) },
      { key: "double", value: double(0.1) },
      { key: "bool", value: bool(true) },
      { key: "bytes", value: { type: "bytes", value: Uint8Array.of(0, 255) } },
      { key: "list", value: { type: "array", value: [int(1n), text("a")] } },
      { key: "map", value: { type: "map", value: attributes({ a: double(1) }) } },
    ],
    droppedAttributesCount: 2,
    droppedEventsCount: 3,
    droppedLinksCount: 4,
    events: TRACE[2]?.events ?? [],
    links: TRACE[3]?.links ?? [],
  }),
);

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
  await storeSpans(stack.writer, [...TRACE.slice(2), CALL]);
  await storeRequests(stack.writer, [encodeTraces(TRACE.slice(0, 2)), encodeTraces(FULL)]);
});
after(() => stack.stop());

const traceUrl = (id: string, query = ""): string => `${stack.url}/api/v1/traces/${id}${query}`;

describe("GET /traces/{id}?view=tree", () => {
  it("rebuilds the tree and states what is missing", async () => {
    const { status, body } = await stack.ask(`/traces/${traceIdOf(1)}`, { view: "tree" });
    assert.equal(status, 200);
    const answer = TraceTreeAnswer.parse(body);
    assert.deepEqual(
      answer.spans.map(({ name, depth, parentIndex, descendantCount }) => [name, depth, parentIndex, descendantCount]),
      [
        ["root", 0, -1, 2],
        ["call", 1, 0, 1],
        ["serve", 2, 1, 0],
        ["orphan", 0, -1, 0],
      ],
    );
    assert.deepEqual(answer.completeness, {
      complete: false,
      rootCount: 1,
      orphanCount: 1,
      missingParentIds: [spanIdOf(99)],
      missingParentCount: 1,
      cycleCount: 0,
      duplicateCount: 1,
      conflictCount: 0,
      skewedCount: 1,
    });
    const serve = answer.spans[2];
    assert.deepEqual(
      [serve?.status, serve?.statusMessage, serve?.service, serve?.kind],
      ["error", "out of stock", "cart", "server"],
    );
    // Stamped at -4,999,800 us; in the middle of the call (100..500 us, 200 us long) it would start at 200 us.
    assert.equal(serve?.skewNano, 5_000_000_000);
    assert.equal(answer.spans[1]?.selfNano, 200_000);
    assert.equal(answer.errorCount, 1);
    assert.equal(answer.serviceCount, 2);
  });
});

describe("GET /traces/{id}?view=skeleton", () => {
  it("carries the same tree as columns", async () => {
    const tree = TraceTreeAnswer.parse((await stack.ask(`/traces/${traceIdOf(1)}`, { view: "tree" })).body);
    const response = await fetch(traceUrl(traceIdOf(1), "?view=skeleton"));
    assert.equal(response.headers.get("content-type"), SKELETON_MEDIA_TYPE);
    const decoder = new SkeletonDecoder();
    const chunks = decoder.push(await response.bytes());
    assert.equal(decoder.pendingByteCount, 0);
    assert.deepEqual(decoder.start, {
      traceId: traceIdOf(1),
      startNano: tree.startNano,
      durationNano: tree.durationNano,
      spanCount: tree.spanCount,
      errorCount: tree.errorCount,
      completeness: tree.completeness,
      partialReason: null,
    });
    const [chunk] = chunks;
    assert.ok(chunk !== undefined && chunks.length === 1);
    const spans = tree.spans.map((_, row) => ({
      spanId: Buffer.from(chunk.spanId.subarray(8 * row, 8 * row + 8)).toString("hex"),
      startNano: (BigInt(tree.startNano) + BigInt(chunk.start[row] ?? -1)).toString(),
      durationNano: chunk.duration[row],
      parentIndex: chunk.parent[row],
      service: chunk.services[chunk.service[row] ?? -1],
      name: chunk.names[chunk.name[row] ?? -1],
      kind: SPAN_KINDS[((chunk.flags[row] ?? 0) >> SKELETON_KIND_SHIFT) & 7],
      orphan: ((chunk.flags[row] ?? 0) & SKELETON_FLAG.orphan) !== 0,
    }));
    assert.deepEqual(
      spans,
      tree.spans.map(({ spanId, startNano, durationNano, parentIndex, service, name, kind, orphan }) => ({
        spanId,
        startNano,
        durationNano,
        parentIndex,
        service,
        name,
        kind,
        orphan,
      })),
    );
    const flagsOf = (name: string): number => chunk.flags[tree.spans.findIndex((span) => span.name === name)] ?? 0;
    assert.equal(
      flagsOf("serve") & (SKELETON_FLAG.error | SKELETON_FLAG.skewed | SKELETON_HAS_EVENTS),
      SKELETON_FLAG.error | SKELETON_FLAG.skewed | SKELETON_HAS_EVENTS,
    );
    assert.equal(flagsOf("orphan") & SKELETON_FLAG.hasLinks, SKELETON_FLAG.hasLinks);
  });

  it("has its clocks as one column in the same order", async () => {
    const tree = TraceTreeAnswer.parse((await stack.ask(`/traces/${traceIdOf(1)}`, { view: "tree" })).body);
    const response = await fetch(traceUrl(traceIdOf(1), "?view=clocks"));
    assert.equal(response.headers.get("content-type"), CLOCKS_MEDIA_TYPE);
    const clocks = [...decodeClocks(await response.arrayBuffer())];
    assert.deepEqual(
      clocks,
      tree.spans.map(({ skewNano }) => skewNano),
    );
    assert.ok(clocks.some((nano) => nano !== 0));
  });

  it("comes in chunks that grow one dictionary, parents before children", async () => {
    const count = 52_000;
    const id = traceIdOf(3);
    const spans = Array.from({ length: count }, (_, number) =>
      buildSpan({
        ...SHOP_RESOURCE,
        traceId: id,
        spanId: spanIdOf(number + 1),
        parentSpanId: number === 0 ? null : spanIdOf(Math.floor((number - 1) / 3) + 1),
        name: `n${number % 500}`,
        startNano: at(number),
      }),
    );
    await storeSpans(stack.writer, spans);
    const response = await fetch(traceUrl(id, "?view=skeleton"));
    const decoder = new SkeletonDecoder();
    const chunks = decoder.push(await response.bytes());
    assert.equal(decoder.start?.spanCount, count);
    assert.equal(decoder.start?.completeness.complete, true);
    assert.ok(chunks.length > 1);
    assert.equal(new Set(chunks.flatMap(({ names }) => names)).size, 500);
    let before = 0;
    const seen = new Set<string>();
    for (const chunk of chunks) {
      chunk.parent.forEach((parent, row) => assert.ok(parent < before + row));
      for (let row = 0; row < chunk.rowCount; row += 1)
        seen.add(Buffer.from(chunk.spanId.subarray(8 * row, 8 * row + 8)).toString("hex"));
      before += chunk.rowCount;
    }
    assert.equal(before, count);
    assert.equal(seen.size, count);
    const tree = TraceTreeAnswer.parse((await stack.ask(`/traces/${id}`, { view: "tree" })).body);
    assert.equal(tree.spanCount, count);
    assert.equal(tree.scan.partial, true);
    assert.match(tree.scan.partialReason ?? "", /50000 of 52000/);
    const otlp = (await stack.ask(`/traces/${id}`)).body as {
      resourceSpans: { scopeSpans: { spans: { spanId: string }[] }[] }[];
    };
    const ids = otlp.resourceSpans.flatMap(({ scopeSpans }) =>
      scopeSpans.flatMap((scope) => scope.spans.map(({ spanId }) => spanId)),
    );
    assert.equal(new Set(ids).size, count);
  });
});

describe("GET /traces/{id}", () => {
  it("gives back in OTLP JSON what was sent", async () => {
    const { body } = await stack.ask(`/traces/${traceIdOf(2)}`);
    const sorted = (value: unknown): unknown =>
      JSON.parse(JSON.stringify(value), (key, inner: unknown) =>
        // The order of attributes between the types is not kept.
        key === "attributes" && Array.isArray(inner)
          ? inner.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
          : inner,
      );
    assert.deepEqual(sorted(body), sorted(buildTracesJson(FULL)));
  });

  it("gives back in protobuf what decodes to the same, by Accept", async () => {
    const response = await fetch(traceUrl(traceIdOf(2)), { headers: { accept: "application/x-protobuf" } });
    assert.equal(response.headers.get("content-type"), "application/x-protobuf");
    const id = traceIdOf(5);
    const bytes = Buffer.from(await response.bytes());
    // The same spans under another trace id: what was exported can be stored again.
    const moved = Buffer.from(
      bytes
        .toString("latin1")
        .replaceAll(Buffer.from(traceIdOf(2), "hex").toString("latin1"), Buffer.from(id, "hex").toString("latin1")),
      "latin1",
    );
    await storeRequests(stack.writer, [moved]);
    const [first, second] = await Promise.all([stack.ask(`/traces/${traceIdOf(2)}`), stack.ask(`/traces/${id}`)]);
    assert.equal(JSON.stringify(second.body).replaceAll(id, traceIdOf(2)), JSON.stringify(first.body));
  });

  it("of a trace too large to be read whole has the span that is asked for, and those above it", async () => {
    // A chain of ten at the end: the last one's callers are late, too.
    const count = 1_000;
    const id = traceIdOf(9);
    const spans = Array.from({ length: count }, (_, number) =>
      buildSpan({
        ...SHOP_RESOURCE,
        traceId: id,
        spanId: spanIdOf(number + 1),
        parentSpanId: number === 0 ? null : number >= 990 ? spanIdOf(number) : spanIdOf(1),
        startNano: at(number),
      }),
    );
    await storeSpans(stack.writer, spans);
    const asking = { database: stack.reader, signal: new AbortController().signal };
    const idsOf = async (spanId: string | null): Promise<{ ids: string[]; reason: string | null }> => {
      const found = await readTraceColumns(id, asking, {
        spanId: spanId === null ? null : parseSpanId(spanId),
        spanCountMax: 200,
      });
      const bytes = Buffer.from(found?.columns.spanId ?? []);
      const ids = Array.from({ length: bytes.length / 8 }, (_, row) => bytes.subarray(8 * row, 8 * row + 8).toString("hex"));
      return { ids, reason: found?.partialReason ?? null };
    };
    const cut = await idsOf(null);
    assert.equal(cut.ids.length, 200);
    assert.ok(!cut.ids.includes(spanIdOf(1000)));
    const { ids, reason } = await idsOf(spanIdOf(1000));
    for (let number = 990; number <= 1000; number += 1) assert.ok(ids.includes(spanIdOf(number)), `span ${number}`);
    assert.ok(ids.includes(spanIdOf(1)) && ids.length <= 200 && new Set(ids).size === ids.length);
    assert.match(reason ?? "", /more than 200 spans/);
    assert.deepEqual((await idsOf(spanIdOf(5))).ids, cut.ids, "what is there anyway changes nothing");
    assert.deepEqual((await idsOf("ab".repeat(8))).ids, cut.ids);
    const { status } = await stack.ask(`/traces/${id}`, { view: "skeleton", span: "xyz" });
    assert.equal(status, 400);
  });

  it("answers 404 with a problem where nothing is stored", async () => {
    for (const view of ["otlp", "tree", "skeleton", "clocks"]) {
      const { status, body } = await stack.ask(`/traces/${"ab".repeat(16)}`, { view });
      assert.equal(status, 404);
      assert.match(JSON.stringify(body), /no span of trace abab/);
    }
  });
});

describe("GET /traces/{id}/spans/{spanId}", () => {
  it("has everything that was sent", async () => {
    const { body } = await stack.ask(`/traces/${traceIdOf(2)}/spans/${spanIdOf(2)}`);
    const detail = SpanDetail.parse(body);
    assert.deepEqual(
      detail.attributes.find(({ key }) => key === "int"),
      { key: "int", value: { intValue: "9007199254740993" } },
    );
    assert.equal(detail.attributes.length, 7);
    assert.deepEqual(detail.status, { code: "error", message: "no\nluck" });
    assert.deepEqual([detail.droppedAttributesCount, detail.droppedEventsCount, detail.droppedLinksCount], [2, 3, 4]);
    assert.equal(detail.parentSpanId, spanIdOf(1));
    assert.equal(detail.links[0]?.traceId, traceIdOf(7));
    assert.equal(detail.resource.attributes.length, 3);
    assert.equal(detail.scope.name, "test");
  });

  it("answers 404 for another span, 400 for what is no id", async () => {
    assert.equal((await stack.ask(`/traces/${traceIdOf(2)}/spans/${spanIdOf(77)}`)).status, 404);
    assert.equal((await stack.ask(`/traces/${traceIdOf(2)}/spans/zz`)).status, 400);
  });
});
