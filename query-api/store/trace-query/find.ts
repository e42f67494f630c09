/**
 * Search by a query that relates spans or has a pipeline: candidate traces from SQL, best first and in parts, then each trace's spans
 * are looked at in memory. Nothing but ids, times, and what the query asks for leaves the database.
 *
 * Newest first goes through the time range in growing windows from its end, and stops with the page. Every found trace stands where its
 * best matched span puts it; a candidate stands where its best possible span does, which is never worse. So what is found is certain
 * as soon as it is better than the last candidate looked at.
 */
import type { KnownResources } from "../../search/compile-attribute.ts";
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { NANO_PER_SECOND, UNIX_NANO_MAX, unixNano } from "@callchain/schemas/span/time.ts";
import { evaluateTrace, type SpanGroup } from "../../search/evaluate.ts";
import type { Plan } from "../../search/plan.ts";
import { isBeyondLimits, type Asking, type TimeRange } from "../range.ts";
import { compareKeys, type TraceKey, type TraceSort } from "../trace-keys.ts";
import { findCandidates, type Candidate } from "./candidates.ts";
import { readTraceSpans, type SpanIdentity, type TraceRows } from "./spans.ts";

export interface QuerySearch {
  readonly plan: Plan;
  readonly range: TimeRange;
  readonly sort: TraceSort;
  readonly wanted: number;
  readonly after: TraceKey | null;
  /** Where the spans may lie that what is found is related to; left out, in the range alone. */
  readonly relatedRange?: TimeRange;
  /** Of the spans in that range. */
  readonly resources: KnownResources | null;
  /** Told of all spans that are found, trace by trace. */
  readonly onFound?: (spans: readonly SpanIdentity[]) => void;
}

export interface FoundTrace extends TraceKey {
  readonly matchedSpanCount: number;
  /** Largest first. One, with an empty `by`, without by(). */
  readonly groups: readonly FoundGroup[];
}

export interface FoundGroup {
  readonly by: readonly (string | null)[];
  readonly count: number;
  /** The first by start. */
  readonly first: readonly SpanIdentity[];
}

export interface QueryFinding {
  /** Best first, `wanted` at most. */
  readonly traces: readonly FoundTrace[];
  /** Where the search goes on, where it stopped before it had `wanted` traces or had looked at everything. */
  readonly stoppedAt: TraceKey | null;
  /** Newest first: every span that is found and starts behind it is among what was told; null: the whole range was looked at. */
  readonly reachedNano: bigint | null;
  readonly scans: readonly ScanFigures[];
  readonly partialReasons: readonly string[];
  /** Those of them that do not go with `stoppedAt`. */
  readonly cutReasons: readonly string[];
}

/** Spans of one trace are related when they start within this time of what was found; ranges that are shorter are related in full. */
const AROUND_NANO = 3600n * NANO_PER_SECOND;
/** Shares of the range that the windows reach back to. */
const WINDOW_SHARES = [64n, 16n, 4n, 1n];
/** Shorter ranges are one window. */
const WINDOWED_NANO = 900n * NANO_PER_SECOND;
const CANDIDATE_COUNT_MAX = 1_000;
/** Of one search. */
const EVALUATED_COUNT_MAX = 10_000;
const ROW_COUNT_MAX = 1_000_000;
const BATCH_COUNTS = [60, 200, 500];
const TIME_MAX_MS = 8_000;
const FIRST_SPANS_MAX = 3;
const GROUPS_MAX = 20;
const LAST_ID = "f".repeat(32);
const FIRST_ID = "0".repeat(32);

export async function findByQuery(search: QuerySearch, asking: Asking): Promise<QueryFinding> {
  return await new Search(search, asking).run();
}

class Search {
  readonly #search: QuerySearch;
  readonly #asking: Asking;
  readonly #startedMs = performance.now();
  readonly #found: FoundTrace[] = [];
  readonly #seen = new Set<string>();
  readonly #scans: ScanFigures[] = [];
  readonly #cutTraces: string[] = [];
  #rowCount = 0;
  #batchCount = 0;
  readonly #relatedRange: TimeRange;
  readonly #start: TraceKey;
  /** Everything better than this has been looked at. */
  #reached: TraceKey;

  constructor(search: QuerySearch, asking: Asking) {
    this.#search = search;
    this.#asking = asking;
    this.#relatedRange = search.relatedRange ?? search.range;
    this.#start = search.after ?? { key: search.sort === "newest" ? 2n ** 63n - 1n : 2n ** 64n - 1n, traceId: LAST_ID };
    this.#reached = this.#start;
  }

  async run(): Promise<QueryFinding> {
    try {
      for (const window of this.#windows()) {
        const stopped = await this.#searchWindow(window);
        if (stopped !== null) return this.#finding(stopped === "limit" ? LIMIT_REASON : null, true);
      }
    } catch (error) {
      if (!isBeyondLimits(error) || this.#asking.signal.aborted) throw error;
      return this.#finding(TIME_REASON, true);
    }
    return this.#finding(null, false);
  }

  /** Newest first; the windows do not overlap. */
  #windows(): TimeRange[] {
    const { sort, range, after } = this.#search;
    const to = sort === "newest" && after !== null && after.key < range.to ? unixNano(after.key + 1n) : range.to;
    const length = to - range.from;
    if (length <= 0n) return [];
    if (sort === "slowest" || length <= WINDOWED_NANO) return [{ from: range.from, to }];
    let end = to;
    return WINDOW_SHARES.map((share) => {
      const window = { from: unixNano(to - length / share), to: end };
      end = window.from;
      return window;
    });
  }

  /** "page": there are enough. "limit": more was to be looked at than may be. null: the window is done. */
  async #searchWindow(window: TimeRange): Promise<"page" | "limit" | null> {
    const { sort, after } = this.#search;
    for (let behind: TraceKey | null = null; ;) {
      const { candidates, scan } = await findCandidates(
        {
          ...this.#search,
          window,
          around: sort === "slowest" ? this.#relatedRange : this.#near(window),
          keyMax: after?.key ?? null,
          behind,
          countMax: CANDIDATE_COUNT_MAX,
          timeoutMs: Math.max(1_000, this.#timeLeftMs()),
        },
        this.#asking,
      );
      this.#scans.push(scan);
      const fresh = candidates.filter(({ traceId }) => !this.#seen.has(traceId));
      const stopped = await this.#evaluate(fresh);
      if (stopped !== null) return stopped;
      const last = candidates.at(-1);
      if (last === undefined || candidates.length < CANDIDATE_COUNT_MAX) break;
      behind = last;
    }
    if (sort === "newest") this.#reached = { key: window.from, traceId: FIRST_ID };
    return this.#isPageFull() ? "page" : null;
  }

  async #evaluate(candidates: readonly Candidate[]): Promise<"page" | "limit" | null> {
    for (let next = 0; next < candidates.length;) {
      if (this.#seen.size >= EVALUATED_COUNT_MAX || this.#rowCount >= ROW_COUNT_MAX || this.#timeLeftMs() <= 0) return "limit";
      const batch = candidates.slice(next, next + (BATCH_COUNTS[Math.min(this.#batchCount, BATCH_COUNTS.length - 1)] ?? 1));
      this.#batchCount += 1;
      const done = await this.#evaluateBatch(batch);
      next += done;
      const last = candidates[next - 1];
      if (last !== undefined) this.#reached = last;
      if (this.#isPageFull()) return "page";
    }
    return null;
  }

  /** Returns how many of them were evaluated: all, or the first of them where their spans are too many to be read at once. */
  async #evaluateBatch(batch: readonly Candidate[]): Promise<number> {
    const from = batch.reduce((least, { fromNano }) => (fromNano < least ? fromNano : least), batch[0]?.fromNano ?? 0n);
    const to = batch.reduce((most, { toNano }) => (toNano > most ? toNano : most), 0n) + 1n;
    const { plan, resources } = this.#search;
    const answer = await readTraceSpans(
      {
        plan,
        traceIds: batch.map(({ traceId }) => traceId),
        range: this.#near({ from: unixNano(from), to: unixNano(to) }),
        scope: this.#relatedRange,
        resources,
        timeoutMs: Math.max(1_000, this.#timeLeftMs()),
      },
      this.#asking,
    );
    this.#scans.push(answer.scan);
    this.#rowCount += answer.rowCount;
    // Half of them again: what an answer of part of its spans finds would not be what the trace holds.
    if (answer.isCut && batch.length > 1) return await this.#evaluateBatch(batch.slice(0, Math.ceil(batch.length / 2)));
    if (answer.isCut) this.#cutTraces.push(...answer.traces.map(({ traceId }) => traceId));
    for (const trace of answer.traces) this.#judge(trace);
    for (const { traceId } of batch) this.#seen.add(traceId);
    return batch.length;
  }

  #judge(trace: TraceRows): void {
    const { plan, sort, after } = this.#search;
    const groups = evaluateTrace(plan, trace.spans);
    if (groups.length === 0) return;
    const spans = new Set(groups.flatMap((group) => group.spans));
    const identities = Array.from(spans, trace.identify);
    let key = 0n;
    for (const { startNano, durationNano } of identities) {
      const value = sort === "newest" ? startNano : durationNano;
      if (value > key) key = value;
    }
    const found: FoundTrace = {
      traceId: trace.traceId,
      key,
      matchedSpanCount: spans.size,
      groups: groups
        .toSorted((a, b) => b.spans.length - a.spans.length)
        .slice(0, GROUPS_MAX)
        .map((group) => buildGroup(group, trace)),
    };
    // It stood on an earlier page.
    if (after !== null && compareKeys(found, after) <= 0) return;
    this.#found.push(found);
    this.#search.onFound?.(identities);
  }

  #isPageFull(): boolean {
    return this.#certain().length >= this.#search.wanted;
  }

  /** What nothing that is still to come can stand before. */
  #certain(): FoundTrace[] {
    return this.#found.filter((trace) => compareKeys(trace, this.#reached) <= 0);
  }

  #finding(reason: string | null, isStopped: boolean): QueryFinding {
    const traces = (isStopped ? this.#certain() : this.#found).toSorted(compareKeys).slice(0, this.#search.wanted);
    const cut = `Of ${this.#cutTraces.length} traces only the first spans were looked at, since they have too many.`;
    const cutReasons = this.#cutTraces.length > 0 ? [cut] : [];
    // A search that would go on where it began has nothing to gain from another try.
    const goesOn = isStopped && traces.length < this.#search.wanted && this.#reached !== this.#start;
    return {
      traces,
      stoppedAt: goesOn ? this.#reached : null,
      reachedNano: isStopped ? this.#reached.key : null,
      scans: this.#scans,
      partialReasons: [...(reason === null ? [] : [reason]), ...cutReasons],
      cutReasons,
    };
  }

  #near({ from, to }: TimeRange): TimeRange {
    return shorten(widen({ from, to }), this.#relatedRange);
  }

  #timeLeftMs(): number {
    return Math.ceil(TIME_MAX_MS - (performance.now() - this.#startedMs));
  }
}

/** To where spans are related to those in the range. */
export function widen({ from, to }: TimeRange): TimeRange {
  return shorten({ from: from - AROUND_NANO, to: to + AROUND_NANO }, { from: unixNano(0n), to: UNIX_NANO_MAX });
}

function shorten(range: { readonly from: bigint; readonly to: bigint }, within: TimeRange): TimeRange {
  return {
    from: range.from > within.from ? unixNano(range.from) : within.from,
    to: range.to < within.to ? unixNano(range.to) : within.to,
  };
}

const GO_ON = "the next page goes on from there, or narrow the time range or the query.";
const LIMIT_REASON = `The search stopped after ${EVALUATED_COUNT_MAX} traces that could match, or what they hold; ${GO_ON}`;
const TIME_REASON = `The search took longer than it may and was stopped; ${GO_ON}`;

function buildGroup({ by, spans }: SpanGroup, trace: TraceRows): FoundGroup {
  return { by, count: spans.length, first: spans.slice(0, FIRST_SPANS_MAX).map(trace.identify) };
}
