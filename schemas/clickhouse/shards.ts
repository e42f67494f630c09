/** The shards of a cluster as a writer sees them: one server each, in an order that never changes. */
import { Failure } from "../span/errors.ts";
import type { SpanDatabase } from "./database.ts";
import { readNextOffset } from "./insert-spans.ts";

/**
 * Resolves when no other shard holds rows of this log partition, which is stored on shard `partition % count`. With a shard added, or the
 * list in another order, a partition would move to a server that has none of its rows, and be read again from the log's beginning: that
 * rejects, with Failure "invalid".
 */
export async function requireOnlyShard(shards: readonly SpanDatabase[], partition: number): Promise<void> {
  const own = partition % shards.length;
  for (const [index, shard] of shards.entries()) {
    if (index === own || (await readNextOffset(shard, partition)) === 0n) continue;
    throw new Failure(
      "invalid",
      `rows of log partition ${partition} are on ClickHouse shard ${index + 1} of ${shards.length}, and would now go to shard ${own + 1}: give the same shards in the same order as before, or take a new topic`,
    );
  }
}
