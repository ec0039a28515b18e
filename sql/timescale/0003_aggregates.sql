-- Aggregates on TimescaleDB: continuous, refreshed every minute, current buckets included (materialized_only = false).
-- They stand on the engine's own 1d and 1h bars: the windows own the bars, nothing is rolled up a second time.
-- A continuous aggregate takes no window function and no self join, so returns and correlation are views on top of it.

CREATE MATERIALIZED VIEW daily_bars
WITH (timescaledb.continuous, timescaledb.materialized_only = FALSE) AS
SELECT
  symbol,
  time_bucket(INTERVAL '1 day', start_at) AS day,
  first(open, start_at) AS open,
  max(high) AS high,
  min(low) AS low,
  last(close, start_at) AS close,
  sum(volume) AS volume,
  sum(buy_volume) AS buy_volume,
  sum(sell_volume) AS sell_volume,
  sum(pv) AS pv,
  sum(trade_count)::bigint AS trade_count,
  max(state) AS state,
  max(revision) AS revision
FROM bars
WHERE timeframe = '1d'
GROUP BY symbol, time_bucket(INTERVAL '1 day', start_at)
WITH NO DATA;

SELECT add_continuous_aggregate_policy(
  'daily_bars', start_offset => INTERVAL '23 months', end_offset => NULL, schedule_interval => INTERVAL '1 minute'
);

CREATE MATERIALIZED VIEW volume_by_symbol
WITH (timescaledb.continuous, timescaledb.materialized_only = FALSE) AS
SELECT
  symbol,
  time_bucket(INTERVAL '1 hour', start_at) AS hour,
  sum(volume) AS volume,
  sum(buy_volume) AS buy_volume,
  sum(sell_volume) AS sell_volume,
  sum(pv) AS pv,
  sum(trade_count)::bigint AS trade_count
FROM bars
WHERE timeframe = '1h'
GROUP BY symbol, time_bucket(INTERVAL '1 hour', start_at)
WITH NO DATA;

SELECT add_continuous_aggregate_policy(
  'volume_by_symbol', start_offset => INTERVAL '23 months', end_offset => NULL, schedule_interval => INTERVAL '1 minute'
);

-- Return since the close of the day before on which the symbol had a price, rounded to 12 places.
CREATE VIEW daily_returns AS
SELECT symbol, day, close, previous_close, round(close / previous_close - 1, 12) AS daily_return
FROM (
  SELECT symbol, day, close, lag(close) OVER (PARTITION BY symbol ORDER BY day) AS previous_close
  FROM daily_bars
  WHERE close IS NOT NULL
) AS priced
WHERE previous_close > 0;

-- Pearson correlation of daily returns over the days that both symbols have, rounded to 12 places; null where one never moved.
CREATE VIEW correlation AS
SELECT
  a.symbol AS symbol_a,
  b.symbol AS symbol_b,
  count(*)::integer AS sample_size,
  round(corr(a.daily_return::double precision, b.daily_return::double precision)::numeric, 12) AS correlation
FROM daily_returns AS a
JOIN daily_returns AS b ON a.day = b.day AND a.symbol < b.symbol
GROUP BY a.symbol, b.symbol;
