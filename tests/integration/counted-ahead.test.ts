/** A question about many spans that are not counted yet has them counted, for itself and whoever asks next. */
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
async function storeCalls(): Promise<void> {
  from += 86_400n * SECOND;
  const calls = Array.from({ length: CALL_COUNT }, (_, at) => at);
  const spans = calls.flatMap((at) => {
    const startNano = from + BigInt(at) * (SECOND / 10n);
    const trace = `${offset} ${at}`;
    return [
      { trace, id: "1", service: "web", kind: "client" as const, startNano },
      { trace, id: "2", parent: "1", service: "cart", kind: "server" as const, startNano },
    ];
  });
  await insertSpans(stack.writer, spans, { partition: 0, offset });
  offset += 1;
}

async function askThrough(callCounter: CallCounter, count: number): Promise<number[]> {
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
    const ask = async (): Promise<number> => {
      const response = await fetch(`${server.url}/api/v1/dependencies?from=${from}&to=${from + 3600n * SECOND}`);
      const { edges, scan } = DependenciesAnswer.parse(await response.json());
      assert.equal(scan.partialReason, null);
      return edges.reduce((sum, { callCount }) => sum + callCount, 0);
    };
    return await Promise.all(Array.from({ length: count }, ask));
  } finally {
    await server.stop();
  }
}

const isCounted = async (): Promise<boolean> => (await planEdgeStep(stack.writer, 1)) === null;

async function withCounter(counter: Running & CallCounter): Promise<void> {
  try {
    await until("the first round is over", () => counter.countNow());
    await storeCalls();
    assert.equal(await isCounted(), false);
    assert.deepEqual(await askThrough(counter, 3), [CALL_COUNT, CALL_COUNT, CALL_COUNT]);
    await until("it is counted for all three", isCounted);
  } finally {
    await counter.stop();
  }
  await storeCalls();
  assert.deepEqual(await askThrough(counter, 1), [CALL_COUNT], "joined by the question: the counter has ended");
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
    assert.deepEqual(await askThrough(thread, 2), [CALL_COUNT, CALL_COUNT]);
    await until("it is counted", isCounted);
  } finally {
    await thread.stop();
  }
  assert.equal(await thread.countNow(), false);
});
