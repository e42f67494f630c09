/** The analyses of one trace on the real engine: critical path, repeated calls, links both ways. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { TraceCriticalPathAnswer, TraceLinksAnswer, TraceRepeatsAnswer } from "@callchain/schemas/api/analysis.ts";
import type { Span } from "@callchain/schemas/span/span.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { attributes, buildSpan, int, spanIdOf, storeSpans, text, traceIdOf } from "../support/store-spans.ts";

const START = 1_700_000_000_000_000_000n;
const MS = 1_000_000;
const at = (ms: number): Span["startNano"] => unixNano(START + BigInt(ms) * BigInt(MS));
const lasts = (ms: number): bigint => BigInt(ms) * BigInt(MS);

/** A page that asks for 1 list and then 8 items one by one, publishes an order, and has a callee on a host 2 s behind. */
const LIST = traceIdOf(11);
const PRODUCER = { traceId: LIST, spanId: spanIdOf(40) };
const page: readonly Span[] = [
  buildSpan({
    traceId: LIST,
    spanId: spanIdOf(1),
    name: "GET /orders",
    kind: "server",
    startNano: at(0),
    durationNano: lasts(200),
    resourceAttributes: { "host.name": text("h1") },
  }),
  buildSpan({
    traceId: LIST,
    spanId: spanIdOf(2),
    parentSpanId: spanIdOf(1),
    name: "SELECT",
    kind: "client",
    startNano: at(5),
    durationNano: lasts(5),
    attributes: attributes({ "db.query.text": text("SELECT id FROM orders WHERE customer = 7") }),
  }),
  ...Array.from({ length: 8 }, (_, item) =>
    buildSpan({
      traceId: LIST,
      spanId: spanIdOf(10 + item),
      parentSpanId: spanIdOf(1),
      name: "SELECT",
      kind: "client",
      startNano: at(20 + item * 10),
      durationNano: lasts(8),
      attributes: attributes({ "db.statement": text(`SELECT * FROM items WHERE order_id = ${1000 + item * 37}`) }),
    }),
  ),
  buildSpan({
    traceId: LIST,
    spanId: spanIdOf(30),
    parentSpanId: spanIdOf(1),
    name: "price",
    kind: "client",
    startNano: at(110),
    durationNano: lasts(60),
    resourceAttributes: { "host.name": text("h1") },
  }),
  buildSpan({
    traceId: LIST,
    spanId: spanIdOf(31),
    parentSpanId: spanIdOf(30),
    name: "price",
    kind: "server",
    service: "pricing",
    startNano: at(-1880),
    durationNano: lasts(40),
    resourceAttributes: { "host.name": text("h2") },
  }),
  buildSpan({
    ...PRODUCER,
    parentSpanId: spanIdOf(1),
    name: "send orders",
    kind: "producer",
    startNano: at(180),
    durationNano: lasts(2),
  }),
];

const link = (traceId: Span["traceId"], spanId: Span["spanId"]): Span["links"][number] => ({
  traceId,
  spanId,
  traceState: "",
  flags: 1,
  attributes: attributes({ "messaging.kafka.offset": int(17n) }),
  droppedAttributesCount: 0,
});
const BATCH = traceIdOf(12);
const batch: readonly Span[] = [
  buildSpan({
    traceId: BATCH,
    spanId: spanIdOf(1),
    name: "process orders",
    kind: "consumer",
    service: "mail",
    startNano: at(1182),
    links: [link(LIST, PRODUCER.spanId), link(traceIdOf(99), spanIdOf(9))],
  }),
];

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
  await storeSpans(stack.writer, [...page, ...page.slice(0, 1)]);
  await storeSpans(stack.writer, batch);
});
after(() => stack.stop());

describe("GET /traces/{id}/critical-path", () => {
  it("has the segments, and who holds how much, on adjusted clocks", async () => {
    const answer = TraceCriticalPathAnswer.parse((await stack.ask(`/traces/${LIST}/critical-path`)).body);
    assert.equal(answer.rootSpanId, spanIdOf(1));
    assert.equal(answer.pathNano, 200 * MS);
    // 5 + 8 * 8 of queries, 20 of the price's caller (40 of the callee's own within), 2 of the producer; the page itself has the rest.
    assert.deepEqual(
      answer.names.map(({ service, name, kind, pathNano, spanCount }) => [service, name, kind, pathNano / MS, spanCount]),
      [
        ["shop", "GET /orders", "server", 69, 1],
        ["shop", "SELECT", "client", 69, 9],
        ["pricing", "price", "server", 40, 1],
        ["shop", "price", "client", 20, 1],
        ["shop", "send orders", "producer", 2, 1],
      ],
    );
    assert.deepEqual(
      answer.services.map(({ service, pathNano, share }) => [service, pathNano / MS, share]),
      [
        ["shop", 160, 0.8],
        ["pricing", 40, 0.2],
      ],
    );
    assert.equal(
      answer.segments.reduce((sum, { fromNano, toNano }) => sum + toNano - fromNano, 0),
      200 * MS,
    );
    assert.deepEqual(
      answer.clocks.map(({ callerHost, calleeHost, offsetNano, confidence }) => [
        callerHost,
        calleeHost,
        offsetNano / MS,
        confidence,
      ]),
      [["h1", "h2", 2000, "low"]],
    );
    assert.equal(answer.completeness.duplicateCount, 1);
    assert.equal(answer.scan.partial, false);
  });
});

describe("GET /traces/{id}/repeats", () => {
  it("tells the N+1 by its statement without the literals, and what it costs", async () => {
    const { repeats } = TraceRepeatsAnswer.parse((await stack.ask(`/traces/${LIST}/repeats`)).body);
    assert.equal(repeats.length, 1);
    const [repeat] = repeats;
    assert.ok(repeat !== undefined);
    assert.deepEqual(
      [repeat.parentName, repeat.name, repeat.detail, repeat.spanCount, repeat.concurrency, repeat.pattern],
      ["GET /orders", "SELECT", "SELECT * FROM items WHERE order_id = ?", 8, "serial", "repeated"],
    );
    assert.deepEqual([repeat.totalNano / MS, repeat.medianNano / MS, repeat.costNano / MS], [64, 8, 56]);
    assert.deepEqual(
      repeat.spanIds,
      Array.from({ length: 8 }, (_, item) => spanIdOf(10 + item)),
    );
  });
});

describe("GET /traces/{id}/links", () => {
  it("leads from the batch to the order, and says what is not stored", async () => {
    const { links, backlinks } = TraceLinksAnswer.parse((await stack.ask(`/traces/${BATCH}/links`)).body);
    assert.equal(backlinks.length, 0);
    assert.deepEqual(
      links.map(({ source, target, waitNano }) => [source.spanId, target.traceId, target.span?.name ?? null, waitNano]),
      [
        [spanIdOf(1), LIST, "send orders", 1000 * MS],
        [spanIdOf(1), traceIdOf(99), null, null],
      ],
    );
    assert.deepEqual(links[0]?.attributes, [{ key: "messaging.kafka.offset", value: { intValue: "17" } }]);
  });

  it("leads back from the order to the batch, within the time range", async () => {
    const { links, backlinks } = TraceLinksAnswer.parse((await stack.ask(`/traces/${LIST}/links`)).body);
    assert.equal(links.length, 0);
    assert.deepEqual(
      backlinks.map(({ source, target, waitNano }) => [source.traceId, source.span?.service, target.span?.name, waitNano]),
      [[BATCH, "mail", "send orders", 1000 * MS]],
    );
    const before = await stack.ask(`/traces/${LIST}/links`, { to: START + 1_000_000_000n });
    assert.equal(TraceLinksAnswer.parse(before.body).backlinks.length, 0);
  });
});

it("a trace that is not stored has no analyses", async () => {
  for (const analysis of ["critical-path", "repeats", "links"])
    assert.equal((await stack.ask(`/traces/${"ab".repeat(16)}/${analysis}`)).status, 404);
});
