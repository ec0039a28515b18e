/**
 * Names of what the cache holds, and how long each kind is kept. Pure: the same key on every adapter.
 *
 * The instrument stands in braces, so that a Redis Cluster keeps all keys of one instrument in one slot.
 */
import { TIMEFRAME_MS, windowStart, type Timeframe } from '#shared/timeframes.ts';

export const CACHE_KINDS = ['price', 'bar', 'history', 'reference', 'session', 'order', 'balance'] as const;
export type CacheKind = (typeof CACHE_KINDS)[number];

export interface CacheKey {
  kind: CacheKind;
  name: string;
  /** How long a value is kept, ms. */
  ttlMs: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const TTL_MS = {
  price: 5 * SECOND,
  reference: 7 * DAY,
  session: DAY,
  /** Orders and balances are the user's own data. */
  user: DAY,
} as const;

/** A bar is kept as long as it is: a minute's for a minute, five minutes' for five, a day's for a day. */
export function barTtlMs(timeframe: Timeframe): number {
  return TIMEFRAME_MS[timeframe];
}

/** Last price and quote of an instrument. */
export function priceKey(instrument: string): CacheKey {
  return { kind: 'price', name: `price:{${instrument}}`, ttlMs: TTL_MS.price };
}

/** One bar by its start. */
export function barKey(instrument: string, timeframe: Timeframe, startMs: number): CacheKey {
  return { kind: 'bar', name: `ohlc:{${instrument}}:${timeframe}:${startMs}`, ttlMs: barTtlMs(timeframe) };
}

/** Bars in one tile of history. Tiles are aligned, so that a changed bar names the one tile it stands in. */
export const TILE_BARS = 500;

export function tileLengthMs(timeframe: Timeframe): number {
  return TIMEFRAME_MS[timeframe] * TILE_BARS;
}

export function tileStartMs(timeframe: Timeframe, eventMs: number): number {
  return windowStart(eventMs, tileLengthMs(timeframe));
}

/** The tile of history that holds the bar of `eventMs`. */
export function historyKey(instrument: string, timeframe: Timeframe, eventMs: number): CacheKey {
  return {
    kind: 'history',
    name: `history:{${instrument}}:${timeframe}:${tileStartMs(timeframe, eventMs)}`,
    ttlMs: barTtlMs(timeframe),
  };
}

/** What is known of an instrument apart from its prices. */
export function referenceKey(instrument: string): CacheKey {
  return { kind: 'reference', name: `reference:{${instrument}}`, ttlMs: TTL_MS.reference };
}

export function sessionKey(sessionId: string): CacheKey {
  return { kind: 'session', name: `session:{${escape(sessionId)}}`, ttlMs: TTL_MS.session };
}

export function orderKey(userId: string, orderId: string): CacheKey {
  return { kind: 'order', name: `order:{${escape(userId)}}:${escape(orderId)}`, ttlMs: TTL_MS.user };
}

export function balanceKey(userId: string, currency: string): CacheKey {
  return { kind: 'balance', name: `balance:{${escape(userId)}}:${escape(currency)}`, ttlMs: TTL_MS.user };
}

/** Keeps separators and braces out of the parts of a key, so that no two keys are spelt the same. */
function escape(part: string): string {
  return encodeURIComponent(part);
}

const TRADE_COUNT_RANGE = 2 ** 32;

/**
 * One rising number for (revision, trade count), by which the newer form of a bar is known (SPEC ST-3). Exact while the
 * revision is below 2^21 and the trade count below 2^32; beyond that it stays at the limit, and the last writer wins.
 */
export function barVersion(bar: { revision: number; tradeCount: number }): number {
  const revision = Math.min(bar.revision, 2 ** 21 - 1);
  return revision * TRADE_COUNT_RANGE + Math.min(bar.tradeCount, TRADE_COUNT_RANGE - 1);
}
