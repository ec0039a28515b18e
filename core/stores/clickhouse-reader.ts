/** Reads from ClickHouse: exact integers, bounded batches, only the newest form of what has versions. */
import type { Bar, Profile, Stats } from '#shared/bars.ts';
import type { Timeframe } from '#shared/timeframes.ts';
import { parseInstrumentId } from '#shared/topics.ts';
import type { QuoteColumns, TradeColumns } from '#shared/ticks.ts';
import { BAR_SELECT, PROFILE_SELECT, readBars, readProfiles, readStats, STATS_SELECT } from './bar-blocks.ts';
import { quote, type ClickHouseEngine } from './clickhouse-engine.ts';
import { DEAD_LETTER_SELECT, readDeadLetters } from './dead-letter-block.ts';
import type { NativeBlock } from './native-reader.ts';
import type { DeadLetterRow, InstrumentRow, RangeQuery } from './stores.ts';
import { QUOTE_SELECT, readQuotes, readTrades, TRADE_SELECT } from './tick-blocks.ts';

/** Rows of one batch, and of one statement. */
const PAGE_ROWS = 50_000;
/** First span of arrival numbers that is asked for at once when all instruments are read. */
const FIRST_SPAN = 65_536;

interface TickTable {
  name: 'trades' | 'quotes';
  select: string;
  /** Column that a time range is about. */
  time: string;
}

const TRADES: TickTable = { name: 'trades', select: TRADE_SELECT, time: 'event_time' };
const QUOTES: TickTable = { name: 'quotes', select: QUOTE_SELECT, time: 'time' };

export class ClickHouseReader {
  readonly #engine: ClickHouseEngine;

  constructor(engine: ClickHouseEngine) {
    this.#engine = engine;
  }

  async instruments(): Promise<InstrumentRow[]> {
    const rows = await this.#engine.rows<Record<keyof InstrumentRow, string | number>>(INSTRUMENTS_SQL);
    return rows.map((row) => ({
      venue: String(row.venue),
      symbol: String(row.symbol),
      priceScale: Number(row.priceScale),
      sizeScale: Number(row.sizeScale),
      firstEventMs: Number(row.firstEventMs),
      lastEventMs: Number(row.lastEventMs),
      trades: Number(row.trades),
      quotes: Number(row.quotes),
    }));
  }

  trades(query: RangeQuery): AsyncIterable<TradeColumns> {
    return this.#ticks(TRADES, query, readTrades);
  }

  quotes(query: RangeQuery): AsyncIterable<QuoteColumns> {
    return this.#ticks(QUOTES, query, readQuotes);
  }

  /**
   * Pages by arrival. One instrument is read along the sorting key; all together by spans of arrival numbers, which the
   * min-max index finds, with a span that grows where ticks are rare.
   */
  async *#ticks<T extends { length: number; arrival: Float64Array }>(
    table: TickTable,
    query: RangeQuery,
    read: (block: NativeBlock) => T,
  ): AsyncGenerator<T> {
    const where = conditions(query, table.time, 9);
    if (where === undefined) return;
    const down = query.newestFirst === true;
    let left = query.limit ?? Number.POSITIVE_INFINITY;
    let after = query.after;
    const bounds = query.instrument === undefined ? await this.#arrivalBounds(table, where) : undefined;
    if (query.instrument === undefined && bounds === undefined) return;
    let span = FIRST_SPAN;
    while (left > 0) {
      const filter = [...where];
      if (after !== undefined) filter.push(`arrival ${down ? '<' : '>'} ${after}`);
      let edge: number | undefined;
      if (bounds !== undefined) {
        const start = after ?? (down ? bounds.max + 1 : bounds.min - 1);
        edge = down ? start - span : start + span;
        filter.push(`arrival ${down ? '>=' : '<='} ${edge}`);
      }
      const page = Math.min(left, PAGE_ROWS);
      const sql = `SELECT ${table.select} FROM ${table.name} ${whereClause(filter)} ORDER BY ${query.instrument === undefined ? '' : `venue ${dir(down)}, symbol ${dir(down)}, `}arrival ${dir(down)} LIMIT ${page}`;
      let rows = 0;
      for (const block of await this.#engine.blocks(sql)) {
        const ticks = read(block);
        rows += ticks.length;
        after = ticks.arrival[ticks.length - 1] as number;
        yield ticks;
      }
      left -= rows;
      if (rows === page) continue;
      if (bounds === undefined || edge === undefined) return;
      if (down ? edge <= bounds.min : edge >= bounds.max) return;
      after = edge;
      if (rows < PAGE_ROWS / 4) span *= 4;
    }
  }

  async #arrivalBounds(table: TickTable, where: readonly string[]): Promise<{ min: number; max: number } | undefined> {
    const sql = `SELECT min(arrival) AS min, max(arrival) AS max, count() AS n FROM ${table.name} ${whereClause(where)}`;
    const [row] = await this.#engine.rows<{ min: string; max: string; n: string }>(sql);
    return row === undefined || Number(row.n) === 0 ? undefined : { min: Number(row.min), max: Number(row.max) };
  }

  async *bars(query: RangeQuery & { timeframe: Timeframe }): AsyncGenerator<Bar[]> {
    const where = conditions(query, 'start', 3);
    if (where === undefined) return;
    where.push(`timeframe = ${quote(query.timeframe)}`);
    yield* this.#versioned('bars', BAR_SELECT, where, query, readBars);
  }

  async *profiles(query: RangeQuery): AsyncGenerator<Profile[]> {
    const where = conditions(query, 'start', 3);
    if (where === undefined) return;
    yield* this.#versioned('profiles', PROFILE_SELECT, where, query, readProfiles);
  }

  /** Pages by (venue, symbol, start) over the newest versions. `after` of the query is a start. */
  async *#versioned<T extends { instrument: string; startMs: number }>(
    table: string,
    select: string,
    where: readonly string[],
    query: RangeQuery,
    read: (block: NativeBlock) => T[],
  ): AsyncGenerator<T[]> {
    const down = query.newestFirst === true;
    const compare = down ? '<' : '>';
    const filter = [...where];
    if (query.after !== undefined) filter.push(`start ${compare} ${time(query.after, 3)}`);
    let left = query.limit ?? Number.POSITIVE_INFINITY;
    let behind: T | undefined;
    while (left > 0) {
      const page = Math.min(left, PAGE_ROWS);
      const paged = behind === undefined ? filter : [...filter, behindRow(behind, compare)];
      const order = `venue, symbol, start ${dir(down)}`;
      const sql = `SELECT ${select} FROM ${table} FINAL ${whereClause(paged)} ORDER BY ${order} LIMIT ${page}`;
      let rows = 0;
      for (const block of await this.#engine.blocks(sql)) {
        const values = read(block);
        rows += values.length;
        behind = values.at(-1);
        yield values;
      }
      left -= rows;
      if (rows < page) return;
    }
  }

  async stats(instrument: string): Promise<Stats | undefined> {
    const where = conditions({ instrument }, '', 3);
    if (where === undefined) return undefined;
    const blocks = await this.#engine.blocks(`SELECT ${STATS_SELECT} FROM statistics FINAL ${whereClause(where)}`);
    return blocks.flatMap(readStats)[0];
  }

  async *deadLetters(): AsyncGenerator<DeadLetterRow[]> {
    let behind: DeadLetterRow | undefined;
    for (;;) {
      const where = behind === undefined ? [] : [`(partition, offset) > (${behind.partition}, ${behind.offset})`];
      const sql = `SELECT ${DEAD_LETTER_SELECT} FROM dead_letters ${whereClause(where)} ORDER BY partition, offset LIMIT ${PAGE_ROWS}`;
      const rows = (await this.#engine.blocks(sql)).flatMap(readDeadLetters);
      if (rows.length > 0) yield rows;
      if (rows.length < PAGE_ROWS) return;
      behind = rows.at(-1);
    }
  }
}

function dir(down: boolean): string {
  return down ? 'DESC' : 'ASC';
}

/** A DateTime64 literal of `ms` at `precision` places. */
function time(ms: number, precision: 3 | 9): string {
  return precision === 3
    ? `fromUnixTimestamp64Milli(${ms}, 'UTC')`
    : `fromUnixTimestamp64Nano(toInt64(${BigInt(ms) * 1_000_000n}), 'UTC')`;
}

/** undefined when nothing can fit: the instrument is none, or the range is empty. */
function conditions(query: RangeQuery, column: string, precision: 3 | 9): string[] | undefined {
  const where: string[] = [];
  if (query.instrument !== undefined) {
    const parts = parseInstrumentId(query.instrument);
    if (parts === undefined) return undefined;
    where.push(`venue = ${quote(parts.venue)}`, `symbol = ${quote(parts.symbol)}`);
  }
  const { fromMs, toMs } = query;
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) return undefined;
  if (fromMs !== undefined && fromMs > 0) where.push(`${column} >= ${time(Math.min(fromMs, MAX_TIME_MS), precision)}`);
  if (toMs !== undefined && toMs < MAX_TIME_MS) where.push(`${column} < ${time(Math.max(toMs, 0), precision)}`);
  return where;
}

/** End of what DateTime64(9) holds safely: 2200-01-01. */
const MAX_TIME_MS = 7_258_118_400_000;

/** Rows behind `row` in the order (venue, symbol, start); `compare` says which way the starts go. */
function behindRow(row: { instrument: string; startMs: number }, compare: '<' | '>'): string {
  const colon = row.instrument.indexOf(':');
  const pair = `(${quote(row.instrument.slice(0, colon))}, ${quote(row.instrument.slice(colon + 1))})`;
  return `((venue, symbol) > ${pair} OR ((venue, symbol) = ${pair} AND start ${compare} ${time(row.startMs, 3)}))`;
}

function whereClause(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}

/** The tables are sorted by instrument, so the aggregation follows the order and keeps no table of groups. */
const INSTRUMENTS_SQL = `
SELECT
  venue, symbol, max(price_scale) AS priceScale, max(size_scale) AS sizeScale, min(first_ms) AS firstEventMs,
  max(last_ms) AS lastEventMs, sum(trade_rows) AS trades, sum(quote_rows) AS quotes
FROM
(
  SELECT
    venue, symbol, max(price_decimals) AS price_scale, max(size_decimals) AS size_scale,
    intDiv(toUnixTimestamp64Nano(min(event_time)), 1000000) AS first_ms,
    intDiv(toUnixTimestamp64Nano(max(event_time)), 1000000) AS last_ms, count() AS trade_rows, 0 AS quote_rows
  FROM trades GROUP BY venue, symbol
  UNION ALL
  SELECT
    venue, symbol, greatest(max(bid_price_decimals), max(ask_price_decimals)),
    greatest(max(bid_size_decimals), max(ask_size_decimals)),
    intDiv(toUnixTimestamp64Nano(min(time)), 1000000), intDiv(toUnixTimestamp64Nano(max(time)), 1000000), 0, count()
  FROM quotes GROUP BY venue, symbol
)
GROUP BY venue, symbol
ORDER BY venue, symbol
SETTINGS optimize_aggregation_in_order = 1`;
