-- What was refused, and why (SPEC MD-9, TK-6). partition and offset are its place in the dead-letter topic; line is the line or
-- message number in its source. batch as in 0001_trades.sql.
CREATE TABLE IF NOT EXISTS dead_letters
(
    partition UInt32,
    offset UInt64,
    appended DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    source LowCardinality(String),
    line UInt64,
    reason LowCardinality(String),
    excerpt String CODEC(ZSTD(1)),
    batch UInt64 CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(appended)
ORDER BY (partition, offset)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
