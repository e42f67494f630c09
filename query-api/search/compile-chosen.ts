/** Spans that are known one by one as a condition over the columns of `spans`. */
import { hexItemsSql } from "./hex-items.ts";
import { CHOSEN_SPAN_DIGITS, type ChosenSpans } from "./query.ts";

/** Tells a span from all others of a store, but for one in 10^8 questions: 50 bytes of each would make statements longer than servers take. */
export const SPAN_HASH_SQL = "cityHash64(trace_id, span_id, kind, start, duration_nano)";

/** Throws where the digits are not whole hashes. */
export function compileChosen({ digits, count, fromNano, toNano }: ChosenSpans): string {
  if (count === 0) return "0";
  return `(start >= fromUnixTimestamp64Nano(${fromNano}) AND start <= fromUnixTimestamp64Nano(${toNano})
    AND ${SPAN_HASH_SQL} IN (SELECT reinterpretAsUInt64(reverse(item)) FROM (${hexItemsSql(digits, CHOSEN_SPAN_DIGITS / 2)})))`;
}
