import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { NO_RECEIVERS } from "@callchain/query-api/routes/ingest.ts";
import { ExemplarsAnswer, HeatmapAnswer } from "@callchain/schemas/api/aggregates.ts";
import {
  AttributeValuesAnswer,
  AttributesAnswer,
  DependenciesAnswer,
  IngestAnswer,
  LatencyAnswer,
  ServiceAnswer,
  ServicesAnswer,
} from "@callchain/schemas/api/catalog.ts";
import { Problem } from "@callchain/schemas/api/common.ts";
import * as fc from "fast-check";
import { FROM, HOSTILE, RANGE, SECOND, SPANS, assertFigures, figuresOf } from "../support/aggregates-fixture.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { insertSpans, spanIdOf, traceIdOf } from "../support/span-rows.ts";

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack(() => ({ ...NO_RECEIVERS, acceptedSpanCount: 7, otlpHttpUrl: "http://127.0.0.1:4318" }));
  await assertEmpty();
  await insertSpans(stack.writer, SPANS);
});
after(() => stack.stop());

async function assertEmpty(): Promise<void> {
  const services = ServicesAnswer.parse((await stack.ask("/services")).body);
  assert.deepEqual(services.services, []);
  const latency = LatencyAnswer.parse((await stack.ask("/latency", { by: "tier" })).body);
  assert.deepEqual(latency.groups, []);
  const graph = DependenciesAnswer.parse((await stack.ask("/dependencies")).body);
  assert.deepEqual([graph.nodes, graph.edges], [[], []]);
  assert.deepEqual(AttributesAnswer.parse((await stack.ask("/attributes")).body).attributes, []);
  assert.deepEqual(AttributeValuesAnswer.parse((await stack.ask("/attributes/tier/values")).body).values, []);
  assert.equal((await stack.ask("/services/shop")).status, 404);
}

describe("GET /services", () => {
  it("counts calls, errors and percentiles of entry spans beside the range before", async () => {
    const answer = ServicesAnswer.parse((await stack.ask("/services", RANGE)).body);
    const shop = answer.services.find((service) => service.name === "shop");
    assert.ok(shop !== undefined);
    const { current, ...rest } = shop;
    assertFigures(figuresOf(current), 10, 2, [6, 10, 10]);
    assert.deepEqual(rest, {
      name: "shop",
      spanCount: 11,
      previous: { callCount: 3, errorCount: 1, p50Nano: 20_000_000, p95Nano: 20_000_000, p99Nano: 20_000_000 },
      // One call every other second from the first on, steps of one second.
      sparkline: Array.from({ length: 60 }, (_, second) => (second < 20 && second % 2 === 0 ? 1 : 0)),
      lastSeenNano: (FROM + 18n * SECOND).toString(),
    });
    assert.equal(answer.sparklineStepSeconds, 1);
    assert.equal(answer.scan.partial, false);
  });

  it("counts a root of any kind as a call and its internal children not", async () => {
    const answer = ServicesAnswer.parse((await stack.ask("/services", RANGE)).body);
    const job = answer.services.find((service) => service.name === "job");
    assert.equal(job?.spanCount, 2);
    assert.equal(job?.current.callCount, 1);
    assert.equal(job?.current.p99Nano, 7_000_000_000);
    assert.equal(job?.previous, null);
    assert.equal(job?.sparkline.at(-1), 1);
  });

  it("lists a service that fell silent, with nothing now and its calls before", async () => {
    const answer = ServicesAnswer.parse((await stack.ask("/services", RANGE)).body);
    const silent = answer.services.find((service) => service.name === "silent");
    assert.deepEqual(silent?.current, { callCount: 0, errorCount: 0, p50Nano: null, p95Nano: null, p99Nano: null });
    assert.equal(silent?.previous?.callCount, 1);
    assert.equal(silent?.lastSeenNano, (FROM - 1n).toString());
  });

  it("answers a range without spans, one nanosecond long, and one as long as time itself", async () => {
    const none = ServicesAnswer.parse(
      (await stack.ask("/services", { from: "2020-01-01T00:00:00Z", to: "2020-01-02T00:00:00Z" })).body,
    );
    assert.deepEqual(none.services, []);
    const instant = ServicesAnswer.parse((await stack.ask("/services", { from: FROM, to: FROM + 1n })).body);
    assert.equal(instant.services.find((service) => service.name === "shop")?.spanCount, 2);
    const all = ServicesAnswer.parse((await stack.ask("/services", { from: "0", to: (2n ** 63n - 1n).toString() })).body);
    assert.equal(all.services.find((service) => service.name === "shop")?.spanCount, 15);
  });
});

describe("GET /services/{name}", () => {
  it("breaks a service down by span name, version and instance", async () => {
    const answer = ServiceAnswer.parse((await stack.ask("/services/shop", RANGE)).body);
    assert.equal(answer.current.callCount, 10);
    assert.equal(answer.previous?.callCount, 3);
    assert.deepEqual(
      answer.spanNames.map(({ name, kind, spanCount, errorCount }) => [name, kind, spanCount, errorCount]),
      [
        ["GET /a", "server", 5, 0],
        ["GET /b", "server", 5, 2],
        ["call", "client", 1, 0],
      ],
    );
    const [a, b, call] = answer.spanNames;
    for (const [found, expectedMs] of [
      [a, 3],
      [b, 8],
      [call, 1],
    ] as const)
      assert.ok(found !== undefined && Math.abs(found.p50Nano / 1e6 / expectedMs - 1) <= 1 / 64);
    assert.deepEqual(answer.versions, [
      { value: "1.0", spanCount: 6 },
      { value: "1.1", spanCount: 4 },
    ]);
    assert.deepEqual(answer.instances, [{ value: "shop-1", spanCount: 10 }]);
  });

  it("finds a name with quotes, backslashes and other scripts", async () => {
    const name = 'o\'neil "日本" \\ %';
    const answer = ServiceAnswer.parse((await stack.ask(`/services/${encodeURIComponent(name)}`, RANGE)).body);
    assert.equal(answer.name, name);
    assert.equal(answer.current.callCount, 1);
    assert.equal(answer.spanNames[0]?.name, "{}");
  });

  it("answers 404 with a problem for a service without spans", async () => {
    const reply = await stack.ask("/services/nobody", RANGE);
    assert.equal(reply.status, 404);
    assert.match(Problem.parse(reply.body).detail, /"nobody" has no spans/);
  });
});

describe("GET /latency", () => {
  it("gives percentiles, counts and errors per step", async () => {
    const answer = LatencyAnswer.parse((await stack.ask("/latency", { ...RANGE, q: '{ name =~ "GET.*" }', step: "10s" })).body);
    assert.deepEqual(answer.percentiles, [50, 95, 99]);
    assert.equal(answer.stepSeconds, 10);
    assert.equal(answer.groups.length, 1);
    const [group] = answer.groups;
    const [first, second, third] = group?.points ?? [];
    assertFigures(group?.total, 10, 2, [6, 10, 10]);
    assertFigures(first, 5, 0, [3, 5, 5]);
    assertFigures(second, 5, 2, [8, 10, 10]);
    assertFigures(third, 0, 0, [null, null, null]);
    assert.deepEqual(
      [first, second, third].map((point) => point?.timeNano),
      [0n, 10n, 20n].map((seconds) => (FROM + seconds * SECOND).toString()),
    );
    const exemplar = (trace: string, ms: number): unknown => ({
      traceId: traceIdOf(trace),
      spanId: spanIdOf("root"),
      durationNano: ms * 1_000_000,
    });
    assert.deepEqual([first?.slowest, first?.slowestError], [exemplar("s4", 5), null]);
    assert.deepEqual([second?.slowest, second?.slowestError], [exemplar("s9", 10), exemplar("s9", 10)]);
    assert.deepEqual([third?.slowest, third?.slowestError], [null, null]);
    assert.deepEqual([group?.total.slowest, group?.total.slowestError], [exemplar("s9", 10), exemplar("s9", 10)]);
    assert.equal(group?.points.length, 6);
  });

  it("takes percentiles in the order given and steps that begin before the range", async () => {
    const answer = LatencyAnswer.parse(
      (await stack.ask("/latency", { ...RANGE, service: "shop", p: "99.9,10", step: "1m" })).body,
    );
    assertFigures(answer.groups[0]?.total, 11, 2, [10, 1]);
    assert.deepEqual(
      answer.groups[0]?.points.map((point) => point.timeNano),
      [(FROM - 40n * SECOND).toString(), (FROM + 20n * SECOND).toString()],
    );
  });

  it("groups by span, resource and bare attributes, by integers and by intrinsics", async () => {
    const groupsBy = async (by: string, more: Record<string, string> = { service: "shop" }): Promise<unknown> => {
      const answer = LatencyAnswer.parse((await stack.ask("/latency", { ...RANGE, ...more, by })).body);
      return answer.groups.map((group) => [group.by, group.total.count]);
    };
    assert.deepEqual(await groupsBy("span.tier"), [
      ["gold", 7],
      ["silver", 3],
      [null, 1],
    ]);
    assert.deepEqual(await groupsBy("resource.service.version"), [
      ["1.0", 6],
      ["1.1", 4],
      [null, 1],
    ]);
    assert.deepEqual(await groupsBy("service.version"), [
      ["1.0", 6],
      ["1.1", 4],
      [null, 1],
    ]);
    assert.deepEqual(await groupsBy("http.status_code"), [
      ["200", 8],
      ["500", 2],
      [null, 1],
    ]);
    assert.deepEqual(await groupsBy("resource.replicas"), [
      ["3", 10],
      [null, 1],
    ]);
    assert.deepEqual(await groupsBy("kind"), [
      ["server", 10],
      ["client", 1],
    ]);
    assert.deepEqual(await groupsBy("status"), [
      ["unset", 9],
      ["error", 2],
    ]);
    assert.deepEqual(await groupsBy("service", {}), [
      ["shop", 11],
      ["job", 2],
      ['o\'neil "日本" \\ %', 1],
    ]);
  });

  it("says when there are more groups than shown", async () => {
    const answer = LatencyAnswer.parse((await stack.ask("/latency", { ...RANGE, by: "user.id", groups: 3 })).body);
    assert.equal(answer.groups.length, 3);
    assert.equal(answer.scan.partial, true);
    assert.match(answer.scan.partialReason ?? "", /3 largest groups/);
    const shown = answer.groups.map((group) => group.points.reduce((sum, point) => sum + point.count, 0));
    assert.deepEqual(
      shown,
      answer.groups.map((group) => group.total.count),
    );
  });

  it("chooses round steps, at most 120 of them", async () => {
    for (const [length, seconds] of [
      ["1h", 30],
      ["24h", 900],
      ["30d", 21_600],
      ["3s", 0.05],
    ] as const) {
      const answer = LatencyAnswer.parse((await stack.ask("/latency", { from: `now-${length}`, to: "now" })).body);
      assert.equal(answer.stepSeconds, seconds);
      assert.ok((answer.groups[0]?.points.length ?? 0) <= 121);
    }
  });

  it("refuses steps without number and percentiles out of range, naming the parameter", async () => {
    for (const [name, value] of [
      ["step", "1ms"],
      ["step", "0s"],
      ["p", "101"],
      ["p", "0"],
      ["p", "50;DROP"],
      ["by", "duration"],
      ["q", "{ name = "],
    ] as const) {
      const reply = await stack.ask("/latency", { ...RANGE, [name]: value });
      assert.equal(reply.status, 400, `${name}=${value}`);
      assert.equal(Problem.parse(reply.body).errors?.[0]?.parameter, name);
    }
  });
});

describe("GET /heatmap", () => {
  const askHeatmap = async (more: Record<string, string> = {}): Promise<HeatmapAnswer> =>
    HeatmapAnswer.parse((await stack.ask("/heatmap", { ...RANGE, ...more })).body);

  it("counts each span in the column of its start and the row of its duration", async () => {
    const answer = await askHeatmap({ q: '{ name =~ "GET.*" }', step: "10s" });
    assert.equal(answer.timesNano.length, 6);
    assert.equal(answer.timesNano[1], (FROM + 10n * SECOND).toString());
    const expected = new Map<string, [count: number, errorCount: number]>();
    for (let index = 0; index < 10; index += 1) {
      const row = answer.durationBoundsNano.findLastIndex((bound) => bound <= (index + 1) * 1e6);
      const key = `${Math.floor(index / 5)} ${row}`;
      const [count, errorCount] = expected.get(key) ?? [0, 0];
      expected.set(key, [count + 1, errorCount + (index >= 8 ? 1 : 0)]);
    }
    const found = new Map(answer.cells.map((cell) => [`${cell.time} ${cell.duration}`, [cell.count, cell.errorCount]]));
    assert.deepEqual(found, expected);
    const [lowest = 0, next = 0] = answer.durationBoundsNano;
    assert.ok(lowest <= 1e6 && next > 1e6, "the first row holds the shortest span");
    assert.ok((answer.durationBoundsNano.at(-2) ?? 0) <= 1e7 && (answer.durationBoundsNano.at(-1) ?? 0) > 1e7);
  });

  it("leaves the rows out where there are no spans", async () => {
    const answer = await askHeatmap({ service: "nobody" });
    assert.deepEqual([answer.cells, answer.durationBoundsNano], [[], []]);
    assert.equal(answer.timesNano.length, 120);
  });

  it("gives the spans of a cell, slowest first, one a trace", async () => {
    const ask = async (more: Record<string, string | number | bigint>): Promise<unknown> => {
      const answer = ExemplarsAnswer.parse((await stack.ask("/exemplars", { ...RANGE, service: "shop", ...more })).body);
      return answer.spans.map((span) => [span.traceId, span.durationNano, span.status]);
    };
    assert.deepEqual(await ask({ from: FROM + 10n * SECOND, minDuration: "7ms", maxDuration: "9ms" }), [
      [traceIdOf("s8"), 9_000_000, "error"],
      [traceIdOf("s7"), 8_000_000, "unset"],
      [traceIdOf("s6"), 7_000_000, "unset"],
    ]);
    assert.deepEqual(await ask({ maxDuration: "1ms" }), [[traceIdOf("s0"), 1_000_000, "unset"]]);
    assert.deepEqual(await ask({ status: "error", limit: 1 }), [[traceIdOf("s9"), 10_000_000, "error"]]);
  });
});

describe("GET /attributes", () => {
  it("counts names per scope and type", async () => {
    const answer = AttributesAnswer.parse((await stack.ask("/attributes", RANGE)).body);
    const found = answer.attributes.map(({ key, scope, type, spanCount }) => `${scope} ${key} ${type} ${spanCount}`);
    assert.deepEqual(found.toSorted(), [
      "resource replicas int 10",
      "resource service.instance.id string 10",
      "resource service.name string 14",
      "resource service.version string 10",
      "span http.response.status_code int 10",
      "span tier string 10",
      "span user.id string 10",
    ]);
    const span = AttributesAnswer.parse((await stack.ask("/attributes", { ...RANGE, scope: "span", prefix: "TI" })).body);
    assert.deepEqual(span.attributes, [{ key: "tier", scope: "span", type: "string", spanCount: 10 }]);
  });

  it("counts values, most frequent first, also under an attribute's other name", async () => {
    const valuesOf = async (key: string, prefix = ""): Promise<unknown> => {
      const reply = await stack.ask(`/attributes/${encodeURIComponent(key)}/values`, { ...RANGE, prefix });
      return AttributeValuesAnswer.parse(reply.body).values.map(({ value, type, spanCount }) => [value, type, spanCount]);
    };
    assert.deepEqual(await valuesOf("tier"), [
      ["gold", "string", 7],
      ["silver", "string", 3],
    ]);
    assert.deepEqual(await valuesOf("tier", "S"), [["silver", "string", 3]]);
    assert.deepEqual(await valuesOf("http.status_code"), [
      ["200", "int", 8],
      ["500", "int", 2],
    ]);
    assert.deepEqual(await valuesOf("resource.replicas"), [["3", "int", 10]]);
    assert.deepEqual(await valuesOf("service.name", "sh"), [["shop", "string", 11]]);
    assert.deepEqual(await valuesOf("status"), [
      ["unset", "string", 12],
      ["error", "string", 2],
    ]);
    assert.deepEqual(await valuesOf("span.nothing"), []);
  });
});

describe("GET /ingest", () => {
  it("passes on what the receivers report", async () => {
    const answer = IngestAnswer.parse((await stack.ask("/ingest")).body);
    assert.equal(answer.acceptedSpanCount, 7);
    assert.equal(answer.otlpHttpUrl, "http://127.0.0.1:4318");
  });
});

describe("hostile parameters", () => {
  it("never answers with a server error", async () => {
    const target = fc.constantFrom(
      ["/services", "from"],
      ["/services", "to"],
      ["/latency", "by"],
      ["/latency", "q"],
      ["/latency", "p"],
      ["/latency", "step"],
      ["/latency", "service"],
      ["/latency", "groups"],
      ["/dependencies", "focus"],
      ["/dependencies", "depth"],
      ["/dependencies", "compareFrom"],
      ["/heatmap", "step"],
      ["/heatmap", "q"],
      ["/exemplars", "limit"],
      ["/attributes", "prefix"],
      ["/attributes", "scope"],
      ["/attributes/tier/values", "prefix"],
      ["/attributes", "limit"],
      ["/ingest", "x"],
    );
    await fc.assert(
      fc.asyncProperty(target, HOSTILE, async ([path = "", name = ""], value) => {
        const reply = await stack.ask(path, { ...(path === "/ingest" ? {} : RANGE), [name]: value });
        assert.ok(reply.status === 200 || reply.status === 400, `${path} ${name}: ${reply.status} ${JSON.stringify(reply.body)}`);
        if (reply.status === 400) Problem.parse(reply.body);
      }),
      { numRuns: 150 },
    );
  });

  it("takes any text as a path parameter", async () => {
    const segment = HOSTILE.filter((text) => text.isWellFormed() && !/^\.{0,2}$/.test(text));
    await fc.assert(
      fc.asyncProperty(segment, fc.boolean(), async (text, isService) => {
        const name = encodeURIComponent(text);
        const reply = await stack.ask(isService ? `/services/${name}` : `/attributes/${name}/values`, RANGE);
        assert.ok(
          [200, 400, 404].includes(reply.status),
          `${JSON.stringify(text)}: ${reply.status} ${JSON.stringify(reply.body)}`,
        );
      }),
      { numRuns: 50 },
    );
    assert.equal((await stack.ask("/services/shop", RANGE)).status, 200);
  });
});
