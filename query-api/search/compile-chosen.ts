/** Spans that are known one by one as a condition over the columns of `spans`. */
import { Failure } from "@callchain/schemas/span/errors.ts";
import { CHOSEN_SPAN_DIGITS, type ChosenSpans } from "./query.ts";

const BYTES = CHOSEN_SPAN_DIGITS / 2;

/**
 * Their digits stand in the SQL as one text, which is read at once: a parameter of that length is refused by HTTP servers. Throws where they
 * are not digits, or too few. The column of trace ids is wrapped, since asking its filter in every granule for each of them would take
 * longer than reading it.
 */
export function compileChosen({ digits, count, fromNano, toNano }: ChosenSpans): string {
  if (count === 0) return "0";
  if (!/^[0-9a-f]*$/.test(digits) || digits.length !== CHOSEN_SPAN_DIGITS * count)
    throw new Failure("internal", "not all are span ids");
  const at = (from: number, bytes: number): string => `toFixedString(substring(item, ${from}, ${bytes}), ${bytes})`;
  const number = (from: number): string => `reverse(substring(item, ${from}, 8))`;
  const items = `arrayMap(at -> substring(digits, 1 + ${BYTES} * at, ${BYTES}), range(${count}))`;
  return `(start >= fromUnixTimestamp64Nano(${fromNano}) AND start <= fromUnixTimestamp64Nano(${toNano})
    AND (materialize(trace_id), span_id, kind, toUnixTimestamp64Nano(start), duration_nano) IN (
      SELECT ${at(1, 16)}, ${at(17, 8)}, reinterpretAsUInt8(substring(item, 25, 1)), reinterpretAsInt64(${number(26)}), reinterpretAsUInt64(${number(34)})
      FROM (SELECT unhex('${digits}') AS digits) ARRAY JOIN ${items} AS item))`;
}
