-- Spans, one row each, by stretches of ten minutes, service and time. Columns as in schemas/clickhouse/spans-table.ts. (The third part of the key
-- is not `start` itself: conditions on it would then be served by that part alone, and none of the stretches be left out.)
-- Compression is the server's choice by the size of a part: LZ4 for young parts, which are merged soon, ZSTD(1) for merged ones (the
-- embedded engine is configured so; on a server without such a <compression> section everything is LZ4, half as large again).
CREATE TABLE IF NOT EXISTS spans
(
    ingest_day Date,
    log_partition UInt32,
    log_offset UInt64 CODEC(Delta, Default),
    trace_id FixedString(16),
    span_id FixedString(8) CODEC(NONE),
    parent_span_id FixedString(8),
    start DateTime64(9) CODEC(Delta, Default),
    duration_nano UInt64 CODEC(T64, Default),
    service LowCardinality(String),
    name LowCardinality(String),
    kind UInt8,
    status UInt8,
    status_message String,
    trace_state String,
    flags UInt32,
    anomalies UInt8,
    resource LowCardinality(String),
    scope LowCardinality(String),
    attr_string Map(LowCardinality(String), String),
    attr_int Map(LowCardinality(String), Int64),
    attr_double Map(LowCardinality(String), Float64),
    attr_json Map(LowCardinality(String), String),
    dropped_attributes UInt32,
    dropped_events UInt32,
    dropped_links UInt32,
    event_time Array(DateTime64(9)),
    event_name Array(LowCardinality(String)),
    event_attributes Array(String),
    event_dropped_attributes Array(UInt32),
    link_trace_id Array(FixedString(16)),
    link_span_id Array(FixedString(8)),
    link_trace_state Array(String),
    link_flags Array(UInt32),
    link_attributes Array(String),
    link_dropped_attributes Array(UInt32),
    -- Equality of a span attribute: schemas/clickhouse/search-sql.ts writes the conditions.
    INDEX attr_string_bloom mapValues(attr_string) TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX attr_int_bloom mapValues(attr_int) TYPE bloom_filter(0.01) GRANULARITY 1,
    -- A page of 20 traces asks each granule 20 times: at 0.001 it read 50 of 2,500 granules for nothing, at 0.0001 five.
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.0001) GRANULARITY 1,
    INDEX duration_minmax duration_nano TYPE minmax GRANULARITY 1,
    INDEX start_minmax start TYPE minmax GRANULARITY 1,
    -- The high-water mark of each log partition; it lives inside the part and so commits with its rows.
    PROJECTION high_water (SELECT log_partition, max(log_offset), count() GROUP BY log_partition)
)
ENGINE = MergeTree
PARTITION BY ingest_day
ORDER BY (intDiv(toUnixTimestamp64Second(start), 600), service, toUnixTimestamp64Nano(start))
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 10, index_granularity = 2048;
