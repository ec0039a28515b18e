/**
 * Port of the analytics store: long-kept bars with what is derived from them, and what belongs to users.
 *
 * Writes of bars are idempotent: of each (instrument, timeframe, start) the higher (revision, trade count) stays (SPEC ST-3). Numbers
 * are exact decimals as text, without padding zeros; `…Ms` are ms since 1970-01-01 UTC; days are UTC days named by their start.
 */
import type { Bar, BarState } from '#shared/bars.ts';
import type { Timeframe } from '#shared/timeframes.ts';

/** [fromMs, toMs), of these instruments (`venue:SYMBOL`; all when left out), at most `limit` rows (10,000). */
export interface AnalyticsRange {
  instruments?: readonly string[];
  fromMs?: number;
  toMs?: number;
  limit?: number;
}

export interface DailyBar {
  instrument: string;
  dayMs: number;
  /** null while no trade of the day may set a price. */
  open: string | null;
  high: string | null;
  low: string | null;
  close: string | null;
  volume: string;
  buyVolume: string;
  sellVolume: string;
  /** Σ(price·size): VWAP is this divided by the volume. */
  pv: string;
  tradeCount: number;
  state: BarState;
  revision: number;
}

/** Volume of an instrument over a range, from its hours. */
export interface SymbolVolume {
  instrument: string;
  volume: string;
  buyVolume: string;
  sellVolume: string;
  pv: string;
  tradeCount: number;
  /** Hours with trades. */
  hours: number;
}

export interface DailyReturn {
  instrument: string;
  dayMs: number;
  close: string;
  previousClose: string;
  /** close / previousClose − 1, rounded to 12 places. The previous close is that of the last day that had one. */
  dailyReturn: string;
}

export interface Correlation {
  /** a < b by code points. */
  a: string;
  b: string;
  /** Days that both have. */
  sampleSize: number;
  /** Pearson, rounded to 12 places; null where one of the two never moved. */
  correlation: string | null;
}

export interface User {
  id: string;
  name: string;
  createdMs: number;
}

export interface Watchlist {
  id: string;
  name: string;
  /** In the user's order. */
  symbols: string[];
  version: number;
}

export interface Layout {
  id: string;
  name: string;
  body: Record<string, unknown>;
  version: number;
}

/**
 * Outcome of a save. `conflict`: somebody changed it since the version that the writer saw; `current` is what stands there, or
 * undefined when it is gone. `name_taken`: the user has another one with this name.
 */
export type Saved<T> =
  | { outcome: 'saved'; value: T }
  | { outcome: 'conflict'; current: T | undefined }
  | { outcome: 'name_taken' };

/** A new one has no id; a changed one names the version that its writer saw. */
export type Draft<T extends { id: string; version: number }> = Omit<T, 'id' | 'version'> &
  ({ id?: undefined } | { id: string; version: number });

export interface AuditEntry {
  /** User id, or the name of a service. */
  actor: string;
  action: string;
  subject: string;
  detail: Record<string, unknown>;
}

export interface AuditRecord extends AuditEntry {
  /** 1, 2, 3, … without gaps. */
  id: number;
  atMs: number;
}

/** Everything is per user: an id of another user's is as one that does not exist. */
export interface UserStore {
  /** The user with this name, made when there is none. */
  user(name: string): Promise<User>;
  watchlists(userId: string): Promise<Watchlist[]>;
  saveWatchlist(userId: string, draft: Draft<Watchlist>): Promise<Saved<Watchlist>>;
  /** false when there was none. */
  deleteWatchlist(userId: string, id: string): Promise<boolean>;
  layouts(userId: string): Promise<Layout[]>;
  saveLayout(userId: string, draft: Draft<Layout>): Promise<Saved<Layout>>;
  deleteLayout(userId: string, id: string): Promise<boolean>;
  appendAudit(atMs: number, entry: AuditEntry): Promise<AuditRecord>;
  /** Oldest first, behind `afterId`. */
  audit(query: { subject?: string; afterId?: number; limit?: number }): Promise<AuditRecord[]>;
  /** Recomputes the chain of hashes; the id of the first record that does not fit, or undefined when all do. */
  verifyAudit(): Promise<number | undefined>;
}

/** `derived`: daily bars, volumes and returns; `correlation`: the matrix over all instruments, which costs the most. */
export type AnalyticsPart = 'derived' | 'correlation';

export interface AnalyticsStore extends UserStore {
  migrate(dryRun?: boolean): Promise<{ applied: string[]; version: number }>;
  /** Bars that were new or newer. */
  upsertBars(bars: readonly Bar[]): Promise<number>;
  bar(instrument: string, timeframe: Timeframe, startMs: number): Promise<Bar | undefined>;
  /** By instrument, day. */
  dailyBars(range: AnalyticsRange): Promise<DailyBar[]>;
  /** By volume of trades in money (pv), largest first; then by instrument. */
  volumeBySymbol(range: AnalyticsRange): Promise<SymbolVolume[]>;
  /** By instrument, day. */
  dailyReturns(range: AnalyticsRange): Promise<DailyReturn[]>;
  /** By a, b. With a range, over the returns in it; without, over all that is stored, as of the last refresh. */
  correlation(range: AnalyticsRange & { minSample?: number }): Promise<Correlation[]>;
  /** Brings what is derived level with the bars where the database does not do so by itself. */
  refresh(part: AnalyticsPart): Promise<void>;
  /** Drops bars that ended before `beforeMs`, where the database does not do so by itself; a month stays until it is old as a whole. */
  retain(beforeMs: number): Promise<string[]>;
  ping(): Promise<void>;
  close(): Promise<void>;
}
