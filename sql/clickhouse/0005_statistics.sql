-- Newest statistics of every instrument. Figures that are not known yet are NaN, prices then -9223372036854775808.
CREATE TABLE IF NOT EXISTS statistics
(
    venue LowCardinality(String),
    symbol LowCardinality(String),
    event_ms Int64,
    price_scale UInt8,
    size_scale UInt8,
    last_price Int64,
    spread Int64,
    spread_bps Float64,
    vwap_30s Float64,
    average_30s Float64,
    volume_30s Int128,
    trades_30s UInt32,
    realised_volatility Float64,
    change Int64,
    change_fraction Float64,
    day_open Int64,
    day_high Int64,
    day_low Int64,
    day_volume Int128,
    day_trades UInt32,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (venue, symbol)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;
