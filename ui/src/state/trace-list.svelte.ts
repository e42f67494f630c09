/** Traces page by page: the first as many as the URL says, further ones by the cursor of the answer before. */
import type { Problem, Scan } from "@callchain/schemas/api/common.ts";
import type { TraceSearchAnswer } from "@callchain/schemas/api/traces.ts";
import { api, type ApiParams } from "../lib/api.ts";
import { Resource } from "./resource.svelte.ts";

/** What one request may ask for. */
const REQUEST_LIMIT_MAX = 200;

export class TraceList {
  readonly #first = new Resource<TraceSearchAnswer>();
  readonly #more = new Resource<TraceSearchAnswer>();
  #params: ApiParams = {};
  #base = $state.raw<TraceSearchAnswer | undefined>(undefined);
  #joined = $state.raw<TraceSearchAnswer | undefined>(undefined);

  /** Everything loaded so far. While another search is loaded the one before stays. */
  get answer(): TraceSearchAnswer | undefined {
    return this.#base !== undefined && this.#base === this.#first.value ? this.#joined : this.#first.value;
  }
  get loading(): boolean {
    return this.#first.loading;
  }
  get problem(): Problem | null {
    return this.#first.problem;
  }
  get moreLoading(): boolean {
    return this.#more.loading;
  }
  get moreProblem(): Problem | null {
    return this.#more.problem;
  }

  /** Loads the first `count`; as Resource.load, returns what gives it up. */
  load(params: ApiParams, count: number): () => void {
    this.#params = params;
    this.#more.problem = null;
    return this.#first.load((signal) => findMany(params, null, count, signal));
  }

  retry(): void {
    this.#first.retry();
  }

  /** Loads `count` more and adds them; `then` hears how many there are now. */
  more(count: number, then: (shown: number) => void): void {
    const base = this.#first.value;
    const before = this.answer;
    if (base === undefined || before === undefined || before.nextCursor === null || this.moreLoading) return;
    const { nextCursor } = before;
    this.#more.load(async (signal) => {
      const next = await findMany(this.#params, nextCursor, count, signal);
      // Another search may have been loaded meanwhile: these belong to the one before.
      if (this.#first.value === base) {
        this.#base = base;
        this.#joined = joinAnswers(before, next);
        then(this.#joined.traces.length);
      }
      return next;
    });
  }
}

async function findMany(params: ApiParams, from: string | null, count: number, signal: AbortSignal): Promise<TraceSearchAnswer> {
  let answer = await api.findTraces({ ...params, limit: Math.min(count, REQUEST_LIMIT_MAX), cursor: from }, signal);
  while (answer.nextCursor !== null && answer.traces.length < count) {
    const limit = Math.min(count - answer.traces.length, REQUEST_LIMIT_MAX);
    answer = joinAnswers(answer, await api.findTraces({ ...params, limit, cursor: answer.nextCursor }, signal));
  }
  return answer;
}

/** A trace that gained spans between two answers may be in both. */
function joinAnswers(first: TraceSearchAnswer, second: TraceSearchAnswer): TraceSearchAnswer {
  const known = new Set(first.traces.map(({ traceId }) => traceId));
  return {
    ...second,
    traces: [...first.traces, ...second.traces.filter(({ traceId }) => !known.has(traceId))],
    scan: joinScans(first.scan, second.scan),
  };
}

function joinScans(first: Scan, second: Scan): Scan {
  return {
    rows: first.rows + second.rows,
    bytes: first.bytes + second.bytes,
    elapsedMs: first.elapsedMs + second.elapsedMs,
    partial: first.partial || second.partial,
    partialReason: first.partialReason ?? second.partialReason,
  };
}
