/** Questions that may be too large: what cannot be answered within the limits is asked of less. */
import { unixNano } from "@callchain/schemas/span/time.ts";
import { isBeyondLimits, type Asking, type TimeRange } from "./range.ts";

/** Asks of the whole range, else of its newest sixteenth; `reasons` says so then. Rejects where that is too much as well. */
export async function askWithinLimits<T>(
  range: TimeRange,
  { signal }: Asking,
  ask: (range: TimeRange) => Promise<T>,
): Promise<{ readonly answer: T; readonly reasons: readonly string[] }> {
  try {
    return { answer: await ask(range), reasons: [] };
  } catch (error) {
    if (!isBeyondLimits(error) || signal.aborted) throw error;
  }
  const newest = { from: unixNano(range.to - (range.to - range.from) / 16n - 1n), to: range.to };
  const reason =
    "Only the newest sixteenth of the time range was looked at, since all of it takes too long; narrow the time range or the query.";
  return { answer: await ask(newest), reasons: [reason] };
}
