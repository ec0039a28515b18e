import type { Timeframe } from './timeframes.ts';

/** Names of the log's topics, in one place (SPEC LG-2). */
export const TOPICS = {
  trades: 'trades',
  quotes: 'quotes',
  events: 'events',
  volumeProfile: 'volume-profile-5m',
  tickCount: 'tick-count-1m',
  statistics: 'statistics',
  orders: 'orders',
  news: 'news',
  alerts: 'alerts',
  deadLetter: 'dead-letter',
} as const;

export function aggregatesTopic(timeframe: Timeframe): string {
  return `aggregates-${timeframe}`;
}

/** An instrument is `venue:SYMBOL`; neither part holds a colon (SPEC MD-2). */
export function instrumentId(venue: string, symbol: string): string {
  return `${venue}:${symbol}`;
}

export interface InstrumentParts {
  venue: string;
  symbol: string;
}

const VENUE = /^[a-z0-9_]{1,64}$/;
const SYMBOL = /^[A-Za-z0-9._\-/]{1,64}$/;

export function isVenue(text: string): boolean {
  return VENUE.test(text);
}

export function isSymbol(text: string): boolean {
  return SYMBOL.test(text);
}

/** Splits `venue:SYMBOL`; undefined when it is not one. */
export function parseInstrumentId(id: string): InstrumentParts | undefined {
  const colon = id.indexOf(':');
  const venue = id.slice(0, Math.max(colon, 0));
  const symbol = id.slice(colon + 1);
  return colon > 0 && isVenue(venue) && isSymbol(symbol) ? { venue, symbol } : undefined;
}

/** Stable partition of an instrument: FNV-1a over the id's UTF-16 units, modulo the partition count (SPEC LG-3). */
export function partitionOf(instrument: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < instrument.length; i++) {
    hash ^= instrument.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0) % partitions;
}
