-- Bars. The row with the highest version is the bar: revision in the upper 32 bits, trade count in the lower (SPEC ST-3).
-- Prices are at price_scale places, volumes at size_scale, pv = Σ(price·size) at price_scale + size_scale.
CREATE TABLE IF NOT EXISTS bars
(
    venue LowCardinality(String),
    symbol LowCardinality(String),
    timeframe Enum8('1m' = 0, '5m' = 1, '15m' = 2, '1h' = 3, '1d' = 4),
    start DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    price_scale UInt8 CODEC(ZSTD(1)),
    size_scale UInt8 CODEC(ZSTD(1)),
    open Int64 CODEC(T64, ZSTD(1)),
    high Int64 CODEC(T64, ZSTD(1)),
    low Int64 CODEC(T64, ZSTD(1)),
    close Int64 CODEC(T64, ZSTD(1)),
    volume Int128 CODEC(ZSTD(1)),
    buy_volume Int128 CODEC(ZSTD(1)),
    sell_volume Int128 CODEC(ZSTD(1)),
    pv Int256 CODEC(ZSTD(1)),
    trade_count UInt32 CODEC(ZSTD(1)),
    state Enum8('provisional' = 0, 'final' = 1, 'revised' = 2),
    revision UInt32 CODEC(ZSTD(1)),
    version UInt64 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (venue, symbol, timeframe, start)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
