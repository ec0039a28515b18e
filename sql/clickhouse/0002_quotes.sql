-- Best bids and asks as they came in; numbers, arrival, batch and the missing TTL as in 0001_trades.sql. Where the venue gives
-- no event time (Binance spot bookTicker) the receive time stands for it in `time`, as it does in the windows (SPEC MD-5).
CREATE TABLE IF NOT EXISTS quotes
(
    venue LowCardinality(String),
    symbol LowCardinality(String),
    event_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    receive_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    time DateTime64(9, 'UTC') ALIAS if(toUnixTimestamp64Nano(event_time) < 0, receive_time, event_time),
    arrival UInt64 CODEC(Delta, ZSTD(1)),
    bid_price Int64 CODEC(T64, ZSTD(1)),
    bid_price_decimals UInt8 CODEC(ZSTD(1)),
    bid_price_printed UInt8 CODEC(ZSTD(1)),
    bid_size Int64 CODEC(T64, ZSTD(1)),
    bid_size_decimals UInt8 CODEC(ZSTD(1)),
    bid_size_printed UInt8 CODEC(ZSTD(1)),
    ask_price Int64 CODEC(T64, ZSTD(1)),
    ask_price_decimals UInt8 CODEC(ZSTD(1)),
    ask_price_printed UInt8 CODEC(ZSTD(1)),
    ask_size Int64 CODEC(T64, ZSTD(1)),
    ask_size_decimals UInt8 CODEC(ZSTD(1)),
    ask_size_printed UInt8 CODEC(ZSTD(1)),
    batch UInt64 CODEC(ZSTD(1)),
    INDEX time_range if(toUnixTimestamp64Nano(event_time) < 0, receive_time, event_time) TYPE minmax GRANULARITY 1,
    INDEX arrival_range arrival TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(if(toUnixTimestamp64Nano(event_time) < 0, receive_time, event_time))
ORDER BY (venue, symbol, arrival)
SETTINGS
    non_replicated_deduplication_window = 1000,
    fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
