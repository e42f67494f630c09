/** Figures from rollups are the figures of the spans: whatever is counted, by whom, and however often the counting was cut short. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { readCountedDurations } from "@callchain/query-api/store/counted-durations.ts";
import { openRollupReport, startRollupBuilder } from "@callchain/collector/write/rollup-builder.ts";
import { HeatmapAnswer } from "@callchain/schemas/api/aggregates.ts";
import {
  AttributeValuesAnswer,
  AttributesAnswer,
  LatencyAnswer,
  ServiceAnswer,
  ServicesAnswer,
} from "@callchain/schemas/api/catalog.ts";
import { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { clickHouseCodeOf } from "@callchain/schemas/clickhouse/errors.ts";
import {
  ROLLUPS,
  SERVICE_ROLLUP,
  listUncounted,
  planSteps,
  takeStep,
  type Rollup,
  type RollupStep,
} from "@callchain/schemas/clickhouse/rollups.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import * as fc from "fast-check";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { startRollupThread } from "@callchain/collector/write/rollup-thread.ts";
import { freePort } from "../support/free-port.ts";
import { SeriesAnswer } from "@callchain/schemas/api/series.ts";
import { clickHouseIsForeign } from "../support/clickhouse.ts";
import { PATIENCE_MS, until } from "../support/process.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { insertSpans, type SpanSeed } from "../support/span-rows.ts";

const KILL_COUNT = process.env["CALLCHAIN_FAULT_FORM"] === "full" ? 20 : 4;
const MINUTE = 60_000_000_000n;
const HOUR = 60n * MINUTE;
/** 2001-09-09, on the hour. */
const START = 277_777n * HOUR;

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
});
after(() => stack.stop());

/** What was stored so far, by partition: the next offset. */
const nextOffsets = new Map<number, number>();
async function store(partition: number, spans: readonly SpanSeed[]): Promise<void> {
  const offset = nextOffsets.get(partition) ?? 0;
  await insertSpans(stack.writer, spans, { partition, offset });
  nextOffsets.set(partition, offset + 1);
}

async function countStep(rollup: Rollup, partition: number, spanCountMax: number): Promise<boolean> {
  const found = (await listUncounted(stack.writer, rollup)).find((one) => one.partition === partition);
  if (found === undefined) return false;
  const [step] = await planSteps(stack.writer, partition, found.counted, spanCountMax);
  if (step === undefined) return false;
  await takeStep(stack.writer, rollup, step, "test-rollup");
  return true;
}

async function countEverything(): Promise<void> {
  for (const rollup of ROLLUPS)
    for (const { partition } of await listUncounted(stack.writer, rollup))
      while (await countStep(rollup, partition, 1000)) continue;
}

/** Everything that rollups can answer, in one comparable text; figures only, of what was read nothing. */
async function askAll(from: bigint, to: bigint): Promise<string> {
  const range = { from, to };
  const ask = async (path: string, params: Record<string, string>): Promise<unknown> => {
    const { status, body } = await stack.ask(path, { ...range, ...params });
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const services = ServicesAnswer.parse(await ask("/services", {}));
  const latencies = [
    { step: "1m" },
    { step: "5m", status: "error" },
    { step: "1h", by: "service" },
    { by: "kind", service: "a" },
    { step: "7m", by: "status", q: '{ kind = server || resource.service.name =~ "b.*" }' },
  ];
  const answers: unknown[] = [services.services];
  for (const params of latencies) {
    const { groups } = LatencyAnswer.parse(await ask("/latency", { p: "1,50,95,99.9", ...params }));
    // Of several spans of the same length any may stand for them.
    for (const figures of groups.flatMap((group) => [group.total, ...group.points]))
      for (const exemplar of [figures.slowest, figures.slowestError])
        if (exemplar !== null) exemplar.traceId = exemplar.spanId = "";
    answers.push(groups);
  }
  for (const params of [{ step: "1m" }, { step: "10m" }, { step: "1h", q: "{ kind != client }" }]) {
    const { cells, durationBoundsNano } = HeatmapAnswer.parse(await ask("/heatmap", params));
    answers.push(cells, durationBoundsNano);
  }
  for (const q of [
    "{ status = error } | rate() by(resource.service.name)",
    "{ } | count_over_time() by(kind)",
    "{ kind = server } | rate()",
  ])
    answers.push(SeriesAnswer.parse(await ask("/series", { q, step: "5m" })).series);
  for (const key of ["service", "kind"])
    answers.push(AttributeValuesAnswer.parse(await ask(`/attributes/${key}/values`, {})).values);
  return JSON.stringify(answers);
}

/** What depends on which resources there are; the spans themselves are read as well. */
async function askForResources(from: bigint, to: bigint): Promise<string> {
  const ask = async (path: string, params: Record<string, string>): Promise<unknown> =>
    (await stack.ask(path, { from, to, ...params })).body;
  const answers: unknown[] = [];
  for (const q of ['{ .region = "eu" }', "{ resource.region = 7 }", "{ .region != nil && kind = server }"]) {
    const { traces } = TraceSearchAnswer.parse(await ask("/traces", { q, limit: "200" }));
    answers.push(traces.map(({ traceId, matchedSpanCount }) => [traceId, matchedSpanCount]));
  }
  answers.push(AttributesAnswer.parse(await ask("/attributes", { scope: "resource" })).attributes);
  answers.push(AttributeValuesAnswer.parse(await ask("/attributes/region/values", {})).values);
  for (const service of ["a", "b'\\"]) {
    const { status, body } = await stack.ask(`/services/${encodeURIComponent(service)}`, { from, to });
    answers.push(status === 404 ? "no spans" : ServiceAnswer.parse(body).versions);
  }
  return JSON.stringify(answers);
}

async function forgetCounts(): Promise<void> {
  for (const { table } of ROLLUPS) await stack.writer.command(`TRUNCATE TABLE ${table}`);
}

/** Of the rollups, beside the same of the spans. */
async function sums(): Promise<{ counted: unknown; stored: unknown }> {
  const ask = async (sql: string): Promise<unknown> => (await stack.writer.query(sql)).rows;
  return {
    counted:
      await ask(`SELECT * FROM (SELECT tier, toString(sum(spans)) AS n, toString(sum(arraySum(durations.2))) AS m FROM service_rollups
      WHERE tier > 0 GROUP BY tier
      UNION ALL SELECT 1000 + resource_counts.tier AS tier, toString(sum(spans)) AS n, toString(uniqExact(resource)) AS m FROM resource_counts
      WHERE resource_counts.tier > 0 GROUP BY tier)
      ORDER BY tier`),
    stored: await ask(
      `SELECT * FROM (SELECT arrayJoin([1, 5, 60, 480]) AS tier, toString(count()) AS n, toString(count()) AS m FROM spans GROUP BY tier
       UNION ALL SELECT arrayJoin([1001, 1060]) AS tier, toString(count()) AS n, toString(uniqExact(resource)) AS m FROM spans GROUP BY tier)
       ORDER BY tier`,
    ),
  };
}

const duration = fc.oneof(
  fc.bigInt({ min: 0n, max: 10n }),
  fc.bigInt({ min: 0n, max: 2n ** 50n }),
  fc.nat({ max: 50 }).map((power) => 2n ** BigInt(power)),
);
const seed = fc.record({
  service: fc.constantFrom("a", "b", "b'\\", "c 日"),
  kind: fc.constantFrom("internal", "server", "client", "consumer" as const),
  isError: fc.boolean(),
  isRoot: fc.boolean(),
  startNano: fc.oneof(
    fc.bigInt({ min: 0n, max: 5n * HOUR - 1n }),
    fc.integer({ min: 0, max: 299 }).map((minute) => BigInt(minute) * MINUTE),
  ),
  durationNano: duration,
  resource: fc.constantFrom(
    {},
    { region: "eu", "service.version": "1.2" },
    { region: "us", "k8s.pod.name": "p-1" },
    { region: 7 },
  ),
});
type Drawn = (typeof seed)["generate"] extends (...given: never[]) => { value: infer T } ? T : never;

let traceCount = 0;
function buildSpans(drawn: readonly Drawn[], start: bigint): SpanSeed[] {
  return drawn.map(({ isRoot, startNano, ...rest }) => {
    traceCount += 1;
    return { ...rest, startNano: start + startNano, trace: `t${traceCount}`, id: "1", ...(isRoot ? {} : { parent: "0" }) };
  });
}

describe("figures from rollups", () => {
  it("equal those from the spans alone: counted all, in part, late, and over several partitions", async () => {
    const batch = fc.record({
      partition: fc.constantFrom(0, 1, 3),
      spans: fc.array(seed, { minLength: 1, maxLength: 25 }),
      isCountedAfter: fc.boolean(),
    });
    const bound = fc.bigInt({ min: 0n, max: 5n * HOUR });
    let day = 0n;
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 6 }), bound, bound, async (batches, a, b) => {
        day += 1n;
        const start = START + day * 24n * HOUR;
        await forgetCounts();
        for (const { partition, spans, isCountedAfter } of batches) {
          await store(partition, buildSpans(spans, start));
          if (isCountedAfter) for (const rollup of ROLLUPS) await countStep(rollup, partition, 1000);
        }
        const [from, to] = a < b ? [start + a, start + b] : [start + b, start + a + 1n];
        const askBoth = async (): Promise<string[]> => [await askAll(from, to), await askForResources(from, to)];
        const inPart = await askBoth();
        await countEverything();
        const counted = await askBoth();
        await forgetCounts();
        const alone = await askBoth();
        assert.deepEqual(counted, alone, "all counted");
        assert.deepEqual(inPart, alone, "counted in part");
      }),
      { numRuns: 5, endOnFailure: true },
    );
  });

  it("are read from the rollups where they hold all of it", async () => {
    const start = START + 1000n * HOUR;
    await store(0, buildSpans(fc.sample(seed, { numRuns: 200, seed: 1 }), start));
    await countEverything();
    const [from, to] = [start, start + 5n * HOUR];
    const before = await askAll(from, to);
    const listResourceKeys = async (): Promise<unknown> =>
      AttributesAnswer.parse((await stack.ask("/attributes", { from, to, scope: "resource" })).body).attributes;
    const keysBefore = await listResourceKeys();
    await stack.writer.command("ALTER TABLE spans DELETE WHERE 1", { settings: { mutations_sync: 2 } });
    assert.equal(await askAll(from, to), before);
    assert.deepEqual(await listResourceKeys(), keysBefore);
    nextOffsets.clear();
    await forgetCounts();
  });
});

it("histograms that are too many to be brought here one by one add up to the same figures", async () => {
  await forgetCounts();
  const start = START + 2000n * HOUR;
  await store(0, buildSpans(fc.sample(seed, { numRuns: 300, seed: 2 }), start));
  await countEverything();
  for (const isSplit of [false, true]) {
    const question = {
      where: "tier = 1 AND service != {not:String}",
      point: "intDiv(minute, 7)",
      by: "toNullable(toString(service))",
      isSplit,
      params: { not: "a" },
    };
    const read = async (rowCountMax: number): Promise<unknown> => {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const { ends, found } = await readCountedDurations(question, { database: stack.reader, signal }, rowCountMax);
      assert.ok(found.length > 50);
      const shown = found.map(({ by, point, isEntry, figures }) => {
        const { count, errorCount, lastNano, durations, slowest, slowestError } = figures;
        const examples = [slowest?.durationNano, slowestError?.durationNano];
        return [by, point, isEntry, count, errorCount, lastNano, durations.percentiles([1, 50, 99]), examples];
      });
      return { ends, shown: new Map(shown.map((one) => [one.slice(0, 3).join(), one])) };
    };
    assert.deepEqual(await read(0), await read(100_000));
  }
});

describe("counting", () => {
  it("counts each span once while several builders race", async () => {
    await forgetCounts();
    const spans = fc.sample(seed, { numRuns: 300, seed: 2 });
    for (let at = 0; at < 60; at += 1) await store(at % 2, buildSpans(spans.slice(at * 5, at * 5 + 5), START));
    const report = openRollupReport(new Registry(), openLog("test", "silent"));
    const builders = Array.from({ length: 3 }, () =>
      startRollupBuilder({
        databases: [stack.writer],
        report,
        queryIdPrefix: "test-rollup",
        intervalMs: 1,
      }),
    );
    for (let at = 0; at < 20; at += 1) await store(at % 2, buildSpans(spans.slice(at, at + 3), START + HOUR));
    await until("all is counted", async () => {
      const uncounted = await Promise.all(ROLLUPS.map((rollup) => listUncounted(stack.writer, rollup)));
      return uncounted.every((partitions) => partitions.length === 0);
    });
    await Promise.all(builders.map((builder) => builder.stop()));
    const { counted, stored } = await sums();
    assert.deepEqual(counted, stored);
  });

  it("counts each span once although the engine is killed in the middle of steps", { skip: clickHouseIsForeign() }, async () => {
    await until("all is counted", async () => {
      await countEverything();
      return true;
    });
    const dice = fc.sample(fc.nat({ max: 40 }), { numRuns: KILL_COUNT, seed: 5 });
    for (const [round, waitMs] of dice.entries()) {
      for (let at = 0; at < 6; at += 1)
        await store(at % 2, buildSpans(fc.sample(seed, { numRuns: 20, seed: round * 10 + at }), START));
      const counting = countEverything().catch(() => "cut short");
      await delay(waitMs);
      process.kill(stack.enginePid(), "SIGKILL");
      await counting;
      await until("the engine is back", async () => {
        await listUncounted(stack.writer, SERVICE_ROLLUP);
        return true;
      });
    }
    await countEverything();
    const { counted, stored } = await sums();
    assert.deepEqual(counted, stored);
  });

  it("goes on, on a thread of its own, past rounds that fail, and ends when it is told to", async () => {
    await forgetCounts();
    const metrics = new Registry();
    const logger = openLog("test", "silent");
    const open = (url: string): Running =>
      startRollupThread({ databases: [{ url, role: "writer" }], metrics, logger, queryIdPrefix: "test-thread" });
    const counted = async (name: string): Promise<number> =>
      (await metrics.getSingleMetric(name)?.get())?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
    const away = open(`http://127.0.0.1:${await freePort()}/nowhere`);
    await until("a round has failed", async () => (await counted("callchain_rollup_failures_total")) > 0);
    await away.stop();
    metrics.clear();
    const thread = open(stack.databaseUrl);
    await store(0, buildSpans(fc.sample(seed, { numRuns: 50, seed: 3 }), START));
    await until("all is counted", async () => (await listUncounted(stack.writer, SERVICE_ROLLUP)).length === 0);
    await until("steps are told of", async () => (await counted("callchain_rollup_steps_total")) > 0);
    await thread.stop();
    assert.equal(await counted("callchain_rollup_failures_total"), 0);
    await countEverything();
    const { counted: inRollups, stored } = await sums();
    assert.deepEqual(inRollups, stored);
  });

  it("refuses a step that was taken already, or that leaves a gap", async () => {
    await countEverything();
    const offset = nextOffsets.get(0) ?? 0;
    await store(0, buildSpans(fc.sample(seed, { numRuns: 5, seed: 3 }), START));
    const step: RollupStep = { partition: 0, day: "2026-01-01", from: BigInt(offset), to: BigInt(offset) + 1n };
    for (const rollup of ROLLUPS) await takeStep(stack.writer, rollup, step, "test-rollup");
    for (const from of [step.from, step.from + 5n]) {
      await assert.rejects(
        takeStep(stack.writer, SERVICE_ROLLUP, { ...step, from, to: from + 1n }, "test-rollup"),
        (error) => clickHouseCodeOf(error) === 395,
      );
    }
    const { counted, stored } = await sums();
    assert.deepEqual(counted, stored);
  });

  it("cuts a backlog into steps, and at the day of arrival", async () => {
    await countEverything();
    for (let at = 0; at < 8; at += 1) await store(0, buildSpans(fc.sample(seed, { numRuns: 10, seed: at }), START));
    const [found] = await listUncounted(stack.writer, SERVICE_ROLLUP);
    assert.ok(found !== undefined);
    const steps = await planSteps(stack.writer, 0, found.counted, 30);
    const ends = [3n, 6n, 8n].map((count) => found.counted + count);
    assert.deepEqual(
      steps,
      ends.map((to, at) => ({ partition: 0, day: "2026-01-01", from: ends[at - 1] ?? found.counted, to })),
    );
    assert.deepEqual(await planSteps(stack.writer, 0, found.end, 30), []);
  });
});
