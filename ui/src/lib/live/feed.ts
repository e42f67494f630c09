/** The live tail's list: the newest spans on top, a bounded number of them, and how many came a second. */
import type { TailSpan } from "@callchain/schemas/api/tail.ts";

/** Rows on the page; older ones leave it. */
export const FEED_ROWS_MAX = 500;
/** Over which the rate is counted. */
const RATE_WINDOW_MS = 10_000;

export interface FeedRow {
  /** Rises with every span: two spans may share their ids. */
  readonly number: number;
  readonly span: TailSpan;
}

export class Feed {
  #rows: readonly FeedRow[] = [];
  #held: readonly FeedRow[] = [];
  #isHolding = false;
  #arrivals: { readonly atMs: number; readonly count: number }[] = [];
  #number = 0;
  #heldCount = 0;
  receivedCount = 0;

  /** What is shown, newest first. */
  get rows(): readonly FeedRow[] {
    return this.#rows;
  }

  /** Spans that wait behind a pause; the list keeps the newest of them. */
  get heldCount(): number {
    return this.#heldCount;
  }

  /** `spans` in the order of their starts, as the stream has them. */
  push(spans: readonly TailSpan[], nowMs: number): void {
    const rows = spans.map((span) => ({ number: this.#number++, span })).toReversed();
    this.receivedCount += spans.length;
    this.#arrivals.push({ atMs: nowMs, count: spans.length });
    if (this.#isHolding) {
      this.#heldCount += spans.length;
      this.#held = [...rows, ...this.#held].slice(0, FEED_ROWS_MAX);
    } else {
      this.#rows = [...rows, ...this.#rows].slice(0, FEED_ROWS_MAX);
    }
  }

  /** While it holds, the rows stand still. */
  hold(isHolding: boolean): void {
    this.#isHolding = isHolding;
    if (isHolding) return;
    this.#rows = [...this.#held, ...this.#rows].slice(0, FEED_ROWS_MAX);
    this.#held = [];
    this.#heldCount = 0;
  }

  clear(): void {
    this.#rows = [];
    this.#held = [];
    this.#heldCount = 0;
  }

  /** Spans a second over the last ten. */
  rate(nowMs: number): number {
    this.#arrivals = this.#arrivals.filter(({ atMs }) => nowMs - atMs < RATE_WINDOW_MS);
    return this.#arrivals.reduce((sum, { count }) => sum + count, 0) / (RATE_WINDOW_MS / 1_000);
  }
}
