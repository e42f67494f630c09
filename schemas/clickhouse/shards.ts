/** The shards of a cluster as a writer sees them: one server each, in an order that never changes. */
import { Failure } from "../span/errors.ts";
import type { SpanDatabase } from "./database.ts";

/**
 * Resolves when every shard holds rows of its own log partitions only: p lies on shard p % count. After a shard was added, removed or
 * moved in the list its partitions would be read again from the log's beginning; so that rejects, with Failure "invalid".
 */
export async function requireShardOrder(shards: readonly SpanDatabase[]): Promise<void> {
  for (const [index, shard] of shards.entries()) {
    // The form that the projection of high-water marks answers.
    const { rows } = await shard.query<{ log_partition: number }>(
      "SELECT log_partition, max(log_offset), count() FROM spans GROUP BY log_partition ORDER BY log_partition",
    );
    const stranger = rows.find(({ log_partition: partition }) => partition % shards.length !== index);
    if (stranger === undefined) continue;
    const { log_partition: partition } = stranger;
    throw new Failure(
      "invalid",
      `ClickHouse shard ${index + 1} of ${shards.length} holds rows of log partition ${partition}, which belongs to shard ${(partition % shards.length) + 1}: give the shards in the order and number in which they were written; another number of shards needs a new topic`,
    );
  }
}
