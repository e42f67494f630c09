-- Calls, messages and peers counted by their two ends, filled from the spans in steps: schemas/clickhouse/edges/. Kinds of rows:
--   tier 0    how far a log partition is counted: log_partition, log_next, and the number of the step that came there
--   tier 1    a minute of an edge
--   tier 60   an hour of an edge
--   tier 480  eight hours of an edge
CREATE TABLE IF NOT EXISTS edge_rollups
(
    ingest_day Date,
    tier UInt16,
    -- The first one, since 1970, in which the called span (of a peer: the calling one) began.
    minute UInt32,
    -- Of the four that follow: the hash that questions group by.
    edge UInt64,
    role LowCardinality(String),
    caller LowCardinality(String),
    callee LowCardinality(String),
    system LowCardinality(String),
    is_error UInt8,
    log_partition UInt32,
    log_next SimpleAggregateFunction(max, UInt64),
    step SimpleAggregateFunction(max, UInt64),
    -- Buckets as in schemas/clickhouse/duration-buckets.ts, and how many calls are in each; less than none takes back what an earlier row counted.
    durations SimpleAggregateFunction(sumMap, Tuple(Array(UInt16), Array(Int64))),
    slowest_nano SimpleAggregateFunction(max, UInt64),
    -- Its trace.
    slowest AggregateFunction(argMax, FixedString(16), UInt64)
)
ENGINE = AggregatingMergeTree
PARTITION BY ingest_day
ORDER BY (tier, minute, edge, role, caller, callee, system, is_error, log_partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 512;
