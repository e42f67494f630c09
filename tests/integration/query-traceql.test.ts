/** TraceQL with relations and pipelines on the real engine, against the reference in memory, on random traces and random queries. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { parseSeriesQuery, parseTraceQuery } from "@callchain/query-api/search/parse.ts";
import { Problem } from "@callchain/schemas/api/common.ts";
import { SeriesAnswer } from "@callchain/schemas/api/series.ts";
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { SPAN_KINDS, STATUS_CODES, type Span } from "@callchain/schemas/span/span.ts";
import { unixNano } from "@callchain/schemas/span/time.ts";
import * as fc from "fast-check";
import { plainText } from "../support/query-reference.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { attributes, buildSpan, double, int, spanIdOf, storeSpans, text, traceIdOf } from "../support/store-spans.ts";
import { figureSeries } from "../support/series-reference.ts";
import { findInTraces, type Group } from "../support/traceql-reference.ts";

const FROM = 1_700_000_000_000_000_000n;
const TO = FROM + 600_000_000_000n;
/** Half of them the same in every run, so that what is asked for is there. */
const TRACE_COUNT = 60;

/** One span of a random trace: what it is, and which other span it names as its parent. */
const spanPlan = fc.record({
  parent: fc.nat({ max: 9 }),
  /** A root, a child of a span that is not there, a child of any other (cycles too), or of an earlier one. */
  place: fc.constantFrom("root", "orphan", "any", "earlier", "earlier", "earlier", "earlier"),
  name: fc.constantFrom("a", "b", "c"),
  service: fc.constantFrom("shop", "cart"),
  status: fc.constantFrom(...STATUS_CODES),
  kind: fc.constantFrom(...SPAN_KINDS),
  size: fc.option(
    fc.oneof(
      fc.integer({ min: -3, max: 9 }).map((value) => int(BigInt(value))),
      fc.constantFrom(double(0.5), double(4), text("x")),
    ),
  ),
  startMs: fc.nat({ max: 50 }),
  durationMs: fc.nat({ max: 9 }),
  isCopied: fc.constantFrom(false, false, false, true),
});

function buildTraces(seed: number, from: number): Span[] {
  const plans = fc.sample(fc.array(spanPlan, { minLength: 1, maxLength: 9 }), { seed, numRuns: TRACE_COUNT / 2 });
  return plans.flatMap((plan, number) =>
    plan.flatMap((given, at) => {
      const trace = from + number;
      const idOf = (number: number): Span["spanId"] => spanIdOf(trace * 100 + number + 1);
      const parents: Readonly<Record<typeof given.place, Span["spanId"] | null>> = {
        root: null,
        orphan: idOf(90 + (given.parent % 2)),
        any: idOf(given.parent % plan.length),
        earlier: at === 0 ? null : idOf(given.parent % at),
      };
      const span = buildSpan({
        traceId: traceIdOf(trace + 1),
        spanId: idOf(at),
        parentSpanId: parents[given.place],
        name: given.name,
        service: given.service,
        kind: given.kind,
        status: { code: given.status, message: "" },
        startNano: unixNano(FROM + BigInt(trace * 20 + given.startMs) * 1_000_000n),
        durationNano: BigInt(given.durationMs) * 1_000_000n,
        attributes: given.size === null ? [] : attributes({ size: given.size }),
      });
      return given.isCopied ? [span, span] : [span];
    }),
  );
}

const SEED = Number(process.env["CALLCHAIN_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const SPANS = [...buildTraces(7, 0), ...buildTraces(SEED, TRACE_COUNT / 2)];

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
  await storeSpans(stack.writer, SPANS.slice(0, 100));
  await storeSpans(stack.writer, SPANS.slice(100));
});
after(() => stack.stop());

async function search(q: string, params: Readonly<Record<string, string | number | bigint>> = {}): Promise<TraceSearchAnswer> {
  const { status, body } = await stack.ask("/traces", { q, from: FROM, to: TO, limit: 200, ...params });
  assert.equal(status, 200, `${q}: ${JSON.stringify(body)}`);
  return TraceSearchAnswer.parse(body);
}

interface Found {
  readonly traceId: string;
  readonly count: number;
  readonly groups: readonly string[];
}

function expectedOf(q: string): Map<string, Group[]> {
  return findInTraces(SPANS, parseTraceQuery(q));
}

function sortFound(found: readonly Found[]): Found[] {
  return found.toSorted((a, b) => (a.traceId < b.traceId ? -1 : 1));
}

async function assertFinds(q: string, sort: string): Promise<void> {
  const { traces, query } = await search(q, { sort });
  const expected = [...expectedOf(q)].map(([traceId, groups]) => ({
    traceId,
    count: new Set(groups.flatMap(({ spans }) => spans)).size,
    groups: groups.flatMap(({ by, spans }) => (by.length > 0 ? [JSON.stringify([by, spans.length])] : [])).toSorted(),
  }));
  const found = traces.map(({ traceId, matchedSpanCount, groups }) => ({
    traceId,
    count: matchedSpanCount,
    groups: groups.map(({ by, matchedSpanCount: count }) => JSON.stringify([by.map(({ value }) => value), count])).toSorted(),
  }));
  assert.deepEqual(sortFound(found), sortFound(expected), `${q} (${sort}), seed ${SEED}`);
  assert.deepEqual(parseTraceQuery(query), parseTraceQuery(q), query);
}

const condition = fc.constantFrom(
  "",
  'name = "a"',
  'name != "b"',
  'resource.service.name = "cart"',
  "status = error",
  "kind = server",
  "duration > 4ms",
  ".size > 2",
  "span.size != nil",
  'name = "c" && status != error',
  "span:parentID = nil",
  "trace:complete",
  "trace:complete != true",
  "trace:spanCount > 4",
  "trace:serviceCount = 1 && trace:errorCount >= 1",
  "trace:rootCount = 0 || trace:missingParentCount > 0",
  "traceDuration >= 30ms",
  'rootName = "a"',
);
const filter = condition.map((inner) => `{ ${inner} }`);
const sign = fc.constantFrom(...[">", ">>", "<", "<<", "~"].flatMap((base) => [base, `!${base}`, `&${base}`]));
const stage = fc.oneof(
  filter,
  fc.constantFrom(
    "count() > 1",
    "count() = 1",
    "count() != 2",
    "max(duration) > 5ms",
    "min(duration) <= 1ms",
    "avg(duration) >= 4ms",
  ),
  fc.constantFrom("sum(duration) < 10ms", "sum(.size) > 3", "avg(span.size) < 2.5", "max(.size) = 4", "min(.size) >= -1"),
  fc.constantFrom("by(resource.service.name)", "by(name, status)", "by(.size)", "select(.size, name)", "by(kind) | coalesce()"),
);
const { spanset } = fc.letrec<{ spanset: string }>((tie) => ({
  spanset: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    filter,
    fc.tuple(tie("spanset"), sign, tie("spanset")).map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
    fc.tuple(filter, sign, filter).map((parts) => parts.join(" ")),
    fc
      .tuple(tie("spanset"), fc.constantFrom("&&", "||"), tie("spanset"))
      .map(([left, operator, right]) => `(${left}) ${operator} (${right})`),
    fc
      .tuple(tie("spanset"), fc.constantFrom("count() > 1", 'name = "a"'))
      .map(([inner, last]) => `(${inner} | ${last.includes("count") ? last : `{ ${last} }`})`),
  ),
}));
const query = fc.tuple(spanset, fc.array(stage, { maxLength: 3 })).map(([spans, stages]) => [spans, ...stages].join(" | "));

describe("TraceQL on random traces", () => {
  it("finds what the query means, in both orders, whatever the query", async (t) => {
    t.diagnostic(`seed ${SEED}: ${SPANS.length} spans`);
    await fc.assert(fc.asyncProperty(query, fc.constantFrom("newest", "slowest"), assertFinds), {
      numRuns: 150,
      seed: SEED,
      interruptAfterTimeLimit: 15_000,
      markInterruptAsFailure: false,
    });
  });

  for (const sort of ["newest", "slowest"] as const) {
    it(`gives every trace exactly once, ${sort} first, page by page`, async () => {
      const q = "{ } > { status != error }";
      const keyOf = (groups: readonly Group[]): bigint =>
        groups
          .flatMap(({ spans }) => spans.map(({ startNano, durationNano }) => (sort === "newest" ? startNano : durationNano)))
          .reduce((most, key) => (key > most ? key : most), 0n);
      const expected = [...expectedOf(q)]
        .map(([id, groups]) => ({ id, key: keyOf(groups) }))
        .toSorted((a, b) => (a.key === b.key ? (a.id < b.id ? 1 : -1) : a.key < b.key ? 1 : -1));
      assert.ok(expected.length > 10);
      const ids: string[] = [];
      for (let cursor: string | null = ""; cursor !== null;) {
        const page: TraceSearchAnswer = await search(q, { sort, limit: 9, ...(cursor === "" ? {} : { cursor }) });
        assert.ok(page.traces.length <= 9);
        ids.push(...page.traces.map(({ traceId }) => traceId));
        cursor = page.nextCursor;
      }
      assert.deepEqual(
        ids,
        expected.map(({ id }) => id),
        `seed ${SEED}`,
      );
    });
  }

  it("goes through a long time range in windows and finds each trace once", async () => {
    const q = "{ } >> { status != error }";
    const { traces } = await search(q, { from: FROM - 86_400_000_000_000n, to: TO + 3_600_000_000_000n });
    assert.deepEqual(traces.map(({ traceId }) => traceId).toSorted(), [...expectedOf(q).keys()].toSorted());
  });

  it("shows what select() and by() ask for", async () => {
    const q = "{ .size != nil } | by(resource.service.name) | select(.size, name, span.nothing)";
    const { traces } = await search(q);
    const spans = new Map(SPANS.map((span) => [`${span.traceId} ${span.spanId}`, span]));
    assert.ok(traces.length > 5);
    for (const trace of traces) {
      assert.ok(trace.groups.length > 0);
      for (const group of trace.groups) {
        const [service] = group.by;
        assert.equal(service?.field, "resource.service.name");
        for (const shown of group.matchedSpans) {
          const span = spans.get(`${trace.traceId} ${shown.spanId}`);
          assert.equal(span?.service, service.value);
          assert.deepEqual(shown.attributes, [
            { field: ".size", value: plainText(span?.attributes[0]?.value) },
            { field: "name", value: span?.name ?? "" },
            { field: "span.nothing", value: null },
          ]);
        }
      }
    }
  });

  it("holds whole traces to the structured filters", async () => {
    const cases: readonly (readonly [Readonly<Record<string, string | number>>, string])[] = [
      [{ minTraceDuration: "30ms", maxTraceDuration: "45ms" }, "{ traceDuration >= 30ms && traceDuration <= 45ms }"],
      [{ minSpans: 3, maxSpans: 6 }, "{ trace:spanCount >= 3 && trace:spanCount <= 6 }"],
      [{ minServices: 2, maxServices: 2 }, "{ trace:serviceCount >= 2 && trace:serviceCount <= 2 }"],
      [{ minErrors: 1, maxErrors: 2 }, "{ trace:errorCount >= 1 && trace:errorCount <= 2 }"],
      [{ complete: "true" }, "{ trace:complete = true }"],
      [{ complete: "false", maxErrors: 0 }, "{ trace:errorCount <= 0 && trace:complete = false }"],
      [{ missing: "root" }, "{ trace:rootCount = 0 }"],
      [{ missing: "parent", service: "cart" }, '{ resource.service.name = "cart" && trace:missingParentCount > 0 }'],
    ];
    for (const [params, understood] of cases) {
      const { traces, query } = await search("", params);
      assert.equal(query, understood);
      const expected = [...expectedOf(understood).keys()].toSorted();
      assert.ok(expected.length > 0 && expected.length < TRACE_COUNT, `${understood}: ${expected.length}, seed ${SEED}`);
      assert.deepEqual(traces.map(({ traceId }) => traceId).toSorted(), expected, `${understood}, seed ${SEED}`);
    }
  });

  it("is joined with the structured filters, and says where it cannot be read", async () => {
    const { query: understood, traces } = await search('{ name = "a" } >> { }', { service: "cart" });
    assert.equal(understood, '{ name = "a" } >> { } | { resource.service.name = "cart" }');
    assert.equal(traces.length, expectedOf(understood).size);
    const { status, body } = await stack.ask("/traces", { q: "{ } >> { } | cuont() > 1" });
    assert.equal(status, 400);
    assert.deepEqual(
      Problem.parse(body).errors?.map(({ parameter, position }) => [parameter, position]),
      [["q", 13]],
    );
  });
});

describe("TraceQL over time", () => {
  const STEP_NANO = 400_000_000n;
  const range = { from: FROM, to: FROM + 3n * STEP_NANO, step: "400ms" };
  const ask = async (q: string, params = {}): Promise<SeriesAnswer> => {
    const { status, body } = await stack.ask("/series", { q, ...range, groups: 100, ...params });
    assert.equal(status, 200, `${q}: ${JSON.stringify(body)}`);
    return SeriesAnswer.parse(body);
  };

  it("gives the figures of the spans themselves, for every function and group", async () => {
    const grouped = ["", " by(resource.service.name)", " by(name, .size)"];
    const functions = ["rate()", "count_over_time()", "histogram_over_time(duration)", "histogram_over_time(.size)"].concat(
      ["min", "max", "sum", "avg"].flatMap((name) => [`${name}_over_time(duration)`, `${name}_over_time(.size)`]),
      ["quantile_over_time(duration, 0, .5, 0.99)", "quantile_over_time(span.size, 0.9)"],
    );
    const filters = ["{ }", '{ status != error } | { name != "c" }'];
    for (const [at, name] of functions.entries()) {
      const q = `${filters[at % filters.length] ?? ""} | ${name}${grouped[at % grouped.length] ?? ""}`;
      const answer = await ask(q);
      assert.deepEqual(parseSeriesQuery(answer.query), parseSeriesQuery(q));
      const found = new Map(
        answer.series.map(({ by: labels, quantile, atMost, values }) => [
          `${JSON.stringify(labels.map(({ value }) => value))} ${quantile ?? atMost ?? ""}`,
          values,
        ]),
      );
      const expected = figureSeries(SPANS, parseSeriesQuery(q), FROM, STEP_NANO, 3);
      assert.deepEqual([...found.keys()].toSorted(), [...expected.keys()].toSorted(), `${q}, seed ${SEED}`);
      for (const [key, values] of expected) {
        const isEqual = values.every((value, step) => isClose(found.get(key)?.[step], value));
        assert.ok(isEqual, `${q}, ${key}: ${String(found.get(key))} for ${String(values)}, seed ${SEED}`);
      }
    }
  });

  it("counts nothing as 0, says when groups are left out, and takes the structured filters", async () => {
    const nothing = await ask('{ name = "nobody" } | rate()');
    assert.deepEqual(
      nothing.series.map(({ values }) => values),
      [[0, 0, 0]],
    );
    assert.deepEqual((await ask('{ name = "nobody" } | rate() by(name)')).series, []);
    const cut = await ask("{ } | rate() by(name)", { groups: 2 });
    assert.equal(cut.series.length, 2);
    assert.match(cut.scan.partialReason ?? "", /2 largest groups/);
    const { query: understood, unit } = await ask("", { service: "cart" });
    assert.equal(understood, '{ resource.service.name = "cart" } | count_over_time()');
    assert.equal(unit, "spans");
  });
});

function isClose(found: number | null | undefined, expected: number | null): boolean {
  if (found === undefined || found === null || expected === null) return found === expected;
  return Math.abs(found - expected) <= 1e-9 * Math.abs(expected);
}
