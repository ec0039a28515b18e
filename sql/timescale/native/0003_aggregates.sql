-- The same aggregates on plain PostgreSQL: materialized views, refreshed by the core every minute. Each has a unique index, so
-- that a refresh does not lock out its readers.
-- They stand on the engine's own 1d and 1h bars: the windows own the bars, nothing is rolled up a second time.

CREATE MATERIALIZED VIEW daily_bars AS
SELECT
  symbol, start_at AS day, open, high, low, close, volume, buy_volume, sell_volume, pv, trade_count, state, revision
FROM bars
WHERE timeframe = '1d';

CREATE UNIQUE INDEX daily_bars_key ON daily_bars (symbol, day);

CREATE INDEX daily_bars_by_day ON daily_bars (day, symbol);

CREATE MATERIALIZED VIEW volume_by_symbol AS
SELECT symbol, start_at AS hour, volume, buy_volume, sell_volume, pv, trade_count
FROM bars
WHERE timeframe = '1h';

CREATE UNIQUE INDEX volume_by_symbol_key ON volume_by_symbol (symbol, hour);

CREATE INDEX volume_by_symbol_by_hour ON volume_by_symbol (hour, symbol);

-- Return since the close of the day before on which the symbol had a price, rounded to 12 places.
CREATE MATERIALIZED VIEW daily_returns AS
SELECT symbol, day, close, previous_close, round(close / previous_close - 1, 12) AS daily_return
FROM (
  SELECT symbol, day, close, lag(close) OVER (PARTITION BY symbol ORDER BY day) AS previous_close
  FROM daily_bars
  WHERE close IS NOT NULL
) AS priced
WHERE previous_close > 0;

CREATE UNIQUE INDEX daily_returns_key ON daily_returns (symbol, day);

-- Pearson correlation of daily returns over the days that both symbols have, rounded to 12 places; null where one never moved.
CREATE MATERIALIZED VIEW correlation AS
SELECT
  a.symbol AS symbol_a,
  b.symbol AS symbol_b,
  count(*)::integer AS sample_size,
  round(corr(a.daily_return::double precision, b.daily_return::double precision)::numeric, 12) AS correlation
FROM daily_returns AS a
JOIN daily_returns AS b ON a.day = b.day AND a.symbol < b.symbol
GROUP BY a.symbol, b.symbol;

CREATE UNIQUE INDEX correlation_key ON correlation (symbol_a, symbol_b);
