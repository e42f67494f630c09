/** The way from one span up to its root, for a trace of which only a part is read. */
import { parseSpanId, type SpanId } from "@callchain/schemas/span/ids.ts";
import { joinFixed } from "@callchain/schemas/clickhouse/native/join-columns.ts";
import type { NativeBlock } from "@callchain/schemas/clickhouse/native/read-native.ts";

/** Ancestors looked for, one statement each: callers start before what they call, so most of them are among the earliest spans anyway. */
export const WAY_UP_COUNT_MAX = 64;

const NO_PARENT = "0".repeat(16);

/**
 * Blocks of the span and of those above it, as far as they are not among the first `readCount` rows of `read`; nothing where it is, or is not
 * stored. `findSpan` gives the blocks of one span by its id.
 */
export async function readWayUp(
  spanId: SpanId,
  read: readonly NativeBlock[],
  readCount: number,
  findSpan: (id: SpanId) => Promise<readonly NativeBlock[]>,
): Promise<NativeBlock[]> {
  const known = new BigUint64Array(joinFixed(read, "span_id", 8, readCount));
  const isRead = (id: SpanId): boolean => known.includes(Buffer.from(id, "hex").readBigUInt64LE());
  const way: NativeBlock[] = [];
  const passed = new Set<string>();
  for (let next: SpanId | null = spanId; next !== null && way.length < WAY_UP_COUNT_MAX;) {
    if (passed.has(next) || isRead(next)) break;
    passed.add(next);
    const [found] = await findSpan(next);
    if (found === undefined) break;
    way.push(found);
    const parent = Buffer.from(joinFixed([found], "parent_span_id", 8, 1)).toString("hex");
    next = parent === NO_PARENT ? null : parseSpanId(parent);
  }
  return way;
}
