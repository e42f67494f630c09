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
/** After a step of so many spans more come soon, and questions are to find them counted: for so long the rest between rounds is shorter. */
const MANY_SPANS = 10_000;
const MANY_FOR_MS = 20_000;
const MANY_REST_MS = 1_500;
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
  /** When there was a step of many spans. */
  #manyAtMs = -Infinity;
  #tookMs = 0;

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
    this.#countedUntilMs = 0;
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

  /** Between two rounds; as long as the last step at least. */
  restBetween(intervalMs: number): Promise<void> {
    return this.rest(Math.max(this.#tookMs, this.#areMany() ? Math.min(intervalMs, MANY_REST_MS) : intervalMs));
  }

  #areMany(): boolean {
    return performance.now() - this.#manyAtMs < MANY_FOR_MS;
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
    if (!this.#pace.mayStep(step?.uncountedCount ?? 0, startedMs) && !isSoon) {
      this.#manyAtMs = -Infinity;
      await this.rest((performance.now() - startedMs) * LOOK_REST);
      return false;
    }
    if (step === null) {
      this.#wasCounted(plannedAtMs);
      return false;
    }
    const taking = takeEdgeStep(this.#database, step, `${prefix}-edges`, signal, this.#memory);
    if (!(await isTakenHere(taking))) return false;
    if (step.spanCount >= MANY_SPANS) this.#manyAtMs = performance.now();
    if (step.spanCount >= step.uncountedCount) this.#wasCounted(plannedAtMs);
    settle(waiting, true);
    onStep();
    this.#tookMs = performance.now() - startedMs;
    this.#pace.stepped(step.spanCount, performance.now(), this.#tookMs);
    if (step.spanCount >= step.uncountedCount) return false;
    await this.rest(this.#tookMs);
    return true;
  }

  #wasCounted(untilMs: number): void {
    this.#countedUntilMs = this.#areMany() ? untilMs : 0;
    this.#counting.onCounted(this.#countedUntilMs);
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
