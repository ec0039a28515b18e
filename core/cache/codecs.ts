/** Text forms of what the cache holds: JSON, with sums as decimal text, because they may pass 2^53. */
import type { Bar, QuoteState, TradeEvent } from '#shared/bars.ts';
import { isTimeframe } from '#shared/timeframes.ts';
import type { ReadThroughCodec } from './read-through.ts';

/** Last trade and last quote of an instrument. */
export interface PriceEntry {
  trade: TradeEvent | undefined;
  quote: QuoteState | undefined;
}

type Json = Record<string, unknown>;

const SUMS = ['volume', 'buyVolume', 'sellVolume', 'pv'] as const;
const BAR_NUMBERS = ['startMs', 'tradeCount', 'revision', 'priceScale', 'sizeScale'] as const;
const PRICES = ['open', 'high', 'low', 'close'] as const;
const SUM = /^-?\d{1,512}$/;

/** NaN has no JSON; null stands for it. */
function nullNaN(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return typeof value === 'number' && Number.isNaN(value) ? null : value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readBar(value: unknown): Bar | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const row = value as Json;
  const { instrument, timeframe, state } = row;
  if (typeof instrument !== 'string' || typeof timeframe !== 'string' || !isTimeframe(timeframe)) return undefined;
  if (state !== 'provisional' && state !== 'final' && state !== 'revised') return undefined;
  if (!BAR_NUMBERS.every((name) => Number.isSafeInteger(row[name]))) return undefined;
  if (!PRICES.every((name) => row[name] === null || Number.isSafeInteger(row[name]))) return undefined;
  if (!SUMS.every((name) => typeof row[name] === 'string' && SUM.test(row[name]))) return undefined;
  const number = (name: string): number => (row[name] === null ? Number.NaN : (row[name] as number));
  const sum = (name: string): bigint => BigInt(row[name] as string);
  return {
    instrument,
    timeframe,
    state,
    startMs: number('startMs'),
    priceScale: number('priceScale'),
    sizeScale: number('sizeScale'),
    open: number('open'),
    high: number('high'),
    low: number('low'),
    close: number('close'),
    volume: sum('volume'),
    buyVolume: sum('buyVolume'),
    sellVolume: sum('sellVolume'),
    pv: sum('pv'),
    tradeCount: number('tradeCount'),
    revision: number('revision'),
  };
}

export const barCodec: ReadThroughCodec<Bar> = {
  encode: (bar) => JSON.stringify(bar, nullNaN),
  decode: (text) => readBar(parse(text)),
};

export const barsCodec: ReadThroughCodec<Bar[]> = {
  encode: (bars) => JSON.stringify(bars, nullNaN),
  decode(text) {
    const rows = parse(text);
    if (!Array.isArray(rows)) return undefined;
    const bars = rows.map(readBar);
    return bars.every((bar) => bar !== undefined) ? bars : undefined;
  },
};

const QUOTE_PRICES = ['bidPrice', 'bidSize', 'askPrice', 'askSize'] as const;

function isPart(value: unknown): value is Json {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Json)['instrument'] === 'string' &&
    Number.isFinite((value as Json)['eventMs'])
  );
}

export const priceCodec: ReadThroughCodec<PriceEntry> = {
  encode: (price) => JSON.stringify(price, nullNaN),
  decode(text) {
    const found = parse(text);
    if (typeof found !== 'object' || found === null) return undefined;
    const { trade, quote } = found as Json;
    if (trade !== undefined && !(isPart(trade) && Number.isSafeInteger(trade['price']))) return undefined;
    if (quote !== undefined && !isPart(quote)) return undefined;
    if (quote !== undefined) for (const name of QUOTE_PRICES) quote[name] ??= Number.NaN;
    return { trade: trade as TradeEvent | undefined, quote: quote as QuoteState | undefined };
  },
};
