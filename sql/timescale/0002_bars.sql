-- Bars of every timeframe, on TimescaleDB: chunks of 1 h, compressed after 48 h, kept for 2 y.
-- native/0002_bars.sql makes the same table where the extension is not there.

CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE TABLE bars (
  symbol text COLLATE "C" NOT NULL CHECK (symbol ~ '^[a-z0-9_]{1,64}:[A-Za-z0-9._/-]{1,64}$'),
  timeframe text COLLATE "C" NOT NULL CHECK (timeframe IN ('1m', '5m', '15m', '1h', '1d')),
  start_at timestamptz NOT NULL,
  -- Null together while no trade of the window may set a price.
  open numeric,
  high numeric,
  low numeric,
  close numeric,
  volume numeric NOT NULL CHECK (volume >= 0),
  buy_volume numeric NOT NULL CHECK (buy_volume >= 0),
  sell_volume numeric NOT NULL CHECK (sell_volume >= 0),
  -- Sum of price times size.
  pv numeric NOT NULL,
  trade_count bigint NOT NULL CHECK (trade_count >= 0),
  price_scale smallint NOT NULL CHECK (price_scale BETWEEN 0 AND 18),
  size_scale smallint NOT NULL CHECK (size_scale BETWEEN 0 AND 18),
  state text COLLATE "C" NOT NULL CHECK (state IN ('provisional', 'final', 'revised')),
  revision integer NOT NULL CHECK (revision >= 0),
  PRIMARY KEY (symbol, timeframe, start_at),
  CHECK (num_nulls(open, high, low, close) IN (0, 4)),
  CHECK (low <= least(open, close) AND high >= greatest(open, close)),
  CHECK (buy_volume + sell_volume <= volume)
);

SELECT create_hypertable('bars', 'start_at', chunk_time_interval => INTERVAL '1 hour', create_default_indexes => FALSE);

CREATE INDEX bars_by_time ON bars (timeframe, start_at DESC, symbol);

ALTER TABLE bars SET (
  timescaledb.compress,
  timescaledb.compress_segmentby = 'symbol, timeframe',
  timescaledb.compress_orderby = 'start_at'
);

SELECT add_compression_policy('bars', compress_after => INTERVAL '48 hours');

SELECT add_retention_policy('bars', drop_after => INTERVAL '2 years');
