-- Spans counted by service, kind and status, in rows of eight hours as well: schemas/clickhouse/rollups.ts. A table of its own, since a builder of an
-- earlier release would leave those rows out; span_rollups serves that release until its roles are replaced. Kinds of rows:
--   tier 0    how far a log partition is counted: log_partition, log_next
--   tier 1    a minute of a service
--   tier 5    five minutes of all services together, service is empty
--   tier 60   an hour of a service
--   tier 480  eight hours of a service
CREATE TABLE IF NOT EXISTS service_rollups
(
    ingest_day Date,
    tier UInt16,
    service LowCardinality(String),
    -- The first one, since 1970.
    minute UInt32,
    kind UInt8,
    status UInt8,
    -- Without a parent.
    is_root UInt8,
    log_partition UInt32,
    log_next SimpleAggregateFunction(max, UInt64),
    -- Buckets as in schemas/clickhouse/duration-buckets.ts, and how many spans are in each.
    durations SimpleAggregateFunction(sumMap, Tuple(Array(UInt16), Array(UInt64))),
    spans SimpleAggregateFunction(sum, UInt64),
    min_nano SimpleAggregateFunction(min, UInt64),
    max_nano SimpleAggregateFunction(max, UInt64),
    last_nano SimpleAggregateFunction(max, Int64),
    slowest AggregateFunction(argMax, Tuple(FixedString(16), FixedString(8)), UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY ingest_day
ORDER BY (tier, service, minute, kind, status, is_root, log_partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 512;
