-- Bars of every timeframe, on plain PostgreSQL: one partition a month, made by the writer before it writes, dropped by the
-- maintenance after 2 y. Hours, as on TimescaleDB, would be 17,520 partitions, which the planner does not bear.

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
) PARTITION BY RANGE (start_at);

CREATE INDEX bars_by_time ON bars (timeframe, start_at DESC, symbol);
