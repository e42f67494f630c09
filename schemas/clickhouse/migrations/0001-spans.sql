-- Spans, one row each, in the order in which they happened (storage: order key B). Columns as in schemas/clickhouse/spans-table.ts.
CREATE TABLE IF NOT EXISTS spans
(
    ingest_day Date,
    log_partition UInt32 CODEC(ZSTD(1)),
    log_offset UInt64 CODEC(Delta, ZSTD(1)),
    trace_id FixedString(16) CODEC(ZSTD(1)),
    span_id FixedString(8) CODEC(NONE),
    parent_span_id FixedString(8) CODEC(ZSTD(1)),
    start DateTime64(9) CODEC(Delta, ZSTD(1)),
    duration_nano UInt64 CODEC(T64, ZSTD(1)),
    service LowCardinality(String) CODEC(ZSTD(1)),
    name LowCardinality(String) CODEC(ZSTD(1)),
    kind UInt8 CODEC(ZSTD(1)),
    status UInt8 CODEC(ZSTD(1)),
    status_message String CODEC(ZSTD(1)),
    trace_state String CODEC(ZSTD(1)),
    flags UInt32 CODEC(ZSTD(1)),
    anomalies UInt8 CODEC(ZSTD(1)),
    resource LowCardinality(String) CODEC(ZSTD(1)),
    scope LowCardinality(String) CODEC(ZSTD(1)),
    attr_string Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    attr_int Map(LowCardinality(String), Int64) CODEC(ZSTD(1)),
    attr_double Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    attr_json Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    dropped_attributes UInt32 CODEC(ZSTD(1)),
    dropped_events UInt32 CODEC(ZSTD(1)),
    dropped_links UInt32 CODEC(ZSTD(1)),
    event_time Array(DateTime64(9)) CODEC(ZSTD(1)),
    event_name Array(LowCardinality(String)) CODEC(ZSTD(1)),
    event_attributes Array(String) CODEC(ZSTD(1)),
    event_dropped_attributes Array(UInt32) CODEC(ZSTD(1)),
    link_trace_id Array(FixedString(16)) CODEC(ZSTD(1)),
    link_span_id Array(FixedString(8)) CODEC(ZSTD(1)),
    link_trace_state Array(String) CODEC(ZSTD(1)),
    link_flags Array(UInt32) CODEC(ZSTD(1)),
    link_attributes Array(String) CODEC(ZSTD(1)),
    link_dropped_attributes Array(UInt32) CODEC(ZSTD(1)),
    -- Equality of a span attribute: schemas/clickhouse/search-sql.ts writes the conditions.
    INDEX attr_string_bloom mapValues(attr_string) TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX attr_int_bloom mapValues(attr_int) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX duration_minmax duration_nano TYPE minmax GRANULARITY 1,
    -- The high-water mark of each log partition; it lives inside the part and so commits with its rows.
    PROJECTION high_water (SELECT log_partition, max(log_offset), count() GROUP BY log_partition)
)
ENGINE = MergeTree
PARTITION BY ingest_day
ORDER BY start
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, merge_selector_base = 10, index_granularity = 2048;
