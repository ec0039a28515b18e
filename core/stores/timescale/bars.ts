/** Bars and what is derived from them, in SQL that is the same on PostgreSQL, PGlite and TimescaleDB. */
import type { Bar, BarState } from '#shared/bars.ts';
import { LIMITS } from '#shared/limits.ts';
import type { Timeframe } from '#shared/timeframes.ts';
import type { Fragment } from 'postgres';
import type { AnalyticsPart, AnalyticsRange, Correlation, DailyBar, DailyReturn, SymbolVolume } from '../analytics.ts';
import { sqlState, type PostgresSql } from '../postgres.ts';
import {
  barRow,
  monthPartition,
  newestByKey,
  partitionEndMs,
  storedBar,
  type Partition,
  type StoredBar,
} from './bar-rows.ts';
import type { Flavour } from './migrations.ts';

/** Rows in one statement. */
const ROWS_PER_WRITE = 5_000;

type TimeColumn = 'day' | 'hour';

export class BarTables {
  readonly #sql: PostgresSql;
  readonly #partitions = new Set<string>();
  readonly #flavour: () => Promise<Flavour>;

  constructor(sql: PostgresSql, flavour: () => Promise<Flavour>) {
    this.#sql = sql;
    this.#flavour = flavour;
  }

  async upsert(bars: readonly Bar[]): Promise<number> {
    const newest = newestByKey(bars);
    if ((await this.#flavour()) === 'native') await this.#ensurePartitions(newest);
    let changed = 0;
    for (let at = 0; at < newest.length; at += ROWS_PER_WRITE)
      changed += await this.#upsertSome(newest.slice(at, at + ROWS_PER_WRITE));
    return changed;
  }

  async #upsertSome(bars: readonly Bar[]): Promise<number> {
    const rows = JSON.stringify(bars.map(barRow));
    try {
      const result = await this.#sql`
        INSERT INTO bars AS stored (
          symbol, timeframe, start_at, open, high, low, close, volume, buy_volume, sell_volume, pv,
          trade_count, price_scale, size_scale, state, revision
        )
        SELECT
          symbol, timeframe, start_at, open, high, low, close, volume, buy_volume, sell_volume, pv,
          trade_count, price_scale, size_scale, state, revision
        FROM jsonb_to_recordset(${rows}::text::jsonb) AS row (
          symbol text, timeframe text, start_at timestamptz, open numeric, high numeric, low numeric, close numeric,
          volume numeric, buy_volume numeric, sell_volume numeric, pv numeric, trade_count bigint,
          price_scale smallint, size_scale smallint, state text, revision integer
        )
        ON CONFLICT (symbol, timeframe, start_at) DO UPDATE SET
          open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close,
          volume = EXCLUDED.volume, buy_volume = EXCLUDED.buy_volume, sell_volume = EXCLUDED.sell_volume,
          pv = EXCLUDED.pv, trade_count = EXCLUDED.trade_count, price_scale = EXCLUDED.price_scale,
          size_scale = EXCLUDED.size_scale, state = EXCLUDED.state, revision = EXCLUDED.revision
        WHERE (stored.revision, stored.trade_count) < (EXCLUDED.revision, EXCLUDED.trade_count)`;
      return result.count;
    } catch (error) {
      // The partition may be gone: another process drops the old ones. The next write makes it again.
      if (sqlState(error) === '23514') this.#partitions.clear();
      throw error;
    }
  }

  async bar(instrument: string, timeframe: Timeframe, startMs: number): Promise<Bar | undefined> {
    const [row] = await this.#sql<StoredBar[]>`
      SELECT
        symbol, timeframe, (extract(epoch FROM start_at) * 1000)::bigint::text AS start_ms, open, high, low, close,
        volume, buy_volume, sell_volume, pv, trade_count, price_scale, size_scale, state, revision
      FROM bars
      WHERE symbol = ${instrument} AND timeframe = ${timeframe} AND start_at = ${iso(startMs)}::timestamptz`;
    return row === undefined ? undefined : storedBar(row);
  }

  async dailyBars(range: AnalyticsRange): Promise<DailyBar[]> {
    const rows = await this.#sql<DailyBarRow[]>`
      SELECT
        symbol, (extract(epoch FROM day) * 1000)::bigint::text AS day_ms, open, high, low, close,
        volume, buy_volume, sell_volume, pv, trade_count::text AS trade_count, state, revision
      FROM daily_bars
      WHERE ${this.#within(range, 'day')}
      ORDER BY symbol, day
      LIMIT ${limitOf(range)}`;
    return rows.map((row) => ({
      instrument: row.symbol,
      dayMs: Number(row.day_ms),
      open: row.open,
      high: row.high,
      low: row.low,
      close: row.close,
      volume: row.volume,
      buyVolume: row.buy_volume,
      sellVolume: row.sell_volume,
      pv: row.pv,
      tradeCount: Number(row.trade_count),
      state: row.state,
      revision: row.revision,
    }));
  }

  async volumeBySymbol(range: AnalyticsRange): Promise<SymbolVolume[]> {
    const rows = await this.#sql<VolumeRow[]>`
      SELECT
        symbol, trim_scale(sum(volume)) AS volume, trim_scale(sum(buy_volume)) AS buy_volume,
        trim_scale(sum(sell_volume)) AS sell_volume, trim_scale(sum(pv)) AS pv,
        sum(trade_count)::text AS trade_count, count(*)::integer AS hours
      FROM volume_by_symbol
      WHERE ${this.#within(range, 'hour')}
      GROUP BY symbol
      ORDER BY sum(pv) DESC, symbol
      LIMIT ${limitOf(range)}`;
    return rows.map((row) => ({
      instrument: row.symbol,
      volume: row.volume,
      buyVolume: row.buy_volume,
      sellVolume: row.sell_volume,
      pv: row.pv,
      tradeCount: Number(row.trade_count),
      hours: row.hours,
    }));
  }

  async dailyReturns(range: AnalyticsRange): Promise<DailyReturn[]> {
    const rows = await this.#sql<ReturnRow[]>`
      SELECT
        symbol, (extract(epoch FROM day) * 1000)::bigint::text AS day_ms, close, previous_close,
        trim_scale(daily_return) AS daily_return
      FROM daily_returns
      WHERE ${this.#within(range, 'day')}
      ORDER BY symbol, day
      LIMIT ${limitOf(range)}`;
    return rows.map((row) => ({
      instrument: row.symbol,
      dayMs: Number(row.day_ms),
      close: row.close,
      previousClose: row.previous_close,
      dailyReturn: row.daily_return,
    }));
  }

  async correlation(range: AnalyticsRange & { minSample?: number }): Promise<Correlation[]> {
    const { instruments, minSample = 2 } = range;
    const sql = this.#sql;
    const pairs =
      range.fromMs === undefined && range.toMs === undefined
        ? sql`SELECT symbol_a, symbol_b, sample_size, correlation FROM correlation`
        : sql`
          SELECT
            a.symbol AS symbol_a, b.symbol AS symbol_b, count(*)::integer AS sample_size,
            round(corr(a.daily_return::double precision, b.daily_return::double precision)::numeric, 12) AS correlation
          FROM (SELECT * FROM daily_returns WHERE ${this.#within(range, 'day')}) AS a
          JOIN (SELECT * FROM daily_returns WHERE ${this.#within(range, 'day')}) AS b
            ON a.day = b.day AND a.symbol < b.symbol
          GROUP BY a.symbol, b.symbol`;
    const named =
      instruments === undefined
        ? sql``
        : sql`AND symbol_a = ANY(${sql.array([...instruments])}) AND symbol_b = ANY(${sql.array([...instruments])})`;
    const rows = await sql<CorrelationRow[]>`
      SELECT symbol_a, symbol_b, sample_size, trim_scale(correlation) AS correlation
      FROM (${pairs}) AS pair
      WHERE sample_size >= ${minSample} ${named}
      ORDER BY symbol_a, symbol_b
      LIMIT ${limitOf(range)}`;
    return rows.map((row) => ({
      a: row.symbol_a,
      b: row.symbol_b,
      sampleSize: row.sample_size,
      correlation: row.correlation,
    }));
  }

  async refresh(part: AnalyticsPart): Promise<void> {
    if ((await this.#flavour()) === 'timescale') {
      if (part === 'correlation') return;
      // As a simple statement: the procedure commits by itself and takes no transaction around it.
      for (const view of ['daily_bars', 'volume_by_symbol'])
        await this.#sql.unsafe(`CALL refresh_continuous_aggregate('${view}', NULL, NULL)`);
      return;
    }
    const views = part === 'derived' ? ['daily_bars', 'volume_by_symbol', 'daily_returns'] : ['correlation'];
    for (const view of views) {
      await this.#sql`REFRESH MATERIALIZED VIEW CONCURRENTLY ${this.#sql(view)}`;
      // PGlite has no autovacuum: without this the planner takes every view for empty and joins row by row.
      await this.#sql`ANALYZE ${this.#sql(view)}`;
    }
  }

  async retain(beforeMs: number): Promise<string[]> {
    if ((await this.#flavour()) === 'timescale') return [];
    const found = await this.#sql<{ name: string }[]>`
      SELECT child.relname AS name
      FROM pg_inherits
      JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid
      WHERE pg_inherits.inhparent = 'bars'::regclass
      ORDER BY child.relname`;
    const dropped: string[] = [];
    for (const { name } of found) {
      const endMs = partitionEndMs(name);
      if (endMs === undefined || endMs > beforeMs) continue;
      await this.#sql`DROP TABLE ${this.#sql(name)}`;
      this.#partitions.delete(name);
      dropped.push(name);
    }
    return dropped;
  }

  async #ensurePartitions(bars: readonly Bar[]): Promise<void> {
    const missing = new Map<string, Partition>();
    for (const bar of bars) {
      const partition = monthPartition(bar.startMs);
      if (!this.#partitions.has(partition.name)) missing.set(partition.name, partition);
    }
    for (const { name, from, to } of missing.values()) {
      await this.#sql.begin(async (sql) => {
        await sql`SELECT pg_advisory_xact_lock(7203385529472)`;
        await sql.unsafe(
          `CREATE TABLE IF NOT EXISTS ${name} PARTITION OF bars FOR VALUES FROM ('${from}') TO ('${to}')`,
        );
      });
      this.#partitions.add(name);
    }
  }

  #within(range: AnalyticsRange, column: TimeColumn): Fragment {
    const sql = this.#sql;
    const { instruments, fromMs, toMs } = range;
    const named = instruments === undefined ? sql`TRUE` : sql`symbol = ANY(${sql.array([...instruments])})`;
    const from = fromMs === undefined ? sql`` : sql`AND ${sql(column)} >= ${iso(fromMs)}::timestamptz`;
    const to = toMs === undefined ? sql`` : sql`AND ${sql(column)} < ${iso(toMs)}::timestamptz`;
    return sql`${named} ${from} ${to}`;
  }
}

interface DailyBarRow {
  symbol: string;
  day_ms: string;
  open: string | null;
  high: string | null;
  low: string | null;
  close: string | null;
  volume: string;
  buy_volume: string;
  sell_volume: string;
  pv: string;
  trade_count: string;
  state: BarState;
  revision: number;
}

interface VolumeRow {
  symbol: string;
  volume: string;
  buy_volume: string;
  sell_volume: string;
  pv: string;
  trade_count: string;
  hours: number;
}

interface ReturnRow {
  symbol: string;
  day_ms: string;
  close: string;
  previous_close: string;
  daily_return: string;
}

interface CorrelationRow {
  symbol_a: string;
  symbol_b: string;
  sample_size: number;
  correlation: string | null;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function limitOf(range: AnalyticsRange): number {
  return Math.min(range.limit ?? LIMITS.restRows, LIMITS.restRows);
}
