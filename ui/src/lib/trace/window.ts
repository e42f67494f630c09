/** The stretch of time that the waterfall shows, and how it moves. Nanoseconds from the trace's start, x in CSS pixels. */
export interface TimeWindow {
  readonly t0: number;
  readonly t1: number;
}

/** Below this the bars' ends would fall between the digits that a float64 and a pixel can tell apart. */
const WINDOW_NANO_MIN = 10;

/** Into the trace's bounds, keeping the width where it fits. `endNano` is the trace's end. */
export function clampWindow(window: TimeWindow, endNano: number): TimeWindow {
  const width = Math.min(endNano, Math.max(WINDOW_NANO_MIN, window.t1 - window.t0));
  const t0 = Math.min(Math.max(0, window.t0), endNano - width);
  return { t0, t1: t0 + width };
}

/** Zooms so that what is at share `anchor` (0 left edge, 1 right edge) stays there. A factor below 1 shows less time. */
export function zoomWindow(window: TimeWindow, anchor: number, factor: number, endNano: number): TimeWindow {
  const width = window.t1 - window.t0;
  const wanted = Math.min(endNano, Math.max(WINDOW_NANO_MIN, width * factor));
  const fixed = window.t0 + anchor * width;
  return clampWindow({ t0: fixed - anchor * wanted, t1: fixed + (1 - anchor) * wanted }, endNano);
}

/** Moves by a share of the window's width; positive goes later. */
export function panWindow(window: TimeWindow, share: number, endNano: number): TimeWindow {
  const by = share * (window.t1 - window.t0);
  return clampWindow({ t0: window.t0 + by, t1: window.t1 + by }, endNano);
}

export function isWholeTrace(window: TimeWindow, endNano: number): boolean {
  return window.t0 <= 0 && window.t1 >= endNano;
}

/** A window around a span with room at both sides. */
export function windowAround(startNano: number, durationNano: number, endNano: number): TimeWindow {
  const room = Math.max(durationNano * 0.1, WINDOW_NANO_MIN / 2);
  return clampWindow({ t0: startNano - room, t1: startNano + durationNano + room }, endNano);
}

/** The least move that brings a span into view; the same window where it is in view, at least in part. */
export function panIntoView(window: TimeWindow, startNano: number, durationNano: number, endNano: number): TimeWindow {
  if (startNano + durationNano >= window.t0 && startNano <= window.t1) return window;
  const width = window.t1 - window.t0;
  const t0 = startNano - Math.max(0.1 * width, (width - durationNano) / 2);
  return clampWindow({ t0, t1: t0 + width }, endNano);
}

const UNITS: readonly (readonly [nano: number, unit: string])[] = [
  [3600e9, "h"],
  [60e9, "min"],
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "µs"],
  [1, "ns"],
];
const SECOND_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

export interface Tick {
  readonly nano: number;
  readonly label: string;
}

/** The smallest round step that gives at most `countMax` intervals; above a second the steps are those of a clock. */
export function tickStep(spanNano: number, countMax: number): number {
  const least = spanNano / Math.max(1, countMax);
  if (least > 1e9) {
    for (const seconds of SECOND_STEPS) if (seconds * 1e9 >= least) return seconds * 1e9;
    const hours = least / 3600e9;
    return roundUp125(hours) * 3600e9;
  }
  return Math.max(1, roundUp125(least));
}

function roundUp125(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  // A hair of tolerance, so that 0.2 / 0.1 counts as 2.
  for (const digit of [1, 2, 5]) if (digit * power >= value * (1 - 1e-9)) return digit * power;
  return 10 * power;
}

/** Round instants within the window, each labelled in the unit of the step's size with the digits that the step needs. */
export function buildTicks(window: TimeWindow, countMax: number, step = tickStep(window.t1 - window.t0, countMax)): Tick[] {
  const [unitNano, unit] = UNITS.find(([nano]) => window.t1 >= nano && step >= nano / 1000) ?? [1, "ns"];
  const digits = Math.max(0, -Math.floor(Math.log10(step / unitNano) + 1e-9));
  const ticks: Tick[] = [];
  for (let index = Math.ceil(window.t0 / step - 1e-9); index * step <= window.t1; index++) {
    const value = (index * step) / unitNano;
    ticks.push({ nano: index * step, label: index === 0 ? `0 ${unit}` : `${value.toFixed(digits)} ${unit}` });
  }
  return ticks;
}
