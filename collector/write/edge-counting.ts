/** Counting of edges: in rounds that keep their pace, and at once where a question waits for it. */
import type { SpanDatabase } from "@callchain/schemas/clickhouse/database.ts";
import { EdgeStepPlanner, type EdgeStep } from "@callchain/schemas/clickhouse/edges/plan-step.ts";
import { StepMemory } from "@callchain/schemas/clickhouse/edges/step-memory.ts";
import { takeEdgeStep } from "@callchain/schemas/clickhouse/edges/steps.ts";
import type { CallCounter } from "@callchain/schemas/span/ports.ts";
import { EdgePace } from "./edge-pace.ts";
import { isTakenHere, pause, type Counting } from "./step-taking.ts";

/** Looking at what waits takes longer the more there is: it is rested from, too. */
const LOOK_REST = 19;
/** So many in a step and more come soon: questions are to find them counted. */
const MANY_SPANS = 10_000;
const REST_MAX_MS = 1_500;
/** About 0.7 s of a core. Larger ones need more memory, of smaller ones each begins and ends for less. Who waits does so for one of them. */
const STEP_SPAN_COUNT_MAX = 200_000;

type Waiting = (isCounted: boolean) => void;

export class EdgeCounting implements CallCounter {
  readonly #database: SpanDatabase;
  readonly #counting: Counting;
  readonly #planner: EdgeStepPlanner;
  readonly #memory = new StepMemory();
  readonly #pace = new EdgePace(performance.now());
  #waiting: Waiting[] = [];
  #wake = new AbortController();
  #isEnded = false;
  #countedUntilMs = 0;
  /** In the last step; 0 while ingest comes first. */
  #spanCount = 0;

  constructor(database: SpanDatabase, counting: Counting) {
    this.#database = database;
    this.#counting = counting;
    this.#planner = new EdgeStepPlanner(database);
  }

  get countedUntilMs(): number {
    return this.#countedUntilMs;
  }

  countNow(): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.#isEnded) return resolve(false);
      this.#waiting.push(resolve);
      this.#wake.abort();
    });
  }

  /** There are no more rounds. */
  end(): void {
    this.#isEnded = true;
    settle(this.#takeWaiting(), false);
  }

  /** Counts what has arrived; spans that arrive meanwhile are left to the next round. Rejects as the database does. */
  async round(): Promise<void> {
    while (!this.#counting.signal.aborted) {
      const waiting = this.#takeWaiting();
      try {
        if (!(await this.#takeStep(waiting))) return;
      } finally {
        settle(waiting, false);
      }
    }
  }

  /** Between two rounds. */
  restBetween(intervalMs: number): Promise<void> {
    return this.rest(this.#spanCount < MANY_SPANS ? intervalMs : Math.min(intervalMs, REST_MAX_MS));
  }

  /** Until then, or until somebody waits. */
  async rest(ms: number): Promise<void> {
    if (this.#waiting.length > 0) return;
    this.#wake = new AbortController();
    const { signal } = this.#counting;
    await pause(ms, AbortSignal.any([signal, this.#wake.signal]));
  }

  /** Whether there is more to do in this round. */
  async #takeStep(waiting: readonly Waiting[]): Promise<boolean> {
    const { prefix, signal, onStep } = this.#counting;
    const startedMs = performance.now();
    const plannedAtMs = Date.now();
    const step = await this.#planner.plan(STEP_SPAN_COUNT_MAX, signal);
    const isSoon = waiting.length > 0 && isSoonCounted(step);
    if (!isSoon) settle(waiting, step === null);
    const mayStep = this.#pace.mayStep(step?.uncountedCount ?? 0, startedMs);
    this.#spanCount = mayStep ? (step?.spanCount ?? 0) : 0;
    if (!mayStep && !isSoon) {
      await this.rest((performance.now() - startedMs) * LOOK_REST);
      return false;
    }
    if (step === null) {
      this.#wasCounted(plannedAtMs);
      return false;
    }
    const taking = takeEdgeStep(this.#database, step, `${prefix}-edges`, signal, this.#memory);
    if (!(await isTakenHere(taking))) return false;
    if (step.spanCount >= step.uncountedCount) this.#wasCounted(plannedAtMs);
    settle(waiting, true);
    onStep();
    const tookMs = performance.now() - startedMs;
    this.#pace.stepped(step.spanCount, performance.now(), tookMs);
    await this.rest(tookMs);
    return step.spanCount < step.uncountedCount;
  }

  #wasCounted(untilMs: number): void {
    this.#countedUntilMs = untilMs;
    this.#counting.onCounted(untilMs);
  }

  #takeWaiting(): readonly Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    return waiting;
  }
}

/** In one step. */
function isSoonCounted(step: EdgeStep | null): boolean {
  return step !== null && step.spanCount >= step.uncountedCount;
}

/** Once: what is said to a promise again goes unheard. */
function settle(waiting: readonly Waiting[], isCounted: boolean): void {
  for (const tell of waiting) tell(isCounted);
}
