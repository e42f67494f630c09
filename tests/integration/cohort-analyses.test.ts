/** Analyses over many traces, on the real engine: each must name first what was planted. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CriticalPathAnswer, DiffAnswer, OutliersAnswer, RepeatsAnswer, SkewAnswer } from "@callchain/schemas/api/analysis.ts";
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { CAUSES, MS, buildPlantedTraces, type Cause, type Planted } from "../support/planted-causes.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { insertSpans, traceIdOf, type SpanSeed } from "../support/span-rows.ts";

const TRACE_COUNT = 200;
const START = 1_760_000_000_000_000_000n;
const HOUR = 3_600_000_000_000n;
const seed = Math.floor(Math.random() * 2 ** 31);

/** Each cause has three hours of its own, so that no cohort reaches into another. */
const rangeOf = (cause: Cause): { from: bigint; to: bigint } => {
  const from = START + BigInt(CAUSES.indexOf(cause)) * 3n * HOUR;
  return { from, to: from + HOUR };
};

let stack: QueryStack;
const planted = new Map<Cause, Planted>();
before(async () => {
  stack = await startQueryStack();
  for (const cause of CAUSES) {
    const traces = buildPlantedTraces(cause, seed + CAUSES.indexOf(cause), rangeOf(cause).from, TRACE_COUNT);
    planted.set(cause, traces.planted);
    await insertSpans(stack.writer, traces.seeds);
  }
});
after(() => stack.stop());

/** What each cause makes slow: its own time of the api's span, or the one query. */
const SLOW_SPAN: Readonly<Record<Cause, readonly [service: string, name: string]>> = {
  host: ["api", "GET /items"],
  release: ["api", "GET /items"],
  tenant: ["api", "GET /items"],
  statement: ["api", "SELECT"],
};

for (const cause of CAUSES) {
  describe(`a slow ${cause} (seed ${seed})`, () => {
    it("holds most of the critical path, by span name and by its own field", async () => {
      const range = rangeOf(cause);
      const byName = CriticalPathAnswer.parse((await stack.ask("/critical-path", range)).body);
      assert.deepEqual(byName.sample, {
        traceCount: TRACE_COUNT,
        spanCount: TRACE_COUNT * 17,
        fromNano: range.from.toString(),
        toNano: range.to.toString(),
        whole: true,
      });
      assert.deepEqual([byName.groups[0]?.service, byName.groups[0]?.value], SLOW_SPAN[cause]);
      const total = byName.groups.reduce((sum, { pathNano }) => sum + pathNano, 0);
      assert.ok(Math.abs(total - byName.pathNano) < 1);
      const { field, value } = planted.get(cause) ?? { field: "", value: "" };
      const byField = CriticalPathAnswer.parse((await stack.ask("/critical-path", { ...range, by: field })).body);
      const [first] = byField.groups.filter((group) => group.value !== null);
      assert.equal(first?.value, value);
      assert.equal(first?.exampleTraceIds.length, 3);
    });

    it("is named first among what sets the slow spans apart", async () => {
      const spans = cause === "statement" ? "{ kind = client }" : '{ resource.service.name = "api" && kind = server }';
      const params = { ...rangeOf(cause), q: spans, selection: "{ duration > 300ms }" };
      const { status, body } = await stack.ask("/outliers", params);
      assert.equal(status, 200, JSON.stringify(body));
      const answer = OutliersAnswer.parse(body);
      const { field, value } = planted.get(cause) ?? { field: "", value: "" };
      const [first, second] = answer.fields;
      assert.deepEqual([first?.field, first?.values[0]?.value], [field, value], JSON.stringify(answer.fields.slice(0, 3)));
      assert.ok((first?.score ?? 0) > (second?.score ?? 1));
      assert.deepEqual([first?.values[0]?.condition, answer.leftOut], [`${field} = ${JSON.stringify(value)}`, ["duration"]]);
      assert.equal(first?.values[0]?.selection.share, 1);
      assert.equal(answer.selectionSpanCount + answer.restSpanCount, (cause === "statement" ? 15 : 1) * TRACE_COUNT);
      assert.ok(answer.fields.every(({ field: name }) => name !== "duration"));
      const ids = answer.fields.find(({ field: name }) => name === "span.request.id");
      assert.equal(ids?.score, 0);
      // The condition finds what it says.
      const again = { ...params, q: `{ ${first?.values[0]?.condition} }`, selection: "{ duration > 300ms }" };
      const within = OutliersAnswer.parse((await stack.ask("/outliers", again)).body);
      assert.equal(within.selectionSpanCount, answer.selectionSpanCount);
    });

    it("does not hide which calls are repeated at most cost", async () => {
      const answer = RepeatsAnswer.parse((await stack.ask("/repeats", { ...rangeOf(cause), service: "web" })).body);
      const [first, second, ...others] = answer.repeats;
      assert.equal(others.length, 0);
      assert.deepEqual(
        [first?.parentName, first?.detail, first?.perParent, first?.traceCount, first?.serialShare, first?.pattern],
        ["GET /items", "SELECT * FROM items WHERE id = ?", 8, TRACE_COUNT, 1, "repeated"],
      );
      assert.deepEqual([second?.name, second?.detail, second?.spanCount, second?.serialShare], ["GET", null, 6 * TRACE_COUNT, 0]);
    });
  });
}

describe("GET /outliers", () => {
  it("asks numbers for the bound that parts the sides, and tells durations where the selection does not name them", async () => {
    const range = rangeOf("host");
    const large = { ...range, q: '{ name = "GET /items" }', selection: "{ span.items.size >= 3000 }" };
    const answer = OutliersAnswer.parse((await stack.ask("/outliers", large)).body);
    assert.deepEqual(answer.leftOut, ["span.items.size"]);
    const web = { ...range, q: "{ kind = server }", selection: '{ resource.service.name = "api" }' };
    const [size] = OutliersAnswer.parse((await stack.ask("/outliers", web)).body).fields.filter(({ type }) => type === "number");
    assert.deepEqual([size?.field, size?.selection.share, size?.rest.share], ["span.items.size", 1, 0]);
    const release = rangeOf("release");
    const slow = {
      ...release,
      q: '{ name = "GET /items" }',
      selection: `{ resource.service.version = "${planted.get("release")?.value}" }`,
    };
    const [duration] = OutliersAnswer.parse((await stack.ask("/outliers", slow)).body).fields;
    assert.equal(duration?.field, "duration");
    assert.match(duration?.values[0]?.value ?? "", /^>= \d+ms$/);
    assert.match(duration?.values[0]?.condition ?? "", /^duration >= \d+ms$/);
  });

  it("narrows the selection alone in time, and refuses a range that is none", async () => {
    const { from, to } = rangeOf("host");
    const half = {
      from,
      to,
      q: '{ name = "GET /items" }',
      selection: "{ }",
      selectionTo: from + BigInt(TRACE_COUNT / 2) * 500n * MS,
    };
    const answer = OutliersAnswer.parse((await stack.ask("/outliers", half)).body);
    assert.deepEqual([answer.selectionSpanCount, answer.restSpanCount], [TRACE_COUNT / 2, TRACE_COUNT / 2]);
    assert.equal((await stack.ask("/outliers", { ...half, selectionFrom: half.selectionTo })).status, 400);
    assert.equal((await stack.ask("/outliers", { from, to })).status, 400);
    const nothing = OutliersAnswer.parse((await stack.ask("/outliers", { from, to, selection: '{ name = "nothing" }' })).body);
    assert.deepEqual([nothing.selectionSpanCount, nothing.sample.selectionSpanCount], [0, 0]);
  });
});

describe("GET /outliers of more spans than are looked at", () => {
  it("looks at the newest of a burst that lasted a second of the day", async () => {
    const from = 1_600_000_000_000n * MS;
    const to = from + 86_400_000n * MS;
    const burst = from + 43_200_000n * MS;
    const one = (at: number, startNano: bigint, isError: boolean): SpanSeed => ({
      trace: `burst ${at}`,
      id: `b${at}`,
      service: "burst",
      startNano,
      isError,
      text: { tenant: isError ? "acme" : `t${at % 7}`, host: `h${at % 5}` },
    });
    await insertSpans(stack.writer, [
      ...Array.from({ length: 1_000 }, (_, at) => one(at, from + BigInt(at) * 86_400n * MS, false)),
      ...Array.from({ length: 26_000 }, (_, at) => one(1_000 + at, burst + (BigInt(at) * 1_000n * MS) / 26_000n, at % 2 === 0)),
    ]);
    const params = { from, to, service: "burst", selection: "{ status = error }" };
    const answer = OutliersAnswer.parse((await stack.ask("/outliers", params)).body);
    assert.deepEqual([answer.selectionSpanCount, answer.restSpanCount], [13_000, 14_000]);
    const { sample } = answer;
    assert.ok(sample.selectionSpanCount >= 10_000 && sample.selectionSpanCount < 12_000, JSON.stringify(sample));
    assert.ok(BigInt(sample.fromNano) > burst && BigInt(sample.fromNano) < burst + 1_000n * MS);
    assert.match(answer.scan.partialReason ?? "", /^A sample was looked at: the newest 1\d{4} spans of the selection/);
    const [first] = answer.fields;
    assert.deepEqual([first?.field, first?.values[0]?.value, first?.values[0]?.selection.share], ["span.tenant", "acme", 1]);
  });
});

describe("GET /diff of two queries", () => {
  it("shows per trace what a release makes slower, and where", async () => {
    const { value } = planted.get("release") ?? { value: "" };
    const other = value === "1.0.0" ? "1.1.0" : "1.0.0";
    const sides = { a: `{ resource.service.version = "${other}" }`, b: `{ resource.service.version = "${value}" }` };
    const answer = DiffAnswer.parse((await stack.ask("/diff", { ...rangeOf("release"), ...sides })).body);
    assert.deepEqual([answer.a.kind, answer.a.text, answer.b.text], ["query", sides.a, sides.b]);
    assert.ok(answer.a.sample.traceCount > 10 && answer.b.sample.traceCount > 10);
    const [slowest] = answer.nodes.toSorted((x, y) => y.perTrace.selfNano - x.perTrace.selfNano);
    assert.deepEqual([slowest?.name, slowest?.change, slowest?.depth], ["GET /items", "changed", 1]);
    assert.ok((slowest?.perTrace.selfNano ?? 0) > 200 * Number(MS));
    assert.equal(slowest?.perTrace.spanCount, 0);
    assert.deepEqual([...new Set(answer.nodes.flatMap(({ change }) => (change.startsWith("only") ? [change] : [])))], []);
  });

  it("finds calls that only one side has, and says nothing of a trace beside itself", async () => {
    const range = rangeOf("host");
    const api = DiffAnswer.parse((await stack.ask("/diff", { ...range, a: '{ name = "GET" }', b: "{ duration < 1ns }" })).body);
    assert.deepEqual([...new Set(api.nodes.map(({ change }) => change))], ["onlyA"]);
    assert.equal(api.b.sample.traceCount, 0);
    const id = traceIdOf("h7");
    const same = DiffAnswer.parse((await stack.ask("/diff", { a: id, b: id })).body);
    assert.equal(same.changedCount, 0);
    assert.equal(same.a.sample.spanCount, 17);
    for (const { perTrace } of same.nodes) assert.deepEqual(Object.values(perTrace), [0, 0, 0, 0]);
    assert.equal((await stack.ask("/diff", { a: id, b: "ab".repeat(16) })).status, 404);
    assert.equal((await stack.ask("/diff", { a: id })).status, 400);
  });
});

describe("GET /skew", () => {
  it("finds the clock that is off, and by how much", async () => {
    const from = START + 100n * HOUR;
    const traces = Array.from({ length: 60 }, (_, number) => {
      const startNano = from + BigInt(number) * 1000n * MS;
      const lag = BigInt(number % 20) * MS;
      const call = (host: string, behindNano: bigint, id: string) => [
        {
          trace: `k${number}`,
          id,
          service: "caller",
          kind: "client" as const,
          startNano,
          durationNano: 30n * MS,
          resource: { "host.name": "base" },
        },
        {
          trace: `k${number}`,
          id: `${id}s`,
          parent: id,
          service: host,
          kind: "server" as const,
          startNano: startNano + lag - behindNano,
          durationNano: 10n * MS,
          resource: { "host.name": host },
        },
      ];
      return [...call("right", 0n, "a"), ...call("behind", 7000n * MS, "b")];
    });
    await insertSpans(stack.writer, traces.flat(2));
    const answer = SkewAnswer.parse((await stack.ask("/skew", { from, to: from + HOUR })).body);
    assert.deepEqual(
      answer.pairs.map(({ callerHost, calleeHost, confidence, callCount }) => [callerHost, calleeHost, confidence, callCount]),
      [
        ["base", "behind", "high", 60],
        ["base", "right", "high", 60],
      ],
    );
    const [behind, right] = answer.pairs;
    assert.ok(Math.abs((behind?.offsetNano ?? 0) - Number(7000n * MS)) <= Number(MS), `${behind?.offsetNano}`);
    assert.deepEqual([right?.offsetNano, right?.misfitCount, right?.fitShare], [0, 0, 1]);
  });
});

describe("a cohort", () => {
  it("is the newest traces where there are more than asked for, and says so", async () => {
    const answer = CriticalPathAnswer.parse((await stack.ask("/critical-path", { ...rangeOf("host"), traces: 20 })).body);
    assert.equal(answer.sample.traceCount, 20);
    assert.equal(answer.sample.whole, false);
    assert.match(answer.scan.partialReason ?? "", /newest 20 matching traces/);
    assert.ok(BigInt(answer.sample.fromNano) > rangeOf("host").from);
  });

  it("is chosen by any query that finds traces: relations, pipelines, figures of traces", async () => {
    const range = rangeOf("statement");
    const all = CriticalPathAnswer.parse((await stack.ask("/critical-path", { ...range, q: '{ name = "GET /list" }' })).body);
    const related = '{ name = "GET /list" } >> { kind = client } | count() > 3';
    const again = CriticalPathAnswer.parse((await stack.ask("/critical-path", { ...range, q: related })).body);
    assert.deepEqual([again.query, again.groups, again.sample.whole], [related, all.groups, true]);
    for (const q of ['{ name = "GET /items" } > { duration > 300ms }', "{ duration > 300ms && traceDuration > 2 * .nothing }"]) {
      const { traces } = TraceSearchAnswer.parse((await stack.ask("/traces", { ...range, q, limit: 200 })).body);
      for (const path of ["/critical-path", "/repeats", "/skew"]) {
        const { status, body } = await stack.ask(path, { ...range, q });
        assert.equal(status, 200, JSON.stringify(body));
        assert.match(JSON.stringify(body), new RegExp(`"traceCount":${traces.length},`), `${path} ${q}`);
      }
    }
    const few = CriticalPathAnswer.parse((await stack.ask("/critical-path", { ...range, q: related, traces: 20 })).body);
    assert.deepEqual([few.sample.traceCount, few.sample.spanCount, few.sample.whole], [20, 20 * 17, false]);
    assert.match(few.scan.partialReason ?? "", /newest 20 matching traces/);
    const complete = CriticalPathAnswer.parse((await stack.ask("/critical-path", { ...range, complete: "false" })).body);
    assert.deepEqual([complete.sample.traceCount, complete.query], [0, "{ trace:complete = false }"]);
    const sides = { a: '{ name = "GET /items" } > { duration > 300ms }', b: "{ } | max(duration) < 300ms" };
    const diff = DiffAnswer.parse((await stack.ask("/diff", { ...range, ...sides })).body);
    assert.deepEqual([diff.a.text, diff.b.text], [sides.a, sides.b]);
    assert.equal(diff.a.sample.traceCount + diff.b.sample.traceCount, TRACE_COUNT);
    const [slowest] = diff.nodes.toSorted((x, y) => x.perTrace.selfNano - y.perTrace.selfNano);
    assert.equal(slowest?.name, "SELECT");
  });

  it("of spans as they come takes one spanset, and the refusal says so", async () => {
    const { status, body } = await stack.ask("/tail", { q: "{ } >> { }" });
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), /one spanset \{ \.\.\. \}; relations and pipelines look at whole traces/);
  });

  it("of nothing is empty", async () => {
    const params = { ...rangeOf("host"), service: "nobody" };
    for (const path of ["/critical-path", "/repeats", "/skew"]) {
      const { status, body } = await stack.ask(path, params);
      assert.equal(status, 200, JSON.stringify(body));
      assert.match(JSON.stringify(body), /"traceCount":0/);
    }
  });
});
