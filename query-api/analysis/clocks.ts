/**
 * How far two hosts' clocks are apart, from the calls between them. A synchronous call lies within its caller, so on true clocks
 *
 *   caller start <= callee start + offset   and   callee end + offset <= caller end
 *
 * which leaves an interval of possible offsets per call (Cristian, "Probabilistic clock synchronization", 1989). Calls whose interval
 * holds 0 fit as stamped; the others cannot have happened so. The offset is what makes most calls possible at once - the middle of the
 * deepest overlap, as Marzullo's algorithm has it (NTP, RFC 5905 section 11.2.1) - so that single calls with odd times do not count.
 *
 *   call 1      |-----------|              offsets from 0: call 1 and 2 exclude 0, call 3 allows it
 *   call 2            |---------|          deepest overlap: 3 calls
 *   call 3   0  |---------------------|    offset: its middle
 *                     |--*--|
 *
 * A callee that starts within its caller and merely ends after it tells nothing: the caller may have stopped waiting.
 */
import type { ClockOffset } from "@callchain/schemas/api/analysis.ts";

/** Calls kept per pair of hosts; more of them would tell no more. */
const CALL_COUNT_MAX = 5_000;

const HIGH_CALL_COUNT = 20;
const HIGH_FIT_SHARE = 0.95;
const MEDIUM_CALL_COUNT = 3;
const MEDIUM_FIT_SHARE = 0.8;
/** To the half-width of the interval, where the offset itself is small. */
const PRECISE_NANO = 1_000_000;

export type ClockEstimate = Omit<ClockOffset, "callerHost" | "calleeHost">;

export class ClockEvidence {
  readonly #least: number[] = [];
  readonly #greatest: number[] = [];

  /** One call's times in nanoseconds, each side by its own clock. */
  add(callerFrom: number, callerTo: number, from: number, to: number): void {
    const least = callerFrom - from;
    const greatest = callerTo - to;
    if (greatest < least || this.#least.length >= CALL_COUNT_MAX) return;
    const fits = least <= 0 && greatest >= 0;
    if (!fits && from >= callerFrom && from < callerTo) return;
    this.#least.push(least);
    this.#greatest.push(greatest);
  }

  get callCount(): number {
    return this.#least.length;
  }

  /** At least one call must have told something. */
  estimate(): ClockEstimate {
    const fitCount = countHolding(this.#least, this.#greatest, 0);
    const callCount = this.callCount;
    const best = deepestOverlap(this.#least, this.#greatest);
    const differs = best.depth >= 2 * fitCount + 1 || (best.depth - fitCount >= 3 && best.depth >= 0.9 * callCount);
    const region = differs ? best : overlapAtZero(this.#least, this.#greatest);
    const offsetNano = differs ? Math.round((region.least + region.greatest) / 2) : 0;
    const fitShare = (differs ? best.depth : fitCount) / callCount;
    const halfWidth = (region.greatest - region.least) / 2;
    const isPrecise = halfWidth <= Math.max(PRECISE_NANO, Math.abs(offsetNano) / 2);
    return {
      offsetNano,
      leastNano: region.least,
      greatestNano: region.greatest,
      callCount,
      misfitCount: callCount - fitCount,
      fitShare,
      confidence:
        callCount >= HIGH_CALL_COUNT && fitShare >= HIGH_FIT_SHARE && isPrecise
          ? "high"
          : callCount >= MEDIUM_CALL_COUNT && fitShare >= MEDIUM_FIT_SHARE
            ? "medium"
            : "low",
    };
  }
}

interface Overlap {
  readonly least: number;
  readonly greatest: number;
  readonly depth: number;
}

function countHolding(least: readonly number[], greatest: readonly number[], offset: number): number {
  return least.reduce((count, low, at) => (low <= offset && (greatest[at] ?? low) >= offset ? count + 1 : count), 0);
}

/** Where most intervals overlap; of several such places the one nearest to 0. */
function deepestOverlap(least: readonly number[], greatest: readonly number[]): Overlap {
  const opens = Float64Array.from(least).sort();
  const closes = Float64Array.from(greatest).sort();
  let best: Overlap = { least: 0, greatest: 0, depth: 0 };
  let closed = 0;
  for (let opened = 1; opened <= opens.length; opened += 1) {
    const from = opens[opened - 1] ?? 0;
    while (closed < closes.length && (closes[closed] ?? 0) < from) closed += 1;
    const depth = opened - closed;
    const to = closes[closed] ?? from;
    const isNearer = depth === best.depth && distanceToZero(from, to) < distanceToZero(best.least, best.greatest);
    if (depth > best.depth || isNearer) best = { least: from, greatest: to, depth };
  }
  return best;
}

function distanceToZero(least: number, greatest: number): number {
  return Math.max(0, least, -greatest);
}

/** What the calls that hold 0 allow together. */
function overlapAtZero(least: readonly number[], greatest: readonly number[]): Overlap {
  let [low, high, depth] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 0];
  least.forEach((from, at) => {
    const to = greatest[at] ?? from;
    if (from > 0 || to < 0) return;
    low = Math.max(low, from);
    high = Math.min(high, to);
    depth += 1;
  });
  return depth === 0 ? { least: 0, greatest: 0, depth } : { least: low, greatest: high, depth };
}
