/** How a time range is cut into steps: of a round length, beginning at multiples of it since the epoch. */
import { NANO_PER_MILLI, NANO_PER_SECOND } from "@callchain/schemas/span/time.ts";
import type { TimeRange } from "./range.ts";

export const STEP_COUNT_MAX = 2_000;
const POINT_COUNT_GOAL = 120n;

const ROUND_STEPS_NANO: readonly bigint[] = [
  ...[1n, 2n, 5n, 10n, 20n, 50n, 100n, 200n, 500n].map((ms) => ms * NANO_PER_MILLI),
  ...[1n, 2n, 5n, 10n, 15n, 30n, 60n, 120n, 300n, 600n, 900n, 1800n, 3600n, 7200n, 10_800n, 21_600n, 43_200n].map(
    (seconds) => seconds * NANO_PER_SECOND,
  ),
];
const DAY_NANO = 86_400n * NANO_PER_SECOND;

/** The shortest round step that covers the range with at most 120 points; whole days beyond 60 days. */
export function chooseStepNano({ from, to }: TimeRange): bigint {
  const length = to - from;
  const round = ROUND_STEPS_NANO.find((step) => length <= step * POINT_COUNT_GOAL);
  if (round !== undefined) return round;
  const dayCount = (length + DAY_NANO * POINT_COUNT_GOAL - 1n) / (DAY_NANO * POINT_COUNT_GOAL);
  return dayCount * DAY_NANO;
}

/** Steps begin at multiples of their length since the epoch, so that two questions share them; the first and last may be cut by the range. */
export function countPoints({ from, to }: TimeRange, stepNano: bigint): number {
  return Number((to - 1n) / stepNano - from / stepNano) + 1;
}
