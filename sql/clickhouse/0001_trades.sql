-- Trades, cancels and corrections as they came in.
--
-- Numbers: price and size are integer mantissas, value = mantissa / 10^decimals; *_printed is how many places the source
-- printed. An absent number is -9223372036854775808, an absent time is one nanosecond before 1970, an absent trade id is -1
-- (-2: the id is no canonical integer and stands in trade_id_text).
--
-- arrival is the order in which ticks came in, over all instruments. The sorting key follows it: one instrument's history reads
-- in order without a sort, and event times rise almost with it, so the min-max index cuts time ranges.
--
-- batch is a hash of the batch's token (SPEC ST-2): after a crash it tells whether a batch is there as a whole.
--
-- Parts are brought to the disk before an insert is acknowledged, because the log's offset is committed behind it.
--
-- There is no TTL here on purpose: replayed tapes are years old and would be dropped at once. Retention comes with its own
-- migration, which can use the monthly partitions.
CREATE TABLE IF NOT EXISTS trades
(
    venue LowCardinality(String),
    symbol LowCardinality(String),
    event_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    receive_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    arrival UInt64 CODEC(Delta, ZSTD(1)),
    action Enum8('trade' = 0, 'cancel' = 1, 'correction' = 2) CODEC(ZSTD(1)),
    side Enum8('' = 0, 'buy' = 1, 'sell' = 2) CODEC(ZSTD(1)),
    price Int64 CODEC(T64, ZSTD(1)),
    price_decimals UInt8 CODEC(ZSTD(1)),
    price_printed UInt8 CODEC(ZSTD(1)),
    size Int64 CODEC(T64, ZSTD(1)),
    size_decimals UInt8 CODEC(ZSTD(1)),
    size_printed UInt8 CODEC(ZSTD(1)),
    trade_id Int64 CODEC(Delta, ZSTD(1)),
    trade_id_text String CODEC(ZSTD(1)),
    conditions LowCardinality(String),
    batch UInt64 CODEC(ZSTD(1)),
    INDEX event_time_range event_time TYPE minmax GRANULARITY 1,
    INDEX arrival_range arrival TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (venue, symbol, arrival)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
