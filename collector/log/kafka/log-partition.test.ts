import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { kafkaPartitionOf, logPartitionOf } from "./log-partition.ts";

test("a log partition fits into 32 bits, is never one of the local log's, and leads back to Kafka's partition", () => {
  fc.assert(
    fc.property(fc.uuid(), fc.integer({ min: 0, max: 16_383 }), (topicId, partition) => {
      const logPartition = logPartitionOf(topicId, partition);
      assert.ok(logPartition >= 16_384 && logPartition < 2 ** 32);
      assert.equal(kafkaPartitionOf(logPartition), partition);
    }),
  );
});

test("another topic's partitions are other log partitions", () => {
  assert.notEqual(
    logPartitionOf("6b1d4f0e-0000-4000-8000-000000000001", 3),
    logPartitionOf("6b1d4f0e-0000-4000-8000-000000000002", 3),
  );
});
