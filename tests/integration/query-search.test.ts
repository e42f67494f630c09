import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { parseQuery } from "@callchain/query-api/search/parse.ts";
import { TraceSearchAnswer, type TraceSummary } from "@callchain/schemas/api/traces.ts";
import { SPAN_KINDS, STATUS_CODES, type AttributeValue, type Span } from "@callchain/schemas/span/span.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import * as fc from "fast-check";
import { spanMatches } from "../support/query-reference.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { attributes, bool, buildSpan, double, int, spanIdOf, storeSpans, text, traceIdOf } from "../support/store-spans.ts";

const FROM = 1_700_000_000_000_000_000n;
const TO = FROM + 1_000_000_000_000n;
const TRACE_COUNT = 30;
const SPANS_PER_TRACE = 6;

/** Keys and values that queries below ask for, some of them awkward. */
const KEYS = ["a", "n", "http.method", "http.request.method", "$odd", 'q"uote', "日本", "a'b\\c"];
const VALUES: readonly AttributeValue[] = [
  text("x"),
  text(""),
  text("x y'z\"\\"),
  text("日本\n語"),
  text("1"),
  text("long ".repeat(30)),
  int(0n),
  int(1n),
  int(2n ** 63n - 1n),
  int(-5n),
  double(0),
  double(1),
  double(2.5),
  bool(true),
  bool(false),
];

const pick = <T>(from: readonly T[], number: number): T => {
  const found = from[number % from.length];
  assert.ok(found !== undefined);
  return found;
};

function pickAttributes(seed: number): Span["attributes"] {
  return attributes(Object.fromEntries([0, 1].map((at) => [pick(KEYS, seed * 3 + at), pick(VALUES, seed * 7 + at * 5)])));
}

const SPANS: readonly Span[] = Array.from({ length: TRACE_COUNT * SPANS_PER_TRACE }, (_, at) => {
  const trace = Math.floor(at / SPANS_PER_TRACE);
  const isRoot = at % SPANS_PER_TRACE === 0;
  return buildSpan({
    traceId: traceIdOf(trace + 1),
    spanId: spanIdOf(at + 1),
    parentSpanId: isRoot ? null : spanIdOf(at),
    name: pick(["GET /a", "GET /b", "query", "日本", "a\nb"], at * 5 + trace),
    service: pick(["shop", "cart", "o'neil"], trace + at),
    resourceAttributes: at % 4 === 0 ? { n: pick(VALUES, at), $odd: text("x") } : {},
    kind: pick(SPAN_KINDS, at),
    status: { code: pick(STATUS_CODES, at * 7), message: at % 9 === 0 ? "x" : "" },
    // Several traces share their newest instant, so that paging has ties to break.
    startNano: unixNano(FROM + BigInt(Math.floor(trace / 3)) * 1_000_000n + BigInt(at % SPANS_PER_TRACE) * 1000n),
    durationNano: BigInt((at % 5) * 100_000),
    attributes: pickAttributes(at),
    events:
      at % 3 === 0
        ? [
            {
              timeNano: unixNano(FROM),
              name: pick(["exception", "x"], at),
              attributes: pickAttributes(at + 1),
              droppedAttributesCount: 0,
            },
          ]
        : [],
  });
});

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
  await storeSpans(stack.writer, SPANS.slice(0, 100));
  await storeSpans(stack.writer, SPANS.slice(90));
});
after(() => stack.stop());

async function search(params: Readonly<Record<string, string | number>>): Promise<TraceSearchAnswer> {
  const { status, body } = await stack.ask("/traces", { from: FROM, to: TO, limit: 200, ...params });
  assert.equal(status, 200, JSON.stringify(body));
  return TraceSearchAnswer.parse(body);
}

function matchingTraces(q: string): Map<string, number> {
  const { expression } = parseQuery(q);
  const counts = new Map<string, number>();
  for (const span of SPANS) if (spanMatches(span, expression)) counts.set(span.traceId, (counts.get(span.traceId) ?? 0) + 1);
  return counts;
}

/** In both orders: each counts matches in its own way. */
async function assertFinds(q: string): Promise<void> {
  for (const sort of ["newest", "slowest"]) {
    const { traces } = await search({ q, sort });
    assert.deepEqual(new Map(traces.map(({ traceId, matchedSpanCount }) => [traceId, matchedSpanCount])), matchingTraces(q), q);
  }
}

const field = fc.oneof(
  fc
    .tuple(fc.constantFrom("span.", "resource.", ".", "event."), fc.constantFrom(...KEYS))
    .map(([scope, key]) => scope + JSON.stringify(key)),
  fc.constantFrom("resource.service.name", "name", "statusMessage", "event:name"),
);
const stringLiteral = fc
  .constantFrom("x", "", "x y'z\"\\", "日本\n語", "1", "GET /a", "cart", "o'neil", "exception", "long ".repeat(30))
  .map((value) => JSON.stringify(value));
const textTerm = fc.tuple(field, fc.constantFrom("=", "!=", ">", "<="), stringLiteral).map((parts) => parts.join(" "));
const regexTerm = fc
  .tuple(field, fc.constantFrom("=~", "!~"), fc.constantFrom("x.*", ".*", "GET /(a|b)", ".*日.*", "[0-9]+", "", "o'neil|cart"))
  .map(([name, comparison, pattern]) => `${name} ${comparison} ${JSON.stringify(pattern)}`);
const attributeField = fc
  .tuple(fc.constantFrom("span.", "resource.", ".", "event."), fc.constantFrom(...KEYS))
  .map(([scope, key]) => scope + JSON.stringify(key));
const numberTerm = fc
  .tuple(
    attributeField,
    fc.constantFrom("=", "!=", ">", "<", ">=", "<="),
    fc.constantFrom("0", "1", "-5", "9223372036854775807", "2.5", "1.0", "-0.5"),
  )
  .map((parts) => parts.join(" "));
const otherTerm = fc.oneof(
  fc.tuple(attributeField, fc.constantFrom("= true", "!= true", "= nil", "!= nil")).map((parts) => parts.join(" ")),
  fc.constantFrom("duration > 250us", "duration = 100us", "status = error", "status != unset", "kind = server", "kind != client"),
);
const { query } = fc.letrec<{ query: string }>((tie) => ({
  query: fc.oneof(
    { maxDepth: 2 },
    fc.oneof(textTerm, regexTerm, numberTerm, otherTerm),
    fc
      .tuple(tie("query"), fc.constantFrom("&&", "||"), tie("query"))
      .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
    tie("query").map((inner) => `!(${inner})`),
  ),
}));

describe("GET /traces", () => {
  it("finds what the query means, whatever the query", async () => {
    await fc.assert(
      fc.asyncProperty(query, (inner) => assertFinds(`{ ${inner} }`)),
      { numRuns: 100 },
    );
  });

  it("combines structured filters with q", async () => {
    const { traces, query: understood } = await search({
      q: "{ kind = server }",
      service: "cart",
      status: "error",
      minDuration: "100us",
    });
    assert.equal(understood, '{ resource.service.name = "cart" && status = error && duration >= 100us && kind = server }');
    assert.deepEqual(new Set(traces.map(({ traceId }) => traceId)), new Set(matchingTraces(understood).keys()));
    const byNumber = await search({ attribute: "n=1" });
    assert.deepEqual(
      new Set(byNumber.traces.map(({ traceId }) => traceId)),
      new Set(matchingTraces('{ .n = 1 || .n = "1" }').keys()),
    );
  });

  it("knows the trace that a span belongs to: root, duration, id", async () => {
    const expected = (test: (root: Span) => boolean): Set<string> =>
      new Set(SPANS.filter((span) => span.parentSpanId === null && test(span)).map(({ traceId }) => traceId));
    const found = async (q: string): Promise<Set<string>> => new Set((await search({ q })).traces.map(({ traceId }) => traceId));
    assert.deepEqual(
      await found('{ rootName = "query" }'),
      expected(({ name }) => name === "query"),
    );
    assert.deepEqual(
      await found('{ rootServiceName != "cart" }'),
      expected(({ service }) => service !== "cart"),
    );
    assert.deepEqual(await found(`{ trace:id = "${traceIdOf(3)}" }`), new Set([traceIdOf(3)]));
    assert.deepEqual(await found(traceIdOf(3)), new Set([traceIdOf(3)]));
    assert.equal((await found("{ traceDuration >= 0s }")).size, TRACE_COUNT);
    assert.equal((await found("{ traceDuration > 1s }")).size, 0);
  });

  it("counts every match of the traces it shows, where it stopped early and where a trace is large", async () => {
    // The newest spans are all of one trace; another has more spans than a page reads.
    const from = TO + 1_000_000_000_000n;
    const spansOf = (trace: number, count: number, stepNano: bigint): Span[] =>
      Array.from({ length: count }, (_, at) =>
        buildSpan({
          traceId: traceIdOf(trace),
          spanId: spanIdOf(trace * 100_000 + at + 1),
          parentSpanId: at === 0 ? null : spanIdOf(trace * 100_000 + 1),
          startNano: unixNano(from + BigInt(at) * stepNano),
          attributes: attributes({ "test.mark": text("many") }),
        }),
      );
    const counts = [30, 40, 20_050];
    const stepsNano = [1_000_000n, 100_000n, 10n];
    for (const [at, count] of counts.entries()) await storeSpans(stack.writer, spansOf(900 + at, count, stepsNano[at] ?? 1n));
    for (const params of [
      { q: '{ span.test.mark = "many" }' },
      { q: '{ name = "work" }' },
      { q: '{ span.test.mark = "many" }', sort: "slowest" },
    ]) {
      const reply = await stack.ask("/traces", { from, to: from + 1_000_000_000n, ...params });
      const { traces } = TraceSearchAnswer.parse(reply.body);
      const byId = traces.toSorted((a, b) => (a.traceId < b.traceId ? -1 : 1));
      assert.deepEqual(
        byId.map(({ spanCount, matchedSpanCount, complete }) => [spanCount, matchedSpanCount, complete]),
        counts.map((count) => [count, count, true]),
      );
      assert.deepEqual(
        byId.map(({ matchedSpans }) => matchedSpans.map(({ spanId }) => spanId)),
        counts.map((_, at) => [1, 2, 3].map((span) => spanIdOf((900 + at) * 100_000 + span))),
      );
    }
    const few = TraceSearchAnswer.parse(
      (await stack.ask("/traces", { from, to: from + 1_000_000_000n, q: '{ span.test.mark = "many" }', limit: 1 })).body,
    );
    assert.deepEqual(
      few.traces.map(({ traceId, matchedSpanCount }) => [traceId, matchedSpanCount]),
      [[traceIdOf(900), 30]],
    );
  });

  it("summarizes the whole trace, copies of a span counted once", async () => {
    const [summary] = (await search({ q: `{ trace:id = "${traceIdOf(16)}" && name != "zzz" }` })).traces;
    const spans = SPANS.filter(({ traceId }) => traceId === traceIdOf(16));
    const root = spans[0];
    assert.ok(summary !== undefined && root !== undefined);
    const end = spans.map(({ startNano, durationNano }) => startNano + durationNano).reduce((a, b) => (a > b ? a : b));
    assert.deepEqual(
      {
        ...summary,
        services: summary.services.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
        matchedSpans: summary.matchedSpans.map(({ spanId }) => spanId),
      },
      {
        traceId: traceIdOf(16),
        rootService: root.service,
        rootName: root.name,
        startNano: root.startNano.toString(),
        durationNano: Number(end - root.startNano),
        spanCount: SPANS_PER_TRACE,
        errorCount: spans.filter(({ status }) => status.code === "error").length,
        services: ["cart", "o'neil", "shop"].map((name) => ({
          name,
          spanCount: spans.filter(({ service }) => service === name).length,
          errorCount: spans.filter(({ service, status }) => service === name && status.code === "error").length,
        })),
        matchedSpanCount: SPANS_PER_TRACE,
        matchedSpans: spans.slice(0, 3).map(({ spanId }) => spanId),
        groups: [],
        complete: true,
      } satisfies Record<keyof TraceSummary, unknown>,
    );
  });

  for (const sort of ["newest", "slowest"] as const) {
    for (const limit of [1, 7]) {
      it(`gives every trace exactly once, ${sort} first, ${limit} a page`, async () => {
        const ids: string[] = [];
        let cursor: string | null = "";
        while (cursor !== null) {
          const page: TraceSearchAnswer = await search({ sort, limit, ...(cursor === "" ? {} : { cursor }) });
          assert.ok(page.traces.length <= limit);
          ids.push(...page.traces.map(({ traceId }) => traceId));
          cursor = page.nextCursor;
        }
        const keyOf = (id: string): bigint =>
          SPANS.filter(({ traceId }) => traceId === id)
            .map(({ startNano, durationNano }) => (sort === "newest" ? startNano : durationNano))
            .reduce((a, b) => (a > b ? a : b));
        const expected = Array.from({ length: TRACE_COUNT }, (_, at) => String(traceIdOf(at + 1))).toSorted((a, b) =>
          keyOf(a) === keyOf(b) ? (a < b ? 1 : -1) : keyOf(a) < keyOf(b) ? 1 : -1,
        );
        assert.deepEqual(ids, expected);
      });
    }
  }

  it("refuses the cursor of another query, and a cursor that is none", async () => {
    const { nextCursor } = await search({ limit: 1 });
    for (const params of [
      { cursor: nextCursor ?? "", q: "{ kind = server }" },
      { cursor: "abc" },
      { cursor: nextCursor ?? "", sort: "slowest" },
    ]) {
      const { status, body } = await stack.ask("/traces", params);
      assert.equal(status, 400);
      assert.match(JSON.stringify(body), /"parameter":"cursor"/);
    }
  });

  it("points at the character of a query that cannot be read", async () => {
    const { status, body } = await stack.ask("/traces", { q: "{ span.a = }" });
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), /at character 12: found .{3,5}, expected a value/);
  });

  it("answers with nothing outside of the time range", async () => {
    const { body } = await stack.ask("/traces", { from: FROM - 10n, to: FROM });
    assert.deepEqual(TraceSearchAnswer.parse(body).traces, []);
  });
});
