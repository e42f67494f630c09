-- Resources and how many spans they have, by minute as well, so that the last hour is not counted anew for each question:
-- schemas/clickhouse/rollups.ts. A table of its own, since a builder of an earlier release would leave those rows out; resource_rollups serves that
-- release until its roles are replaced. Kinds of rows:
--   tier 0    how far a log partition is counted: log_partition, log_next
--   tier 1    a minute of a resource
--   tier 60   an hour of a resource
CREATE TABLE IF NOT EXISTS resource_counts
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
