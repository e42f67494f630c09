/** The check that every route with a `step` makes. */
import { STEP_COUNT_MAX, countPoints } from "../store/steps.ts";
import type { TimeRange } from "../store/range.ts";
import { refuseParameter } from "./problem.ts";

/** Throws ParameterError where the step, in nanoseconds, cuts the range into too many parts. null: none was given. */
export function checkStep(step: bigint | null, range: TimeRange): void {
  if (step === null || (step !== 0n && countPoints(range, step) <= STEP_COUNT_MAX)) return;
  throw refuseParameter("step", `${step}ns`, `a duration that cuts the range into at most ${STEP_COUNT_MAX} steps`);
}
