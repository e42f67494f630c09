-- Log records that could not be decoded, kept as they came for whoever looks into them. Storing one again after a crash replaces it.
CREATE TABLE IF NOT EXISTS dead_letters
(
    log_partition UInt32,
    log_offset UInt64,
    stored_at DateTime64(3) DEFAULT now64(3),
    reason String,
    record String CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(stored_at)
ORDER BY (log_partition, log_offset)
TTL toDateTime(stored_at) + INTERVAL 30 DAY
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
