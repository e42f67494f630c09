/** What taking steps of any rollup has in common. */
import { setTimeout as delay } from "node:timers/promises";
import { CLICKHOUSE_CODE, clickHouseCodeOf } from "@callchain/schemas/clickhouse/errors.ts";

export interface Counting {
  readonly prefix: string;
  readonly signal: AbortSignal;
  readonly onStep: () => void;
  /** As CallCounter.countedUntilMs. */
  readonly onCounted: (untilMs: number) => void;
}

/** Whether the step was taken here; another builder may have taken it, or be taking it. */
export async function isTakenHere(taking: Promise<void>): Promise<boolean> {
  try {
    await taking;
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}

function isTaken(error: unknown): boolean {
  const code = clickHouseCodeOf(error);
  return code === CLICKHOUSE_CODE.valueIsNonZero || code === CLICKHOUSE_CODE.queryWithSameIdIsRunning;
}

export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
