/** Which spans a step of counting edges takes, on the real engine. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { EdgeStepPlanner, planEdgeStep } from "@callchain/schemas/clickhouse/edges/plan-step.ts";
import { takeEdgeStep } from "@callchain/schemas/clickhouse/edges/steps.ts";
import * as fc from "fast-check";
import { buildSpans, edgeSeed } from "../support/edge-seeds.ts";
import { startQueryStack, type QueryStack } from "../support/query-stack.ts";
import { insertSpans, type SpanSeed } from "../support/span-rows.ts";

const T = 1_036_800_000_000_000_000n;

let stack: QueryStack;
before(async () => {
  stack = await startQueryStack();
});
after(() => stack.stop());

const nextOffsets = new Map<number, number>();
async function store(partition: number, spans: readonly SpanSeed[], day = "2026-01-01"): Promise<void> {
  const offset = nextOffsets.get(partition) ?? 0;
  await insertSpans(stack.writer, spans, { partition, offset, day });
  nextOffsets.set(partition, offset + 1);
}

/** Random spans, in batches of ten. */
function drawBatches(seed: number, count: number): SpanSeed[][] {
  const spans = buildSpans(fc.sample(edgeSeed, { numRuns: count * 10, seed }), T);
  return Array.from({ length: count }, (_, at) => spans.slice(at * 10, at * 10 + 10));
}

describe("a step of counting edges", () => {
  it("takes the spans of one day of arrival, of all partitions, and of a backlog a part", async () => {
    for (const [at, spans] of drawBatches(5, 16).entries()) await store(at % 2, spans);
    const step = await planEdgeStep(stack.writer, 1_000_000);
    assert.deepEqual([step?.day, step?.to.size], ["2026-01-01", 2]);
    const part = await planEdgeStep(stack.writer, 40);
    assert.ok(part !== null && part.spanCount <= 40 && part.uncountedCount > 100);
  });

  it("is planned from what is remembered as by looking anew, over midnight and after the table was emptied", async () => {
    const planner = new EdgeStepPlanner(stack.writer);
    const days: string[] = [];
    const takeStep = async (): Promise<boolean> => {
      const step = await planner.plan(25);
      const anew = await planEdgeStep(stack.writer, 25);
      assert.deepEqual([step?.after, step?.day, step?.from, step?.to], [anew?.after, anew?.day, anew?.from, anew?.to]);
      if (step === null) return false;
      days.push(step.day);
      await takeEdgeStep(stack.writer, step, "test-edges");
      return true;
    };
    for (const [at, spans] of drawBatches(6, 12).entries()) {
      await store(at % 2, spans, at < 6 ? "2026-01-01" : "2026-01-02");
      if (at % 3 === 2) await takeStep();
    }
    while (await takeStep()) continue;
    assert.deepEqual([...new Set(days)], ["2026-01-01", "2026-01-02"]);
    assert.deepEqual(days, days.toSorted());
    const stepCount = days.length;
    await stack.writer.command("TRUNCATE TABLE edge_rollups");
    while (await takeStep()) continue;
    assert.ok(days.length > stepCount);
  });
});
