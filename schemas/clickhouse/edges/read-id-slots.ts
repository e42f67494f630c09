/** Ids of stored spans, for CountedIds. */
import type { QueryOptions, SpanDatabase } from "../database.ts";
import { joinArrays, joinFixed } from "../native/join-columns.ts";
import { readBlocks } from "../native/read-blocks.ts";
import { readInt64 } from "../native/read-int64.ts";
import { sortedOnce, type IdLimits, type IdSlots } from "./counted-ids.ts";

/** `select` has `start` and `half`, an UInt32; of so many rows. */
export async function readIdSlots(
  database: SpanDatabase,
  select: string,
  { slotNano }: IdLimits,
  options: QueryOptions,
): Promise<{ readonly slots: IdSlots; readonly rowCount: number }> {
  const { blocks, rowCount: slotCount } = await readBlocks(
    database,
    `SELECT intDiv(toUnixTimestamp64Nano(start), ${slotNano}) AS slot, groupUniqArray(half) AS halves, count() AS n FROM (${select}) GROUP BY slot`,
    options,
  );
  const numbers = readInt64(joinFixed(blocks, "slot", 8, slotCount));
  const { ends, elements } = joinArrays(blocks, "halves", 4);
  const halves = new Uint32Array(elements);
  const slots = new Map<number, Uint32Array>();
  numbers.forEach((slot, at) => slots.set(slot, sortedOnce(halves.subarray(ends[at - 1] ?? 0, ends[at]))));
  const rowCount = readInt64(joinFixed(blocks, "n", 8, slotCount)).reduce((sum, n) => sum + n, 0);
  return { slots, rowCount };
}
