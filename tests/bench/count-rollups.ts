/** The builder of rollups beside a benchmark's store. */
import { openRollupReport, startRollupBuilder } from "@callchain/collector/write/rollup-builder.ts";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { planEdgeStep } from "@callchain/schemas/clickhouse/edges/plan-step.ts";
import { ROLLUPS, listUncounted } from "@callchain/schemas/clickhouse/rollups.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import { openLog } from "@callchain/schemas/runtime/log.ts";
import { Registry } from "@callchain/schemas/runtime/metrics.ts";
import type { QueryStack } from "../support/query-stack.ts";
import { cpuSecondsOf } from "./proc.ts";

/** Whether the rollups hold every span. */
export async function isCounted(database: SpanDatabase): Promise<boolean> {
  for (const rollup of ROLLUPS) if ((await listUncounted(database, rollup)).length > 0) return false;
  return (await planEdgeStep(database, 1)) === null;
}

export interface CountedRollups {
  readonly builder: Running;
  /** Until the rollups held every span, rests between steps included. */
  readonly elapsedMs: number;
  readonly engineCpuSeconds: number;
  /** Of this process. */
  readonly ownCpuSeconds: number;
}

/** Resolves when every span is counted; the builder goes on until it is stopped. */
export async function countRollups(stack: QueryStack): Promise<CountedRollups> {
  const startedMs = performance.now();
  const engineBefore = cpuSecondsOf([stack.enginePid()]);
  const ownBefore = process.cpuUsage();
  const builder = startRollupBuilder({
    databases: [stack.writer],
    report: openRollupReport(new Registry(), openLog("bench", "warn")),
    queryIdPrefix: "bench-rollup",
  });
  while (!(await isCounted(stack.writer))) await new Promise((resolve) => setTimeout(resolve, 500));
  const { user, system } = process.cpuUsage(ownBefore);
  return {
    builder,
    elapsedMs: performance.now() - startedMs,
    engineCpuSeconds: cpuSecondsOf([stack.enginePid()]) - engineBefore,
    ownCpuSeconds: (user + system) / 1e6,
  };
}
