/**
 * Store ports. Every write is idempotent (SPEC ST-2): the same batch under the same token, or the same bar with the same or a
 * lower version, changes nothing.
 */
import type { Bar, Profile, Stats } from '#shared/bars.ts';
import type { QuoteColumns, TradeColumns } from '#shared/ticks.ts';
import type { Timeframe } from '#shared/timeframes.ts';
import type { DeadLetter } from '../log/dead-letter.ts';

/** Log positions first..last of a topic partition, as `topic:partition:first-last`; of several ones joined by `,`. */
export type BatchToken = string;

export interface InstrumentRow {
  venue: string;
  symbol: string;
  priceScale: number;
  sizeScale: number;
  firstEventMs: number;
  lastEventMs: number;
  trades: number;
  quotes: number;
}

/** A time range [fromMs, toMs) and how many rows at most, oldest or newest first. */
export interface RangeQuery {
  instrument?: string;
  fromMs?: number;
  toMs?: number;
  limit?: number;
  /** Continue behind this arrival number (ticks) or start (bars). */
  after?: number;
  newestFirst?: boolean;
}

/** What was refused (SPEC MD-9), and where it stands in the dead-letter topic. */
export interface DeadLetterRow extends DeadLetter {
  partition: number;
  offset: number;
  timestampMs: number;
}

export interface MarketStore {
  /** Brings the tables to the version of this code. With `dryRun` only says what would be applied. */
  migrate(dryRun?: boolean): Promise<{ applied: string[]; version: number }>;
  writeTrades(batches: readonly TradeColumns[], token: BatchToken): Promise<void>;
  writeQuotes(batches: readonly QuoteColumns[], token: BatchToken): Promise<void>;
  writeBars(bars: readonly Bar[], token: BatchToken): Promise<void>;
  writeProfiles(profiles: readonly Profile[], token: BatchToken): Promise<void>;
  writeStats(stats: readonly Stats[], token: BatchToken): Promise<void>;
  writeDeadLetters(rows: readonly DeadLetterRow[], token: BatchToken): Promise<void>;

  instruments(): Promise<InstrumentRow[]>;
  /** In order of arrival, unless newestFirst. Batches, so that a whole tape never stands in memory. */
  trades(query: RangeQuery): AsyncIterable<TradeColumns>;
  quotes(query: RangeQuery): AsyncIterable<QuoteColumns>;
  /** Sorted by venue, symbol, start (newestFirst turns the starts around). Only the newest form of each bar. */
  bars(query: RangeQuery & { timeframe: Timeframe }): AsyncIterable<Bar[]>;
  profiles(query: RangeQuery): AsyncIterable<Profile[]>;
  stats(instrument: string): Promise<Stats | undefined>;
  /** By partition and offset. */
  deadLetters(): AsyncIterable<DeadLetterRow[]>;
  ping(): Promise<void>;
  close(): Promise<void>;
}
