/** The step of a question. */
import type { ScanFigures } from "@callchain/schemas/clickhouse/database.ts";
import { NANO_PER_SECOND } from "@callchain/schemas/span/time.ts";
import type { GroupField, Query } from "../search/query.ts";
import { estimateSpanCount, type Asking, type TimeRange } from "./range.ts";
import { planRollup } from "./rollup-plan.ts";
import { chooseStepNano } from "./steps.ts";

const MINUTE_NANO = 60n * NANO_PER_SECOND;
/** A shorter range would be too few points. */
const MINUTES_MIN = 10n;
/** More spans than these are counted in whole minutes, which the rollups hold; 22 ns each they take from the raw spans. */
const SPAN_COUNT_MAX = 2_000_000;

export interface ChosenStep {
  readonly stepNano: bigint;
  readonly scans: readonly ScanFigures[];
}

/** What is to be cut into steps. */
interface Steps {
  readonly range: TimeRange;
  readonly query: Query;
  readonly by: GroupField | null;
}

/** The step that was asked for; else one of a round length, 60 to 120 of them where the range allows; no part of a minute where that would have many spans looked at one by one. */
export async function chooseStep(
  steps: Steps & { readonly stepNano: bigint | null },
  asking: Asking,
  spanCountMax = SPAN_COUNT_MAX,
): Promise<ChosenStep> {
  if (steps.stepNano !== null) return { stepNano: steps.stepNano, scans: [] };
  return await inMinutes(chooseStepNano(steps.range), steps, asking, spanCountMax);
}

/** `stepNano`, or a minute where the rollups then answer what many spans would have to be looked at for. */
export async function inMinutes(
  stepNano: bigint,
  { range, query, by }: Steps,
  asking: Asking,
  spanCountMax = SPAN_COUNT_MAX,
): Promise<ChosenStep> {
  const isLong = range.to - range.from >= MINUTES_MIN * MINUTE_NANO;
  if (stepNano >= MINUTE_NANO || !isLong || planRollup(range, { kind: "step", nano: MINUTE_NANO }, query, by) === null)
    return { stepNano, scans: [] };
  const { count, scans } = await estimateSpanCount(range, asking);
  return { stepNano: count > spanCountMax ? MINUTE_NANO : stepNano, scans };
}
