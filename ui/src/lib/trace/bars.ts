/**
 * What the canvases draw, as numbers in pixels: bars of groups merged below a pixel, and the minimap's columns. Windows and instants are
 * in shown time (axis.ts) where nothing else is said.
 */
import type { TimeAxis } from "./axis.ts";
import type { TraceModel } from "./model.ts";
import type { TimeWindow } from "./window.ts";

/** Nothing thinner than this is drawn, so that the shortest span can be seen. */
const BAR_WIDTH_MIN = 2;

/** x of an instant in a pane of this width; not clipped. */
export function xOf(nano: number, window: TimeWindow, width: number): number {
  return ((nano - window.t0) / (window.t1 - window.t0)) * width;
}

export function nanoAt(x: number, window: TimeWindow, width: number): number {
  return window.t0 + (x / width) * (window.t1 - window.t0);
}

export interface Bar {
  readonly x0: number;
  readonly x1: number;
}

/** The part of a span that the pane shows, at least BAR_WIDTH_MIN wide; null where it lies outside. */
export function barOf(startNano: number, durationNano: number, window: TimeWindow, width: number): Bar | null {
  const from = xOf(startNano, window, width);
  const to = xOf(startNano + durationNano, window, width);
  if (to < 0 || from > width) return null;
  const x0 = Math.min(Math.max(0, from), Math.max(0, width - BAR_WIDTH_MIN));
  return { x0, x1: Math.max(x0 + BAR_WIDTH_MIN, Math.min(width, to)) };
}

/** Between a bar and its label. */
export const LABEL_GAP = 5;

/**
 * x of a label beside bars that are sorted and do not touch: right of the last, else left of the first, else in the widest room between two
 * of them; null where it fits nowhere.
 */
export function labelSpot(bars: readonly Bar[], needed: number, width: number): number | null {
  const first = bars[0];
  const last = bars.at(-1);
  if (first === undefined || last === undefined) return null;
  if (last.x1 + LABEL_GAP + needed <= width) return last.x1 + LABEL_GAP;
  if (first.x0 - LABEL_GAP - needed >= 0) return first.x0 - LABEL_GAP - needed;
  let spot: number | null = null;
  let widest = needed + 2 * LABEL_GAP;
  for (let at = 0; at + 1 < bars.length; at++) {
    const room = (bars[at + 1]?.x0 ?? 0) - (bars[at]?.x1 ?? 0);
    if (room < widest) continue;
    widest = room;
    spot = (bars[at]?.x1 ?? 0) + LABEL_GAP;
  }
  return spot;
}

/** Index of the first member that starts after this instant; members are sorted by start. */
function firstAfter(model: TraceModel, members: Int32Array, nano: number): number {
  let low = 0;
  let high = members.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((model.start[members[middle] ?? 0] ?? 0) > nano) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The members' bars with those that touch joined: at most one bar per two pixels, however many members. */
export function mergeBars(model: TraceModel, members: Int32Array, axis: TimeAxis, window: TimeWindow, width: number): Bar[] {
  const bars: Bar[] = [];
  let x0 = -1;
  let x1 = -1;
  const { start, duration } = model;
  const end = firstAfter(model, members, axis.toNano(window.t1));
  const isPlain = axis.idle.length === 0;
  const scale = width / (window.t1 - window.t0);
  for (let at = 0; at < end; at++) {
    const row = members[at] ?? 0;
    const began = start[row] ?? 0;
    const ended = began + (duration[row] ?? 0);
    const from = ((isPlain ? began : axis.toShown(began)) - window.t0) * scale;
    const to = ((isPlain ? ended : axis.toShown(ended)) - window.t0) * scale;
    if (to < 0) continue;
    const left = Math.min(Math.max(0, from), Math.max(0, width - BAR_WIDTH_MIN));
    const right = Math.max(left + BAR_WIDTH_MIN, Math.min(width, to));
    if (x1 >= 0 && left <= x1 + 1) {
      x1 = Math.max(x1, right);
      continue;
    }
    if (x1 >= 0) bars.push({ x0, x1 });
    x0 = left;
    x1 = right;
  }
  if (x1 >= 0) bars.push({ x0, x1 });
  return bars;
}

export interface Density {
  /** Spans in progress per column. */
  readonly counts: Uint32Array;
  readonly countMax: number;
  /** 1 in the columns in which an erroneous span starts. */
  readonly errors: Uint8Array;
}

/** The whole trace in `columns` columns: a running sum over where spans begin and end. */
export function buildDensity(model: TraceModel, axis: TimeAxis, columns: number): Density {
  const changes = new Int32Array(columns + 1);
  const errors = new Uint8Array(columns);
  const { start, duration, rowCount } = model;
  const scale = columns / axis.endShown;
  const isPlain = axis.idle.length === 0;
  for (let row = 0; row < rowCount; row++) {
    const began = start[row] ?? 0;
    const ended = began + (duration[row] ?? 0);
    const from = Math.min(columns - 1, Math.max(0, Math.floor((isPlain ? began : axis.toShown(began)) * scale)));
    const to = Math.min(columns - 1, Math.max(from, Math.floor((isPlain ? ended : axis.toShown(ended)) * scale)));
    changes[from] = (changes[from] ?? 0) + 1;
    changes[to + 1] = (changes[to + 1] ?? 0) - 1;
    if (model.isError(row)) errors[from] = 1;
  }
  const counts = new Uint32Array(columns);
  let running = 0;
  let countMax = 0;
  for (let column = 0; column < columns; column++) {
    running += changes[column] ?? 0;
    counts[column] = running;
    countMax = Math.max(countMax, running);
  }
  return { counts, countMax, errors };
}
