/**
 * Counts stored spans into the rollups, step by step, beside the writers (schemas/clickhouse/rollups.ts says why each span is counted once).
 * It holds nothing: every round begins with what the rows say. Several may run, in one process or in many; a step that another one has
 * taken is refused by the server and looked for no further.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { CLICKHOUSE_CODE, clickHouseCodeOf } from "@callchain/schemas/clickhouse/errors.ts";
import { CountedSenders } from "@callchain/schemas/clickhouse/edges/counted-senders.ts";
import { EdgeStepPlanner } from "@callchain/schemas/clickhouse/edges/plan-step.ts";
import { takeEdgeStep } from "@callchain/schemas/clickhouse/edges/steps.ts";
import { ROLLUPS, listUncounted, planSteps, takeStep, type Rollup } from "@callchain/schemas/clickhouse/rollups.ts";
import type { Running } from "@callchain/schemas/runtime/lifecycle.ts";
import type { Log } from "@callchain/schemas/runtime/log.ts";
import { Counter, type Registry } from "@callchain/schemas/runtime/metrics.ts";
import { failureCodeOf, messageOf } from "@callchain/schemas/span/errors.ts";
import { EdgePace } from "./edge-pace.ts";

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
/** About 0.2 s of one core a step, and a second for its edges. Larger ones need more memory, smaller ones merge more often. */
const STEP_SPAN_COUNT_MAX = 300_000;
/** Looking at what waits takes longer the more there is: it is rested from, too. */
const LOOK_REST = 19;

/** Begins to count; `stop` lets go of the step under way, which is then taken or not. */
export function startRollupBuilder(options: RollupBuilderOptions): Running {
  const { databases, report } = options;
  const stopping = new AbortController();
  const run = async (round: () => Promise<void>): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await round();
      } catch (error) {
        if (stopping.signal.aborted) return;
        report.failed({ code: failureCodeOf(error), reason: messageOf(error) });
      }
      await pause(options.intervalMs ?? INTERVAL_MS, stopping.signal);
    }
  };
  const counting: Counting = { prefix: options.queryIdPrefix, signal: stopping.signal, onStep: report.stepped };
  const rounds = databases.map((database) => async () => {
    for (const rollup of ROLLUPS) await countAll(database, rollup, counting);
  });
  const [only, ...others] = databases;
  if (only !== undefined && others.length === 0) rounds.push(openEdgeRounds(only, counting));
  const ended = Promise.all(rounds.map(run));
  return {
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}

interface Counting {
  readonly prefix: string;
  readonly signal: AbortSignal;
  readonly onStep: () => void;
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

/** Rounds that count the edges of what has arrived; spans that arrive meanwhile are left to the next round. */
function openEdgeRounds(database: SpanDatabase, { prefix, signal, onStep }: Counting): () => Promise<void> {
  const pace = new EdgePace(performance.now());
  const planner = new EdgeStepPlanner(database);
  const senders = new CountedSenders();
  return async () => {
    while (!signal.aborted) {
      const startedMs = performance.now();
      const step = await planner.plan(STEP_SPAN_COUNT_MAX, signal);
      if (!pace.mayStep(step?.uncountedCount ?? 0, startedMs)) {
        await pause((performance.now() - startedMs) * LOOK_REST, signal);
        return;
      }
      if (step === null) return;
      if (!(await isTakenHere(takeEdgeStep(database, step, `${prefix}-edges`, signal, senders)))) return;
      onStep();
      const tookMs = performance.now() - startedMs;
      pace.stepped(step.spanCount, performance.now(), tookMs);
      await pause(tookMs, signal);
      if (step.spanCount >= step.uncountedCount) return;
    }
  };
}

/** Whether the step was taken here; another builder may have taken it, or be taking it. */
async function isTakenHere(taking: Promise<void>): Promise<boolean> {
  try {
    await taking;
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}

function isTaken(error: unknown): boolean {
  const code = clickHouseCodeOf(error);
  return code === CLICKHOUSE_CODE.valueIsNonZero || code === CLICKHOUSE_CODE.queryWithSameIdIsRunning;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
