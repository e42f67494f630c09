/** The geometry of the latency heatmap, without a DOM: which cell is where, how dark it is, and regions of whole cells. */
import type { HeatmapAnswer, HeatmapCell } from "@callchain/schemas/api/aggregates.ts";
import type { Brush } from "./search-view.ts";

/** Cells from `left` up to but without `right`, and from the row `low` up to but without `high`; rows count from the shortest duration. */
export interface CellRegion {
  readonly left: number;
  readonly right: number;
  readonly low: number;
  readonly high: number;
}

export interface HeatmapSize {
  readonly columnCount: number;
  readonly rowCount: number;
}

export function heatmapSize({ timesNano, durationBoundsNano }: HeatmapAnswer): HeatmapSize {
  return { columnCount: timesNano.length, rowCount: Math.max(0, durationBoundsNano.length - 1) };
}

/** From 0 (empty) to 1 (the fullest cell), by the logarithm: latencies are spread over orders of magnitude, and so are their counts. */
export function cellShade(count: number, countMax: number): number {
  if (count <= 0) return 0;
  return countMax <= 1 ? 1 : 0.22 + 0.78 * (Math.log(count) / Math.log(countMax));
}

/** The region between two cells, both in it, whichever way it was dragged. */
export function regionBetween(a: { column: number; row: number }, b: { column: number; row: number }): CellRegion {
  return {
    left: Math.min(a.column, b.column),
    right: Math.max(a.column, b.column) + 1,
    low: Math.min(a.row, b.row),
    high: Math.max(a.row, b.row) + 1,
  };
}

/** The times and durations of a region, cut to the range that was asked for. */
export function brushOfRegion(region: CellRegion, answer: HeatmapAnswer): Brush {
  const { columnCount } = heatmapSize(answer);
  const stepNano = BigInt(Math.round(answer.stepSeconds * 1e9));
  const time = (column: number): bigint =>
    column < columnCount ? BigInt(answer.timesNano[column] ?? 0) : BigInt(answer.timesNano[columnCount - 1] ?? 0) + stepNano;
  const [rangeFrom, rangeTo] = [BigInt(answer.fromNano), BigInt(answer.toNano)];
  const from = time(region.left);
  const to = time(region.right);
  return {
    fromNano: from < rangeFrom ? rangeFrom : from,
    toNano: to > rangeTo ? rangeTo : to,
    minNano: BigInt(Math.round(answer.durationBoundsNano[region.low] ?? 0)),
    maxNano: BigInt(Math.round(answer.durationBoundsNano[region.high] ?? 0)),
  };
}

/** The cells that a brush touches, for an answer that may be of another time or have other rows; null where none does. */
export function regionOfBrush(brush: Brush, answer: HeatmapAnswer): CellRegion | null {
  const { columnCount, rowCount } = heatmapSize(answer);
  const stepNano = BigInt(Math.round(answer.stepSeconds * 1e9));
  const columns = answer.timesNano.map(BigInt);
  const left = columns.findIndex((start) => start + stepNano > brush.fromNano);
  const right = columns.findLastIndex((start) => start < brush.toNano) + 1;
  const bounds = answer.durationBoundsNano.map((bound) => BigInt(Math.round(bound)));
  const low = bounds.findIndex((_, row) => row < rowCount && (bounds[row + 1] ?? 0n) > brush.minNano);
  const high = bounds.findLastIndex((bound, row) => row < rowCount && bound < brush.maxNano) + 1;
  if (columnCount === 0 || left === -1 || low === -1 || left >= right || low >= high) return null;
  return { left, right, low, high };
}

/** Moved by whole cells, or with `resize` its far corner; stays within the heatmap and is never empty. */
export function moveRegion(
  region: CellRegion,
  by: { readonly columns: number; readonly rows: number },
  resize: boolean,
  { columnCount, rowCount }: HeatmapSize,
): CellRegion {
  const clamp = (value: number, min: number, max: number): number => Math.min(Math.max(value, min), max);
  if (resize) {
    return {
      ...region,
      right: clamp(region.right + by.columns, region.left + 1, columnCount),
      high: clamp(region.high + by.rows, region.low + 1, rowCount),
    };
  }
  const [width, height] = [region.right - region.left, region.high - region.low];
  const left = clamp(region.left + by.columns, 0, columnCount - width);
  const low = clamp(region.low + by.rows, 0, rowCount - height);
  return { left, right: left + width, low, high: low + height };
}

/** Where the keyboard begins: the slowest quarter of the rows that hold anything, over all columns. */
export function firstRegion({ columnCount, rowCount }: HeatmapSize): CellRegion {
  return { left: 0, right: columnCount, low: Math.min(rowCount - 1, Math.floor(rowCount * 0.75)), high: rowCount };
}

export function countWithin(cells: readonly HeatmapCell[], region: CellRegion): { count: number; errorCount: number } {
  const sum = { count: 0, errorCount: 0 };
  for (const { time, duration, count, errorCount } of cells) {
    if (time < region.left || time >= region.right || duration < region.low || duration >= region.high) continue;
    sum.count += count;
    sum.errorCount += errorCount;
  }
  return sum;
}

const DECADES_NANO = [
  ...[1, 10, 100].flatMap((digit) => [digit, digit * 1e3, digit * 1e6]),
  ...[1, 10, 60, 600, 3600, 36_000, 86_400, 864_000].map((seconds) => seconds * 1e9),
];
const BETWEEN_NANO = [
  ...[2, 5, 20, 50, 200, 500].flatMap((digit) => [digit, digit * 1e3, digit * 1e6]),
  ...[2, 5, 30, 120, 300, 1800, 7200, 18_000, 43_200, 172_800, 432_000].map((seconds) => seconds * 1e9),
];

export interface DurationTick {
  readonly nano: number;
  /** Rows from the shortest duration up to it, with a fraction. */
  readonly row: number;
}

/** Round durations within the rows' bounds, else the bounds' ends; at most `countMax` where a decade each would not be more already. */
export function durationTicks(boundsNano: readonly number[], countMax: number): DurationTick[] {
  const within = (candidates: readonly number[]): DurationTick[] =>
    candidates
      .toSorted((a, b) => a - b)
      .flatMap((nano) => {
        const row = rowOf(nano, boundsNano);
        return row === null ? [] : [{ nano, row }];
      });
  const all = within([...DECADES_NANO, ...BETWEEN_NANO]);
  const round = all.length <= countMax ? all : within(DECADES_NANO);
  // A scale needs two: where the rows span less than a round step, their own ends.
  if (round.length >= 2) return round;
  return [0, boundsNano.length - 1].flatMap((row) => (boundsNano[row] === undefined ? [] : [{ nano: boundsNano[row], row }]));
}

/** Bounds rise by the same factor, so between two of them the logarithm tells the place. */
function rowOf(nano: number, boundsNano: readonly number[]): number | null {
  const above = boundsNano.findIndex((bound) => bound >= nano);
  const upper = boundsNano[above];
  if (above === -1 || upper === undefined) return null;
  if (upper === nano) return above;
  const lower = boundsNano[above - 1];
  if (lower === undefined) return null;
  const share = lower <= 0 ? nano / upper : Math.log(nano / lower) / Math.log(upper / lower);
  return above - 1 + share;
}
