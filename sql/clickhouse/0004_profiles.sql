-- Volume profiles of 5 minutes, one row a window, so that a new version replaces the old one as a whole. The arrays are in step,
-- by rising price. profile_rows shows one row a price.
CREATE TABLE IF NOT EXISTS profiles
(
    venue LowCardinality(String),
    symbol LowCardinality(String),
    start DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    price_scale UInt8 CODEC(ZSTD(1)),
    size_scale UInt8 CODEC(ZSTD(1)),
    prices Array(Int64) CODEC(ZSTD(1)),
    volumes Array(Int128) CODEC(ZSTD(1)),
    buy_volumes Array(Int128) CODEC(ZSTD(1)),
    sell_volumes Array(Int128) CODEC(ZSTD(1)),
    trade_counts Array(UInt32) CODEC(ZSTD(1)),
    state Enum8('provisional' = 0, 'final' = 1, 'revised' = 2),
    revision UInt32 CODEC(ZSTD(1)),
    version UInt64 CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (venue, symbol, start)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE VIEW IF NOT EXISTS profile_rows AS
SELECT venue, symbol, start, price_scale, size_scale, price, volume, buy_volume, sell_volume, trade_count, state, revision
FROM profiles FINAL
ARRAY JOIN
    prices AS price, volumes AS volume, buy_volumes AS buy_volume, sell_volumes AS sell_volume, trade_counts AS trade_count;
