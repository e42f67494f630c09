/**
 * Counts stored spans into the rollups, step by step, beside the writers (schemas/clickhouse/rollups.ts says why each span is counted once).
 * Every round begins with what the rows say; what is remembered of edges saves looking (edge-counting.ts). Several may run, in one process or in
 * many; a step that another one has taken is refused by the server and looked for no further.
 */
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { ROLLUPS, listUncounted, planSteps, takeStep, type Rollup } from "@callchain/schemas/clickhouse/rollups.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { Counter, type Registry } from "@callchain/schemas/runtime/metrics.ts";
import { failureCodeOf, messageOf } from "@callchain/schemas/span/errors.ts";
import type { CallCounter } from "@callchain/schemas/span/ports.ts";
import { EdgeCounting } from "./edge-counting.ts";
import { isTakenHere, pause, type Counting } from "./step-taking.ts";

export interface RollupBuilderOptions {
  /** With the role "writer"; the schema is migrated. Several are the shards of a cluster, each counted by itself. */
  readonly databases: readonly SpanDatabase[];
  readonly report: RollupReport;
  /** The same for all builders of a database, and different for databases that share a ClickHouse server. */
  readonly queryIdPrefix: string;
  /** Between two rounds: how old the spans get that questions must count in the raw. */
  readonly intervalMs?: number;
}

/** What becomes known of the counting while it goes on. */
export interface RollupReport {
  readonly stepped: () => void;
  /** As CallCounter.countedUntilMs. */
  readonly counted?: (untilMs: number) => void;
  /** A round ended; the next one begins with what the rows say. `code` is the class of the failure. */
  readonly failed: (failure: { readonly code: string; readonly reason: string }) => void;
}

export function openRollupReport(metrics: Registry, logger: Log): RollupReport {
  const registers = [metrics];
  const steps = new Counter({ name: "callchain_rollup_steps_total", help: "Steps of counting spans into rollups.", registers });
  const failures = new Counter({
    name: "callchain_rollup_failures_total",
    help: "Rounds of counting that failed, by class of failure; the next round begins with what the rows say.",
    labelNames: ["code"],
    registers,
  });
  return {
    stepped: () => steps.inc(),
    failed: ({ code, reason }) => {
      failures.inc({ code });
      logger.warn({ reason }, "spans could not be counted into rollups; questions count them until the next try");
    },
  };
}

const INTERVAL_MS = 5_000;
/** About 0.2 s of one core. Larger ones need more memory, smaller ones merge more often. */
const STEP_SPAN_COUNT_MAX = 300_000;

/** Begins to count; `stop` lets go of the step under way, which is then taken or not. */
export function startRollupBuilder(options: RollupBuilderOptions): Running & CallCounter {
  const { databases, report, intervalMs = INTERVAL_MS } = options;
  const stopping = new AbortController();
  const run = async (round: () => Promise<void>, rest: (ms: number) => Promise<void>): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await round();
      } catch (error) {
        if (stopping.signal.aborted) return;
        report.failed({ code: failureCodeOf(error), reason: messageOf(error) });
      }
      await rest(intervalMs);
    }
  };
  const counting: Counting = {
    prefix: options.queryIdPrefix,
    signal: stopping.signal,
    onStep: report.stepped,
    onCounted: (ms) => report.counted?.(ms),
  };
  const running = databases.map((database) =>
    run(
      async () => {
        for (const rollup of ROLLUPS) await countAll(database, rollup, counting);
      },
      (ms) => pause(ms, stopping.signal),
    ),
  );
  const [only, ...others] = databases;
  const edges = only !== undefined && others.length === 0 ? new EdgeCounting(only, counting) : null;
  if (edges !== null)
    running.push(
      run(
        () => edges.round(),
        (ms) => edges.restBetween(ms),
      ),
    );
  const ended = Promise.all(running);
  return {
    stop: async () => {
      stopping.abort();
      await ended;
      edges?.end();
    },
    get countedUntilMs() {
      return edges?.countedUntilMs ?? 0;
    },
    countNow: () => edges?.countNow() ?? Promise.resolve(false),
  };
}

/** Until nothing is uncounted, with a rest after each step as long as the step: stored spans and questions come first. */
async function countAll(database: SpanDatabase, rollup: Rollup, counting: Counting): Promise<void> {
  for (const { partition, counted } of await listUncounted(database, rollup, counting.signal)) {
    let from: bigint | null = counted;
    while (from !== null) from = await countDay(database, rollup, partition, from, counting);
  }
}

/** What waits of one day of arrival. Resolves with where that ends; null where there is nothing, or another builder is at it. */
async function countDay(
  database: SpanDatabase,
  rollup: Rollup,
  partition: number,
  from: bigint,
  { prefix, signal, onStep }: Counting,
): Promise<bigint | null> {
  const steps = await planSteps(database, partition, from, STEP_SPAN_COUNT_MAX, signal);
  for (const step of steps) {
    const startedMs = performance.now();
    if (signal.aborted || !(await isTakenHere(takeStep(database, rollup, step, prefix, signal)))) return null;
    onStep();
    await pause(performance.now() - startedMs, signal);
  }
  return steps.at(-1)?.to ?? null;
}
