-- Resources and how many spans they have, filled from the spans by their log offsets: schemas/clickhouse/rollups.ts. Kinds of rows:
--   tier 0    how far a log partition is counted: log_partition, log_next
--   tier 60   an hour of a resource
CREATE TABLE IF NOT EXISTS resource_rollups
(
    ingest_day Date,
    tier UInt8,
    -- The first one, since 1970.
    minute UInt32,
    resource LowCardinality(String),
    log_partition UInt32,
    log_next SimpleAggregateFunction(max, UInt64),
    spans SimpleAggregateFunction(sum, UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY ingest_day
ORDER BY (tier, minute, resource, log_partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 512;
