/**
 * A question about many spans that are not counted yet has them counted, for itself and whoever asks next; where all but the newest were counted a
 * moment ago it leaves these out and says so.
 */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { openRollupReport, startRollupBuilder } from "@callchain/collector/write/rollup-builder.ts";
import { startRollupThread } from "@callchain/collector/write/rollup-thread.ts";
import { NO_RECEIVERS } from "@callchain/query-api/routes/ingest.ts";
import { startQueryServer } from "@callchain/query-api/server.ts";
import { DependenciesAnswer } from "@callchain/schemas/api/catalog.ts";
import { planEdgeStep } from "@callchain/schemas/clickhouse/edges/plan-step.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import type { CallCounter } from "@callchain/schemas/span/ports.ts";
import { until } from "../support/process.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { insertSpans } from "../support/span-rows.ts";

const SECOND = 1_000_000_000n;
const CALL_COUNT = 6_000;
const HOUR_MS = 3_600_000;
let from = 1_800_000_000n * SECOND;

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
});
after(() => stack.stop());

let offset = 0;
/** On the next day, or evenly in the ten minutes from `since` on. */
async function storeCalls(since = (from += 86_400n * SECOND), count = CALL_COUNT): Promise<void> {
  const calls = Array.from({ length: count }, (_, at) => at);
  const spans = calls.flatMap((at) => {
    const startNano = since + (BigInt(at) * 600n * SECOND) / BigInt(count);
    const trace = `${offset} ${at}`;
    return [
      { trace, id: "1", service: "web", kind: "client" as const, startNano },
      { trace, id: "2", parent: "1", service: "cart", kind: "server" as const, startNano },
    ];
  });
  await insertSpans(stack.writer, spans, { partition: 0, offset });
  offset += 1;
}

type Range = readonly [from: bigint, to: bigint];

interface Asked {
  readonly calls: number;
  readonly toNano: bigint;
  readonly countedUntilNano: bigint | null;
}

async function askThrough(
  callCounter: CallCounter,
  count: number,
  range: Range = [from, from + 3600n * SECOND],
): Promise<Asked[]> {
  const server = await startQueryServer({
    address: { host: "127.0.0.1", port: 0 },
    database: stack.reader,
    uiDir: null,
    ingest: () => NO_RECEIVERS,
    importer: null,
    callCounter,
    metrics: new Registry(),
    logger: openLog("test", "silent"),
  });
  try {
    const ask = async (): Promise<Asked> => {
      const response = await fetch(`${server.url}/api/v1/dependencies?from=${range[0]}&to=${range[1]}`);
      const { edges, toNano, countedUntilNano, scan } = DependenciesAnswer.parse(await response.json());
      assert.equal(scan.partialReason, null);
      return {
        calls: edges.reduce((sum, { callCount }) => sum + callCount, 0),
        toNano: BigInt(toNano),
        countedUntilNano: countedUntilNano === null ? null : BigInt(countedUntilNano),
      };
    };
    return await Promise.all(Array.from({ length: count }, ask));
  } finally {
    await server.stop();
  }
}

async function countCalls(callCounter: CallCounter, count: number): Promise<number[]> {
  return (await askThrough(callCounter, count)).map(({ calls }) => calls);
}

const isCounted = async (): Promise<boolean> => (await planEdgeStep(stack.writer, 1)) === null;

async function withCounter(counter: Running & CallCounter): Promise<void> {
  try {
    await until("the first round is over", () => counter.countNow());
    await storeCalls();
    assert.equal(await isCounted(), false);
    assert.deepEqual(await countCalls(counter, 3), [CALL_COUNT, CALL_COUNT, CALL_COUNT]);
    await until("it is counted for all three", isCounted);
  } finally {
    await counter.stop();
  }
  await storeCalls();
  assert.deepEqual(await countCalls(counter, 1), [CALL_COUNT], "joined by the question: the counter has ended");
  assert.equal(await isCounted(), false);
}

it("by the builder in its process", async () => {
  const report = openRollupReport(new Registry(), openLog("test", "silent"));
  await withCounter(startRollupBuilder({ databases: [stack.writer], report, queryIdPrefix: "test", intervalMs: HOUR_MS }));
});

it("by the builder on its thread, which counts by itself as well", async () => {
  const options = { databases: [{ url: stack.databaseUrl, role: "writer" as const }], queryIdPrefix: "test" };
  const thread = startRollupThread({ ...options, metrics: new Registry(), logger: openLog("test", "silent") });
  try {
    await until("what was left is counted", isCounted);
    await storeCalls();
    const storedAtMs = Date.now();
    const [all] = await askThrough(thread, 1);
    assert.ok(all?.calls === CALL_COUNT || all?.countedUntilNano !== null, "what is left out is told");
    await until("the answer has all", async () => (await countCalls(thread, 1))[0] === CALL_COUNT);
    await until("it is counted", isCounted);
    await until("the thread says so", () => thread.countedUntilMs >= storedAtMs);
  } finally {
    await thread.stop();
  }
  assert.equal(await thread.countNow(), false);
});

it("but for what was stored since a moment ago, which is left to the next answer", async () => {
  const report = openRollupReport(new Registry(), openLog("test", "silent"));
  const builder = startRollupBuilder({ databases: [stack.writer], report, queryIdPrefix: "test", intervalMs: HOUR_MS });
  const now = BigInt(Date.now()) * 1_000_000n;
  const hour: Range = [now - 3600n * SECOND, now];
  await storeCalls(now - 1200n * SECOND);
  await until("it is counted", async () => (await builder.countNow()) && isCounted());
  assert.ok(builder.countedUntilMs >= Number(now / 1_000_000n));
  await builder.stop();
  const counted = (atMs: number): CallCounter => ({ countedUntilMs: atMs, countNow: () => Promise.resolve(false) });

  await storeCalls(now - 1200n * SECOND);
  const [old] = await askThrough(counted(Date.now() - 11_000), 1, hour);
  assert.deepEqual([old?.calls, old?.countedUntilNano], [2 * CALL_COUNT, null], "too long ago");
  const untilMs = Date.now() - 100;
  const countedUntilNano = BigInt(untilMs) * 1_000_000n;
  assert.deepEqual(await askThrough(counted(untilMs), 1, hour), [
    { calls: CALL_COUNT, toNano: countedUntilNano, countedUntilNano },
  ]);
  const past: Range = [hour[0], (now / SECOND / 60n - 3n) * 60n * SECOND];
  assert.deepEqual(await askThrough(counted(untilMs), 1, past), [{ calls: CALL_COUNT, toNano: past[1], countedUntilNano }]);
});
