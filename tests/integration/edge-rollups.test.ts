/** The service graph from rollups is that of the spans: whatever is counted, in which steps, by whom, and however often counting was cut short. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { openRollupReport, startRollupBuilder } from "@callchain/collector/write/rollup-builder.ts";
import { DependenciesAnswer, type DependencyGraph } from "@callchain/schemas/api/catalog.ts";
import { clickHouseCodeOf } from "@callchain/schemas/clickhouse/errors.ts";
import { EdgeStepPlanner, planEdgeStep } from "@callchain/schemas/clickhouse/edges/plan-step.ts";
import { planScope } from "@callchain/schemas/clickhouse/edges/plan.ts";
import { readEdgeSpans } from "@callchain/schemas/clickhouse/edges/read-spans.ts";
import { StepMemory } from "@callchain/schemas/clickhouse/edges/step-memory.ts";
import { takeEdgeStep } from "@callchain/schemas/clickhouse/edges/steps.ts";
import { positionsBefore, positionsFrom, type LogEnds } from "@callchain/schemas/clickhouse/log-positions.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import * as fc from "fast-check";
import { clickHouseIsForeign } from "../support/clickhouse.ts";
import { buildReferenceEdges } from "../support/dependencies-reference.ts";
import { FAR_RELATIVES, buildSpans, comparableEdges, edgeSeed, sortEdges } from "../support/edge-seeds.ts";
import { until } from "../support/process.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { insertSpans, type SpanSeed } from "../support/span-rows.ts";

const KILL_COUNT = process.env["CALLCHAIN_FAULT_FORM"] === "full" ? 20 : 4;
const RANDOM_RUN_COUNT = process.env["CALLCHAIN_FAULT_FORM"] === "full" ? 200 : 20;
const SECOND = 1_000_000_000n;
const MINUTE = 60n * SECOND;
const HOUR = 60n * MINUTE;
const DAY = 24n * HOUR;

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
});
after(() => stack.stop());

/** Each test has a time of its own, two days from the next. */
let day = 12_000n * DAY;
function takeDay(): bigint {
  day += 2n * DAY;
  return day;
}

const nextOffsets = new Map<number, number>();
async function store(partition: number, spans: readonly SpanSeed[], day?: string): Promise<void> {
  const offset = nextOffsets.get(partition) ?? 0;
  await insertSpans(stack.writer, spans, { partition, offset, ...(day === undefined ? {} : { day }) });
  nextOffsets.set(partition, offset + 1);
}

/** Undefined: each step is taken by another builder. */
let builder: { readonly planner: EdgeStepPlanner; readonly memory: StepMemory } | undefined;
const openBuilder = (): typeof builder => ({ planner: new EdgeStepPlanner(stack.writer), memory: new StepMemory() });

async function countStep(spanCountMax = 1_000_000): Promise<boolean> {
  const step = await (builder?.planner ?? new EdgeStepPlanner(stack.writer)).plan(spanCountMax);
  if (step === null) return false;
  await takeEdgeStep(stack.writer, step, "test-edges", undefined, builder?.memory);
  return true;
}

async function countEverything(): Promise<void> {
  while (await countStep()) continue;
}

async function askGraph(from: bigint, to: bigint): Promise<DependencyGraph> {
  const { status, body } = await stack.ask("/dependencies", { from, to });
  assert.equal(status, 200, JSON.stringify(body));
  const answer = DependenciesAnswer.parse(body);
  assert.equal(answer.scan.partial, false);
  return answer;
}

/** Five minutes and more are counted in whole minutes. */
function countedRange(from: bigint, to: bigint): [from: bigint, to: bigint] {
  const ceil = (to + MINUTE - 1n) / MINUTE;
  return to - from < 5n * MINUTE ? [from, to] : [(from / MINUTE) * MINUTE, ceil * MINUTE];
}

/** Minutes whole and cut. */
const bound = fc.oneof(
  fc.integer({ min: -300, max: 1300 }),
  fc.integer({ min: -5, max: 21 }).map((minute) => minute * 60),
);

describe("the service graph from rollups", () => {
  it("equals a count in memory: late, out of order, over partitions, in random steps, sent twice, in any range", async () => {
    const piece = fc.record({
      partition: fc.constantFrom(0, 1, 7),
      isCountedAfter: fc.boolean(),
      isAskedAfter: fc.boolean(),
      spanCountMax: fc.constantFrom(1, 5, 1000),
    });
    const spans = fc.array(edgeSeed, { minLength: 1, maxLength: 60, size: "max" });
    await fc.assert(
      fc.asyncProperty(
        spans,
        fc.boolean(),
        fc.boolean(),
        fc.array(piece, { minLength: 1, maxLength: 7 }),
        fc.array(fc.nat({ max: 1000 }), { minLength: 120, maxLength: 120 }),
        bound,
        bound,
        async (drawn, isBrisk, isOneBuilder, pieces, order, a, b) => {
          const t = takeDay();
          builder = isOneBuilder ? openBuilder() : undefined;
          // Of this day nothing is counted yet.
          for (const ids of builder === undefined ? [] : [builder.memory.senders, builder.memory.traces])
            ids.begin(await readLastStep(), t - 3n * HOUR, new Map());
          // Without long spans a trace's relatives are looked for by their starts alone.
          const sent = buildSpans(
            isBrisk ? drawn.map((span) => ({ ...span, durationSeconds: span.durationSeconds % 30 })) : drawn,
            t,
          );
          const shuffled = sent
            .map((span, at) => ({ span, rank: order[at] ?? 0 }))
            .toSorted((one, other) => one.rank - other.rank)
            .map(({ span }) => span);
          const size = Math.ceil(shuffled.length / pieces.length);
          const [from, to] =
            a < b ? [t + BigInt(a) * SECOND, t + BigInt(b) * SECOND] : [t + BigInt(b) * SECOND, t + BigInt(a + 1) * SECOND];
          // Minutes whole and cut, hours and eight hours; what two questions find unchanged is kept for the next.
          const ranges = [
            [from, to],
            [from, to - from < 5n * MINUTE ? to : from + ((to - from) % (5n * MINUTE)) + 1n],
            [t - 8n * HOUR, t + 9n * HOUR],
          ] as const;
          for (const [at, { partition, isCountedAfter, isAskedAfter, spanCountMax }] of pieces.entries()) {
            const some = shuffled.slice(at * size, (at + 1) * size);
            if (some.length > 0) await store(partition, some);
            if (isCountedAfter) await countStep(spanCountMax);
            if (isAskedAfter) for (const [begin, end] of [...ranges, ...ranges]) await askGraph(begin, end);
          }
          const expected = ranges.map(([begin, end]) => sortEdges(buildReferenceEdges(sent, ...countedRange(begin, end))));
          const ask = (): Promise<unknown[]> =>
            Promise.all(ranges.map(async ([begin, end]) => comparableEdges(await askGraph(begin, end))));
          assert.deepEqual(await ask(), expected, "counted in part");
          await countEverything();
          for (const time of ["first", "second", "third"]) assert.deepEqual(await ask(), expected, `all counted, ${time} time`);
        },
      ),
      { numRuns: RANDOM_RUN_COUNT, endOnFailure: true },
    );
  });

  it("finds what belongs together at the ends of what may, in every order of arrival", async () => {
    const orders = [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ];
    const expected: unknown[] = [];
    const found: unknown[] = [];
    for (const order of orders) {
      const t = takeDay();
      const cases = FAR_RELATIVES.map((build, at) => build(t + BigInt(at) * 5n * HOUR, `case ${at} ${t / DAY}`));
      for (const place of order) {
        await store(
          0,
          cases.flatMap((spans) => spans[place] ?? []),
        );
        await countStep();
      }
      for (const [at, spans] of cases.entries()) {
        const from = t + BigInt(at) * 5n * HOUR - 2n * HOUR;
        expected.push([at, order, sortEdges(buildReferenceEdges(spans, from, from + 4n * HOUR))]);
        found.push([at, order, comparableEdges(await askGraph(from, from + 4n * HOUR))]);
      }
    }
    assert.deepEqual(found, expected);
  });

  it("is read from the rollups where they hold all of it", async () => {
    const t = takeDay();
    await store(0, buildSpans(fc.sample(edgeSeed, { numRuns: 60, seed: 1 }), t));
    await countEverything();
    const ask = async (): Promise<unknown> => comparableEdges(await askGraph(t - HOUR, t + HOUR));
    const before = await ask();
    assert.ok(Array.isArray(before) && before.length > 0);
    await stack.writer.command("ALTER TABLE spans DELETE WHERE 1", { settings: { mutations_sync: 2 } });
    assert.deepEqual(await ask(), before);
    await stack.writer.command("TRUNCATE TABLE edge_rollups");
    nextOffsets.clear();
  });
});

async function readLastStep(): Promise<bigint> {
  const { rows } = await stack.writer.query<{ step: string }>("SELECT max(step) AS step FROM edge_rollups WHERE tier = 0");
  return BigInt(rows[0]?.step ?? 0);
}

/** How far each log partition is counted. */
async function readMarks(): Promise<LogEnds> {
  const { rows } = await stack.writer.query<{ partition: number; next: string }>(
    "SELECT log_partition AS partition, max(log_next) AS next FROM edge_rollups WHERE tier = 0 GROUP BY partition",
  );
  return new Map(rows.map(({ partition, next }) => [partition, BigInt(next)]));
}

/** Everything that is counted. */
async function askCounts(): Promise<unknown> {
  const { rows } = await stack.writer.query(
    `SELECT tier, minute, role, caller, callee, system, is_error, groupArray((bucket, n)) AS durations
     FROM (
       SELECT tier, minute, role, caller, callee, system, is_error, bucket, sum(calls) AS n FROM edge_rollups
       ARRAY JOIN durations.1 AS bucket, durations.2 AS calls WHERE tier > 0
       GROUP BY tier, minute, role, caller, callee, system, is_error, bucket HAVING n != 0 ORDER BY bucket
     )
     GROUP BY tier, minute, role, caller, callee, system, is_error ORDER BY ALL`,
  );
  return rows;
}

/** As if all were counted in one step. */
async function assertCountedOnce(): Promise<void> {
  await countEverything();
  const counted = await askCounts();
  await stack.writer.command("TRUNCATE TABLE edge_rollups");
  await countEverything();
  assert.deepEqual(counted, await askCounts());
}

/** Random spans of a time, in batches. */
function drawBatches(t: bigint, seed: number, count: number): SpanSeed[][] {
  const spans = buildSpans(fc.sample(edgeSeed, { numRuns: count * 10, seed }), t);
  return Array.from({ length: count }, (_, at) => spans.filter((_span, index) => index % count === at));
}

describe("counting edges", () => {
  it("counts each call once while several builders race", async () => {
    const t = takeDay();
    const batches = drawBatches(t, 2, 20);
    for (const [at, spans] of batches.slice(0, 10).entries()) await store(at % 2, spans);
    const report = openRollupReport(new Registry(), openLog("test", "silent"));
    const builders = Array.from({ length: 3 }, () =>
      startRollupBuilder({ databases: [stack.writer], report, queryIdPrefix: "test", intervalMs: 1 }),
    );
    for (const [at, spans] of batches.slice(10).entries()) await store(at % 2, spans);
    await until("all is counted", async () => (await planEdgeStep(stack.writer, 1000)) === null);
    await Promise.all(builders.map((builder) => builder.stop()));
    await assertCountedOnce();
  });

  it("counts each call once although the engine is killed in the middle of steps", { skip: clickHouseIsForeign() }, async () => {
    const t = takeDay();
    const batches = drawBatches(t, 3, KILL_COUNT * 4);
    const dice = fc.sample(fc.nat({ max: 60 }), { numRuns: KILL_COUNT, seed: 5 });
    for (const [round, waitMs] of dice.entries()) {
      for (const [at, spans] of batches.slice(round * 4, round * 4 + 4).entries()) await store(at % 2, spans);
      const counting = (async () => {
        while (await countStep(10)) continue;
      })().catch(() => "cut short");
      await delay(waitMs);
      process.kill(stack.enginePid(), "SIGKILL");
      await counting;
      await until("the engine is back", async () => {
        await planEdgeStep(stack.writer, 1000);
        return true;
      });
    }
    await assertCountedOnce();
  });

  it("refuses a step after which another was taken", async () => {
    const t = takeDay();
    await store(0, drawBatches(t, 4, 1).flat());
    const step = await planEdgeStep(stack.writer, 1000);
    assert.ok(step !== null);
    await takeEdgeStep(stack.writer, step, "test-edges");
    await assert.rejects(takeEdgeStep(stack.writer, step, "test-edges"), (error) => clickHouseCodeOf(error) === 395);
    await assertCountedOnce();
  });

  it("remembers the traces that others counted, and what these link to, and looks for relatives there alone", async () => {
    await countEverything();
    const t = takeDay();
    const names = Array.from({ length: 600 }, (_, at) => `r${at} ${t / DAY}`);
    const text = { "messaging.destination.name": "early" };
    const spans: readonly ((trace: string) => SpanSeed)[] = [
      (trace) => ({ trace, id: "1", service: "a", kind: "client", startNano: t, text: { "peer.service": "b" } }),
      (trace) => ({ trace: `+${trace}`, id: "2", service: "c", kind: "internal", startNano: t, links: [{ trace, id: "3" }] }),
      (trace) => ({ trace, id: "3", parent: "1", service: "b", kind: "producer", startNano: t + SECOND, text }),
      (trace) => ({ trace, id: "4", parent: "3", service: "d", kind: "server", startNano: t + 40n * SECOND }),
    ];
    builder = undefined;
    for (const [at, build] of spans.entries()) {
      if (at === 2) builder = openBuilder();
      await store(0, names.map(build));
      await countStep();
    }
    assert.notEqual(builder?.memory.traces.knownSince(await readLastStep()), null);
    const { edges } = await askGraph(t, t + HOUR);
    const calls = edges.map(({ caller, callee, callCount }) => `${caller} > ${callee} ${callCount}`);
    assert.deepEqual(calls.toSorted(), [
      "messaging:early > service:c 600",
      "service:a > service:b 600",
      "service:b > messaging:early 600",
      "service:b > service:d 600",
    ]);
    await assertCountedOnce();
  });

  it("finds the senders of many messages that waited, whoever looks; and says where it did not look", async () => {
    await countEverything();
    const t = takeDay();
    builder = openBuilder();
    const messages = Array.from({ length: 150 }, (_, at) => ({ trace: `s${at} ${t / DAY}`, id: String(at) }));
    const text = { "messaging.destination.name": "slow" };
    await store(
      0,
      messages.map((message) => ({ ...message, service: "a", kind: "producer", startNano: t, text })),
    );
    await countStep();
    const counted = await readMarks();
    await store(
      0,
      messages.map(({ trace, id }) => ({
        trace: `+${trace}`,
        id,
        service: "b",
        kind: "consumer",
        startNano: t + 30n * MINUTE,
        links: [{ trace, id }],
      })),
    );
    const subject = {
      fresh: positionsFrom(counted),
      context: positionsBefore(counted),
      isContextCounted: true,
      facts: "1",
    };
    const { scope } = await planScope(stack.writer, subject, {});
    assert.ok(scope !== null);
    const all = await readEdgeSpans(stack.writer, scope, {});
    const some = await readEdgeSpans(stack.writer, scope, {}, { searchedSpanCountMax: 0 });
    assert.deepEqual([all.isWhole, all.spans.count, some.isWhole, some.spans.count], [true, 300, false, 150]);
    const received = async (): Promise<unknown> => {
      const { edges } = await askGraph(t, t + HOUR);
      return edges.filter(({ callee }) => callee.includes("b")).map(({ callCount }) => callCount);
    };
    assert.deepEqual(await received(), [150], "joined by a question");
    await countStep();
    assert.deepEqual(await received(), [150], "counted by a builder that remembers");
    await assertCountedOnce();
  });
});
