/** TraceQL with relations and pipelines on the real engine, against the reference in memory, on random traces and random queries. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { parseSeriesQuery, parseTraceQuery } from "@callchain/query-api/search/parse.ts";
import { Problem } from "@callchain/schemas/api/common.ts";
import { SeriesAnswer } from "@callchain/schemas/api/series.ts";
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import type { AttributeValue, Span } from "@callchain/schemas/span/span.ts";
import * as fc from "fast-check";
import { figureOf, isComplete, rootsOf } from "../support/figures-reference.ts";
import { plainText } from "../support/query-reference.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { FROM, TRACE_COUNT, buildTraces } from "../support/random-traces.ts";
import { traceQuery } from "../support/random-queries.ts";
import { compareSeries, figureSeries } from "../support/series-reference.ts";
import { storeSpans } from "../support/store-spans.ts";
import { findInTraces, type Group } from "../support/traceql-reference.ts";

const TO = FROM + 600_000_000_000n;

const SEED = Number(process.env["CALLCHAIN_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** Half of them the same in every run, so that what is asked for is there. */
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

describe("TraceQL on random traces", () => {
  it("finds what the query means, in both orders, whatever the query", async (t) => {
    t.diagnostic(`seed ${SEED}: ${SPANS.length} spans`);
    await fc.assert(fc.asyncProperty(traceQuery, fc.constantFrom("newest", "slowest"), assertFinds), {
      numRuns: 150,
      seed: SEED,
      interruptAfterTimeLimit: 15_000,
      markInterruptAsFailure: false,
    });
  });

  it("takes -0 for 0, also between a span's own and its trace's numbers", async () => {
    const q = "{ 0 % span:childCount = -duration }";
    assert.ok(expectedOf(q).size > 0);
    await assertFinds(q, "newest");
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
            { field: ".size", value: plainText(span?.attributes.find(({ key }) => key === "size")?.value) },
            { field: "name", value: span?.name ?? "" },
            { field: "span.nothing", value: null },
          ]);
        }
      }
    }
  });

  it("shows any field with select(), those of events, links and whole traces too", async () => {
    const fields: readonly (readonly [string, (span: Span, trace: readonly Span[]) => string | null])[] = [
      ["duration", ({ durationNano }) => String(durationNano)],
      ["span:id", ({ spanId }) => spanId],
      ["span:parentID", ({ parentSpanId }) => parentSpanId],
      ["trace:id", ({ traceId }) => traceId],
      ["event:name", ({ events }) => listText(events.map(({ name }) => JSON.stringify(name)))],
      ["event:timeSinceStart", ({ events, startNano }) => listText(events.map(({ timeNano }) => `"${timeNano - startNano}"`))],
      ["link:spanID", ({ links }) => listText(links.map(({ spanId }) => JSON.stringify(spanId)))],
      [
        "link.limit",
        ({ links }) => listText(links.flatMap(({ attributes: list }) => list.map(({ value }) => canonicalText(value)))),
      ],
    ];
    const ofTraces: typeof fields = [
      ["traceDuration", (span, trace) => String(figureOf(span, trace, "traceDuration"))],
      ["trace:spanCount", (span, trace) => String(figureOf(span, trace, "trace:spanCount"))],
      ["trace:missingParentCount", (span, trace) => String(figureOf(span, trace, "trace:missingParentCount"))],
      ["span:childCount", (span, trace) => String(figureOf(span, trace, "span:childCount"))],
      ["trace:complete", (_, trace) => String(isComplete(trace))],
      ["rootServiceName", (_, trace) => firstRoot(trace)?.service ?? null],
      ["instrumentation:version", ({ scope }) => scope.version],
    ];
    for (const chosen of [fields, ofTraces]) {
      const { traces } = await search(`{ name = "a" } | select(${chosen.map(([name]) => name).join(", ")})`);
      assert.ok(traces.length > 5);
      for (const { traceId, matchedSpans } of traces) {
        const trace = distinct(SPANS.filter((span) => span.traceId === traceId));
        for (const { spanId, attributes: shown } of matchedSpans) {
          const span = trace.find((other) => other.spanId === spanId);
          assert.ok(span !== undefined);
          const expected = chosen.map(([name, textOf]) => ({ field: name, value: textOf(span, trace) }));
          assert.deepEqual(shown, expected, `seed ${SEED}`);
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
    functions.push("avg_over_time(duration * 2 - .size)", "max_over_time(-.limit)", "quantile_over_time(span.size / 2, 0.5)");
    const queries = functions.map(
      (name, at) => `${filters[at % filters.length] ?? ""} | ${name}${grouped[at % grouped.length] ?? ""}`,
    );
    queries.push(
      "{ } | count_over_time() by(name, .size) > 2",
      "{ } | rate() by(name) >= 0.5",
      "{ } | min_over_time(duration) < 3ms",
    );
    for (const q of queries) {
      const answer = await ask(q);
      assert.deepEqual(parseSeriesQuery(answer.query), parseSeriesQuery(q));
      const found = new Map(
        answer.series.map(({ by: labels, quantile, atMost, values }) => [
          `${JSON.stringify(labels.map(({ value }) => value))} ${quantile ?? atMost ?? ""}`,
          values,
        ]),
      );
      const asked = parseSeriesQuery(q);
      assert.ok(asked.kind === "figures");
      const expected = figureSeries(SPANS, asked, FROM, STEP_NANO, 3);
      assert.deepEqual([...found.keys()].toSorted(), [...expected.keys()].toSorted(), `${q}, seed ${SEED}`);
      for (const [key, values] of expected) {
        const isEqual = values.every((value, step) => isClose(found.get(key)?.[step], value));
        assert.ok(isEqual, `${q}, ${key}: ${String(found.get(key))} for ${String(values)}, seed ${SEED}`);
      }
    }
  });

  it("is of spans that relations and pipelines choose, whatever the query", async (t) => {
    let chosen = 0;
    await fc.assert(
      fc.asyncProperty(traceQuery, async (text) => {
        const q = `${text} | sum_over_time(duration) by(name)`;
        const asked = parseSeriesQuery(q);
        assert.ok(asked.kind === "figures");
        const answer = await ask(q);
        assert.deepEqual(parseSeriesQuery(answer.query), asked);
        const found = new Map(
          answer.series.map(({ by, values }) => [`${JSON.stringify(by.map(({ value }) => value))} `, values]),
        );
        const expected = figureSeries(SPANS, asked, FROM, STEP_NANO, 3);
        assert.deepEqual([...found.keys()].toSorted(), [...expected.keys()].toSorted(), `${q}, seed ${SEED}`);
        for (const [key, values] of expected) {
          const isEqual = values.every((value, step) => isClose(found.get(key)?.[step], value));
          assert.ok(isEqual, `${q}, ${key}: ${String(found.get(key))} for ${String(values)}, seed ${SEED}`);
        }
        chosen += expected.size > 0 ? 1 : 0;
      }),
      { seed: SEED, numRuns: 60 },
    );
    t.diagnostic(`${chosen} of 60 queries found spans`);
    assert.ok(chosen > 10);
  });

  it("keeps the highest and the lowest of each step", async () => {
    // Sums of durations hardly tie.
    for (const q of ["topk(2)", "bottomk(1)", "topk(3) > 1ms"].map(
      (last) => `{ } | sum_over_time(duration) by(name, kind) | ${last}`,
    )) {
      const asked = parseSeriesQuery(q);
      assert.ok(asked.kind === "figures");
      const expected = figureSeries(SPANS, asked, FROM, STEP_NANO, 3);
      const { series } = await ask(q);
      const found = new Map(series.map(({ by, values }) => [`${JSON.stringify(by.map(({ value }) => value))} `, values]));
      for (const [step, count] of [0, 1, 2].map((at): [number, number] => [at, q.includes("topk(2)") ? 2 : 0])) {
        const atStep = [...found.values()].flatMap((values) => values[step] ?? []);
        if (count > 0)
          assert.equal(atStep.length, Math.min(count, [...expected.values()].flatMap((values) => values[step] ?? []).length));
      }
      for (const [key, values] of found)
        values.forEach((value, step) =>
          assert.ok(value === null || isClose(value, expected.get(key)?.[step] ?? null), `${q} ${key}`),
        );
      assert.ok(found.size > 0);
    }
  });

  it("compares a selection with the rest, value by value of every attribute", async () => {
    const windowed = `{ status != ok } | compare({ status = error }, 100, ${FROM}, ${FROM + STEP_NANO})`;
    for (const q of [
      "{ } | compare({ status = error }, 100)",
      windowed,
      "{ } | compare({ duration > 3ms && .size != nil }, 100)",
    ]) {
      const asked = parseSeriesQuery(q);
      assert.ok(asked.kind === "compare");
      const answer = await ask(q);
      assert.deepEqual(parseSeriesQuery(answer.query), asked);
      const expected = compareSeries(SPANS, asked, FROM, STEP_NANO, 3);
      const found = new Map(
        answer.series.map(({ by, side, values }) => [`${side ?? ""} ${by[0]?.field ?? ""} ${by[0]?.value ?? "null"}`, values]),
      );
      for (const [key, values] of expected) assert.deepEqual(found.get(key), values, `${q}: ${key}, seed ${SEED}`);
      for (const [key, values] of found) assert.ok(expected.has(key) || values.every((value) => value === 0), `${q}: ${key}`);
    }
    const { series, unit } = await ask("{ } | compare({ status = error }, 1)");
    assert.equal(unit, "spans");
    const names = series.filter(({ by, side }) => by[0]?.field === "name" && side === "selection");
    assert.ok(names.length >= 1 && names.length <= 2, "the most frequent of either side");
    assert.deepEqual(
      series.slice(0, 2).map(({ side }) => side),
      ["selection_total", "baseline_total"],
    );
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

function listText(items: readonly string[]): string | null {
  return items.length === 0 ? null : `[${items.join(",")}]`;
}

function canonicalText(value: AttributeValue): string {
  return value.type === "string" ? JSON.stringify(value.value) : (plainText(value) ?? "");
}

function distinct(spans: readonly Span[]): Span[] {
  return [...new Map(spans.map((span) => [span.spanId, span])).values()];
}

function firstRoot(trace: readonly Span[]): Span | undefined {
  const roots = rootsOf(trace).toSorted((a, b) => Number(a.startNano - b.startNano) || (a.spanId < b.spanId ? -1 : 1));
  return roots[0];
}

function isClose(found: number | null | undefined, expected: number | null): boolean {
  if (found === undefined || found === null || expected === null) return found === expected;
  return Math.abs(found - expected) <= 1e-9 * Math.abs(expected);
}
