/** What the sink keeps of which topic, and how. A lane's topics share batches, because they go to one table. */
import type { Bar, Profile, Stats } from '#shared/bars.ts';
import { isControl } from '#shared/control.ts';
import { decodeFrame } from '#shared/frame.ts';
import type { QuoteColumns, TradeColumns } from '#shared/ticks.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
import { decodeDeadLetter } from '../log/dead-letter.ts';
import type { LogRecord } from '../log/log.ts';
import { decodeBars, decodeProfiles, decodeStats } from '../windows/records.ts';
import { isNewer, profileTrades } from './bar-blocks.ts';
import type { BatchToken, DeadLetterRow, MarketStore } from './stores.ts';

export interface Lane<T> {
  readonly name: string;
  readonly topics: readonly string[];
  /** Whether a repeated write must be the very same batch; upserts may be cut anew. */
  readonly exact: boolean;
  /** What the record holds and how many rows that is, or why it cannot be read. */
  decode(record: LogRecord, partition: number): { value: T | undefined; rows: number } | { fault: string };
  write(store: MarketStore, values: readonly T[], token: BatchToken): Promise<void>;
}

export type AnyLane = {
  [N in keyof Lanes]: Lane<Lanes[N]>;
}[keyof Lanes];
interface Lanes {
  trades: TradeColumns;
  quotes: QuoteColumns;
  bars: Bar[];
  profiles: Profile[];
  statistics: Stats[];
  deadLetters: DeadLetterRow;
}

const NOTHING = { value: undefined, rows: 0 };

const trades: Lane<TradeColumns> = {
  name: 'trades',
  topics: [TOPICS.trades],
  exact: true,
  decode({ value }) {
    if (isControl(value)) return NOTHING;
    const frame = decodeFrame(value);
    if (!frame.ok) return { fault: frame.fault };
    return frame.kind === 'trades' ? { value: frame.trades, rows: frame.trades.length } : { fault: 'unknown_kind' };
  },
  write: (store, values, token) => store.writeTrades(values, token),
};

const quotes: Lane<QuoteColumns> = {
  name: 'quotes',
  topics: [TOPICS.quotes],
  exact: true,
  decode({ value }) {
    if (isControl(value)) return NOTHING;
    const frame = decodeFrame(value);
    if (!frame.ok) return { fault: frame.fault };
    return frame.kind === 'quotes' ? { value: frame.quotes, rows: frame.quotes.length } : { fault: 'unknown_kind' };
  },
  write: (store, values, token) => store.writeQuotes(values, token),
};

function rowsOf<T>(values: T[] | undefined): { value: T[]; rows: number } | { fault: string } {
  return values === undefined ? { fault: 'bad_layout' } : { value: values, rows: values.length };
}

const bars: Lane<Bar[]> = {
  name: 'bars',
  topics: TIMEFRAMES.map(aggregatesTopic),
  exact: false,
  decode: ({ value }) => rowsOf(decodeBars(value)),
  write: (store, values, token) => store.writeBars(newestBars(values.flat()), token),
};

const profiles: Lane<Profile[]> = {
  name: 'profiles',
  topics: [TOPICS.volumeProfile],
  exact: false,
  decode: ({ value }) => rowsOf(decodeProfiles(value)),
  write: (store, values, token) => store.writeProfiles(newestProfiles(values.flat()), token),
};

const statistics: Lane<Stats[]> = {
  name: 'statistics',
  topics: [TOPICS.statistics],
  exact: false,
  decode: ({ value }) => rowsOf(decodeStats(value)),
  write: (store, values, token) => store.writeStats(newestStats(values.flat()), token),
};

const deadLetters: Lane<DeadLetterRow> = {
  name: 'dead_letters',
  topics: [TOPICS.deadLetter],
  exact: true,
  /** A letter that cannot be read is kept as one that says so: there is nowhere further to send it. */
  decode({ value, offset, timestampMs }, partition) {
    const letter = decodeDeadLetter(value) ?? {
      source: TOPICS.deadLetter,
      line: offset,
      reason: 'bad_layout',
      excerpt: '',
    };
    return { value: { ...letter, partition, offset, timestampMs }, rows: 1 };
  },
  write: (store, values, token) => store.writeDeadLetters(values, token),
};

export const LANES: readonly AnyLane[] = [trades, quotes, bars, profiles, statistics, deadLetters];

/** Of each bar only the form that wins (SPEC ST-3). */
export function newestBars(all: readonly Bar[]): Bar[] {
  return newest(all, (bar) => `${bar.timeframe}|${bar.startMs}|${bar.instrument}`, isNewer);
}

export function newestProfiles(all: readonly Profile[]): Profile[] {
  const version = (p: Profile) => ({ revision: p.revision, tradeCount: profileTrades(p) });
  return newest(
    all,
    (p) => `${p.startMs}|${p.instrument}`,
    (a, b) => isNewer(version(a), version(b)),
  );
}

export function newestStats(all: readonly Stats[]): Stats[] {
  return newest(
    all,
    (s) => s.instrument,
    (a, b) => !(a.eventMs < b.eventMs),
  );
}

function newest<T>(all: readonly T[], key: (value: T) => string, wins: (a: T, b: T) => boolean): T[] {
  const kept = new Map<string, T>();
  for (const value of all) {
    const id = key(value);
    const other = kept.get(id);
    if (other === undefined || wins(value, other)) kept.set(id, value);
  }
  return [...kept.values()];
}
