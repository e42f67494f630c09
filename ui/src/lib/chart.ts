/** The geometry of a chart over time: scales, ticks and paths, without a DOM. */
import { scaleLinear } from "d3-scale";
import { area, curveStepAfter, line } from "d3-shape";

/** One step of a series; null: nothing was measured. */
export interface ChartPoint {
  readonly atMs: number;
  readonly value: number | null;
}

/** A round upper end for an axis that must show `max`; 1 where there is nothing to show. */
export function axisMax(max: number): number {
  return max <= 0 ? 1 : (scaleLinear([0, max], [0, 1]).nice(4).domain()[1] ?? max);
}

/** Round values from 0 to the upper end, about `count` of them. */
export function axisTicks(max: number, count = 4): number[] {
  return scaleLinear([0, max], [0, 1]).ticks(count);
}

const MINUTE_MS = 60_000;
const STEPS_MS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080].map((minutes) => minutes * MINUTE_MS);
const SECOND_STEPS_MS = [1000, 2000, 5000, 10_000, 15_000, 30_000];

/** Times on whole steps, at most `countMax`; `offsetMs` is the zone's offset from UTC, so that days start at local midnight. */
export function timeTicks(fromMs: number, toMs: number, countMax: number, offsetMs = 0): number[] {
  const steps = [...SECOND_STEPS_MS, ...STEPS_MS];
  const step = steps.find((candidate) => (toMs - fromMs) / candidate <= countMax) ?? (toMs - fromMs) / Math.max(1, countMax);
  const first = Math.ceil((fromMs + offsetMs) / step) * step - offsetMs;
  const ticks: number[] = [];
  for (let at = first; at <= toMs; at += step) ticks.push(at);
  return ticks;
}

/** An SVG line through the points; a gap where nothing was measured. A point between two gaps is drawn as a dot. */
export function linePath(points: readonly ChartPoint[], x: (atMs: number) => number, y: (value: number) => number): string {
  const isLonely = (index: number): boolean =>
    (points[index - 1]?.value ?? null) === null && (points[index + 1]?.value ?? null) === null;
  const path = line<ChartPoint>()
    .defined(({ value }) => value !== null)
    .x(({ atMs }) => round(x(atMs)))
    .y(({ value }) => round(y(value ?? 0)))(points);
  const dots = points.map(({ atMs, value }, index) =>
    value !== null && isLonely(index) ? `M${round(x(atMs)) - 1.5},${round(y(value))}h3` : "",
  );
  return `${path ?? ""}${dots.join("")}`;
}

/** Columns of counts from the axis up, as one area of steps; `stepMs` is the width of the last one. */
export function columnsPath(
  points: readonly ChartPoint[],
  stepMs: number,
  x: (atMs: number) => number,
  y: (value: number) => number,
): string {
  const last = points.at(-1);
  if (last === undefined) return "";
  const closed = [...points, { atMs: last.atMs + stepMs, value: last.value }];
  return (
    area<ChartPoint>()
      .x(({ atMs }) => round(x(atMs)))
      .y0(round(y(0)))
      .y1(({ value }) => round(y(value ?? 0)))
      .curve(curveStepAfter)(closed) ?? ""
  );
}

/** The index of the step that holds an instant, or -1 outside of the series. */
export function stepAt(points: readonly ChartPoint[], stepMs: number, atMs: number): number {
  const first = points[0];
  if (first === undefined) return -1;
  const index = Math.floor((atMs - first.atMs) / stepMs);
  return index >= 0 && index < points.length ? index : -1;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
