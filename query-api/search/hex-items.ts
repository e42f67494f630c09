/** Many values of one size as SQL. */
import { Failure } from "@callchain/schemas/span/errors.ts";

/**
 * SELECT of `item`, a text of `bytes` bytes for each 2 * bytes of the hex digits. They stand in the SQL as one text, which is read at once instead
 * of thousands of literals, and which HTTP servers would refuse as a parameter. Throws where they are not digits, or not whole items.
 */
export function hexItemsSql(digits: string, bytes: number): string {
  const count = digits.length / (2 * bytes);
  if (!/^[0-9a-f]*$/.test(digits) || !Number.isInteger(count))
    throw new Failure("internal", `not items of ${bytes} bytes in hex`);
  return `SELECT arrayJoin(arrayMap(at -> substring(unhex('${digits}'), 1 + ${bytes} * at, ${bytes}), range(${count}))) AS item`;
}
