/**
 * When the next edges are counted. While ingest is busy, counting takes a hundredth of a core: at 120,000 spans a second 0.1 CPU seconds
 * per million. What is not counted meanwhile, questions join. Arrivals are looked at again while it rests, so that a burst delays it only as
 * long as it lasts. Pure.
 */

/** With more than these arriving, ingest comes before all else. */
export const BUSY_SPANS_PER_SECOND = 30_000;
/** After a step, times its own length. */
const BUSY_REST = 99;

export class EdgePace {
  #left = 0;
  #lookedAtMs: number;
  #restsUntilMs = 0;

  constructor(nowMs: number) {
    this.#lookedAtMs = nowMs;
  }

  /** Whether a step may be taken now that `uncountedCount` spans wait. */
  mayStep(uncountedCount: number, nowMs: number): boolean {
    const perSecond = ((uncountedCount - this.#left) * 1000) / Math.max(1, nowMs - this.#lookedAtMs);
    this.#left = uncountedCount;
    this.#lookedAtMs = nowMs;
    return perSecond <= BUSY_SPANS_PER_SECOND || nowMs >= this.#restsUntilMs;
  }

  /** A step of so many of them was taken. */
  stepped(spanCount: number, nowMs: number, tookMs: number): void {
    this.#left -= spanCount;
    this.#restsUntilMs = nowMs + tookMs * BUSY_REST;
  }
}
