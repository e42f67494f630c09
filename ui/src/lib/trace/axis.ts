/**
 * The waterfall's time axis. As sent, an instant stands where it is; with idle time compressed, every long stretch in which no span ran
 * is drawn short. The window, zoom and pan live in "shown" nanoseconds, which this class translates:
 *
 *   sent   0 |==span==| 10 ................ 9,010 |==span==| 9,020        idle 10 to 9,010
 *   shown  0 |==span==| 10 .. 11 |==span==| 21                           drawn as 1
 */
import type { TraceModel } from "./model.ts";
import { buildTicks, tickStep, type Tick, type TimeWindow } from "./window.ts";

/** A stretch in which no span ran, in nanoseconds from the trace's start. */
export interface IdleStretch {
  readonly from: number;
  readonly to: number;
}

/** Shorter ones, as shares of the trace, are left as they are. */
const IDLE_SHARE_MIN = 0.02;
const IDLE_COUNT_MAX = 64;
/** A compressed stretch is drawn as long as this share of all time that is not idle. */
const SHOWN_SHARE = 0.03;

/** The longest stretches in which no span ran, early to late: where as many spans have ended as have begun. */
export function findIdle(model: TraceModel): IdleStretch[] {
  const { rowCount, endNano } = model;
  const starts = model.start.slice(0, rowCount).sort();
  const ends = model.duration.slice(0, rowCount);
  for (let row = 0; row < rowCount; row++) ends[row] = (ends[row] ?? 0) + (model.start[row] ?? 0);
  ends.sort();
  const idle: IdleStretch[] = [];
  // In sorted order the n-th end is followed by an idle stretch where the next start comes after it.
  for (let at = 0; at + 1 < rowCount; at++) {
    const from = ends[at] ?? 0;
    const to = starts[at + 1] ?? 0;
    if (to - from >= endNano * IDLE_SHARE_MIN) idle.push({ from, to });
  }
  return idle
    .sort((a, b) => b.to - b.from - (a.to - a.from))
    .slice(0, IDLE_COUNT_MAX)
    .sort((a, b) => a.from - b.from);
}

export class TimeAxis {
  /** What is drawn short; empty where every instant stands where it is. */
  readonly idle: readonly IdleStretch[];
  /** The trace's end as shown. */
  readonly endShown: number;
  readonly #endNano: number;
  /** How long each stretch is drawn. */
  readonly #idleShown: number;
  /** By stretch, the nanoseconds taken out before it. */
  readonly #cutBefore: Float64Array;

  constructor(endNano: number, idle: readonly IdleStretch[] = []) {
    this.#endNano = endNano;
    const active = endNano - idle.reduce((sum, { from, to }) => sum + to - from, 0);
    this.#idleShown = Math.max(1, active * SHOWN_SHARE);
    this.idle = idle.filter(({ from, to }) => to - from > this.#idleShown);
    this.#cutBefore = new Float64Array(this.idle.length + 1);
    this.idle.forEach(({ from, to }, at) => {
      this.#cutBefore[at + 1] = (this.#cutBefore[at] ?? 0) + to - from - this.#idleShown;
    });
    this.endShown = endNano - (this.#cutBefore[this.idle.length] ?? 0);
  }

  /** Where an instant is drawn. Rises with the instant, also outside of the trace. */
  toShown(nano: number): number {
    const { idle } = this;
    if (idle.length === 0) return nano;
    const at = this.#firstEndingAfter((stretch) => stretch.to > nano);
    const stretch = idle[at];
    const cut = this.#cutBefore[at] ?? 0;
    if (stretch === undefined || nano <= stretch.from) return nano - cut;
    return stretch.from - cut + ((nano - stretch.from) / (stretch.to - stretch.from)) * this.#idleShown;
  }

  /** The instant that is drawn here. */
  toNano(shown: number): number {
    const { idle } = this;
    if (idle.length === 0) return shown;
    const at = this.#firstEndingAfter((stretch, index) => stretch.to - (this.#cutBefore[index + 1] ?? 0) > shown);
    const stretch = idle[at];
    const cut = this.#cutBefore[at] ?? 0;
    if (stretch === undefined || shown + cut <= stretch.from) return shown + cut;
    return stretch.from + ((shown + cut - stretch.from) / this.#idleShown) * (stretch.to - stretch.from);
  }

  #firstEndingAfter(endsAfter: (stretch: IdleStretch, index: number) => boolean): number {
    let low = 0;
    let high = this.idle.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const stretch = this.idle[middle];
      if (stretch !== undefined && endsAfter(stretch, middle)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The window of shown time that holds these instants. */
  windowToShown(window: TimeWindow): TimeWindow {
    return { t0: this.toShown(window.t0), t1: this.toShown(window.t1) };
  }

  windowToNano(window: TimeWindow): TimeWindow {
    return { t0: this.toNano(window.t0), t1: this.toNano(window.t1) };
  }

  /** Ticks of a window of shown time, none within what is compressed; each tick's `nano` is where it is drawn. */
  ticks(window: TimeWindow, countMax: number): Tick[] {
    if (this.idle.length === 0) return buildTicks(window, countMax);
    const step = tickStep(window.t1 - window.t0, countMax);
    const { t0, t1 } = this.windowToNano(window);
    const ticks: Tick[] = [];
    let from = 0;
    for (const stretch of [...this.idle, { from: Math.max(t1, this.#endNano), to: Infinity }]) {
      const part = { t0: Math.max(t0, from), t1: Math.min(t1, stretch.from) };
      if (part.t1 > part.t0) {
        for (const { nano, label } of buildTicks(part, countMax, step)) ticks.push({ nano: this.toShown(nano), label });
      }
      from = stretch.to;
    }
    return ticks;
  }
}
