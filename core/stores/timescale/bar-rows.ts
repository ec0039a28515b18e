/** Bars to and from the rows of sql/timescale, and the partitions they stand in. Pure. */
import type { Bar, BarState } from '#shared/bars.ts';
import { formatDecimal, pow10Big } from '#shared/decimal.ts';
import type { Timeframe } from '#shared/timeframes.ts';

/** One bar as JSON for jsonb_to_recordset: decimals as text, so that no float stands between. */
export interface BarRow {
  symbol: string;
  timeframe: string;
  start_at: string;
  open: string | null;
  high: string | null;
  low: string | null;
  close: string | null;
  volume: string;
  buy_volume: string;
  sell_volume: string;
  pv: string;
  trade_count: number;
  price_scale: number;
  size_scale: number;
  state: BarState;
  revision: number;
}

/** A row as the database gives it back: numeric and bigint come as text, `start_ms` stands for start_at. */
export type StoredBar = Omit<BarRow, 'start_at' | 'trade_count'> & { start_ms: string; trade_count: string };

export function barRow(bar: Bar): BarRow {
  const price = (mantissa: number): string | null =>
    Number.isNaN(mantissa) ? null : formatDecimal(mantissa, bar.priceScale);
  const size = (mantissa: bigint): string => formatDecimal(mantissa, bar.sizeScale);
  return {
    symbol: bar.instrument,
    timeframe: bar.timeframe,
    start_at: new Date(bar.startMs).toISOString(),
    open: price(bar.open),
    high: price(bar.high),
    low: price(bar.low),
    close: price(bar.close),
    volume: size(bar.volume),
    buy_volume: size(bar.buyVolume),
    sell_volume: size(bar.sellVolume),
    pv: formatDecimal(bar.pv, bar.priceScale + bar.sizeScale),
    trade_count: bar.tradeCount,
    price_scale: bar.priceScale,
    size_scale: bar.sizeScale,
    state: bar.state,
    revision: bar.revision,
  };
}

export function storedBar(row: StoredBar): Bar {
  const price = (text: string | null): number =>
    text === null ? Number.NaN : Number(scaledInteger(text, row.price_scale));
  const size = (text: string): bigint => scaledInteger(text, row.size_scale);
  return {
    instrument: row.symbol,
    timeframe: row.timeframe as Timeframe,
    startMs: Number(row.start_ms),
    priceScale: row.price_scale,
    sizeScale: row.size_scale,
    open: price(row.open),
    high: price(row.high),
    low: price(row.low),
    close: price(row.close),
    volume: size(row.volume),
    buyVolume: size(row.buy_volume),
    sellVolume: size(row.sell_volume),
    pv: scaledInteger(row.pv, row.price_scale + row.size_scale),
    tradeCount: Number(row.trade_count),
    state: row.state,
    revision: row.revision,
  };
}

/** `text · 10^places` of a plain decimal that has at most that many places. */
export function scaledInteger(text: string, places: number): bigint {
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.');
  const kept = fraction.replace(/0+$/, '');
  if (kept.length > places) throw new RangeError(`${text} has more than ${places} places`);
  const magnitude = BigInt(whole) * pow10Big(places) + BigInt(kept.padEnd(places, '0') || '0');
  return text.startsWith('-') ? -magnitude : magnitude;
}

/** Of each bar the highest (revision, trade count), by key, so that writers that run at once take their locks in one order. */
export function newestByKey(bars: readonly Bar[]): Bar[] {
  const newest = new Map<string, Bar>();
  for (const bar of bars) {
    const key = `${bar.instrument}|${bar.timeframe}|${String(bar.startMs).padStart(16, '0')}`;
    const known = newest.get(key);
    if (known === undefined || isHigher(bar, known)) newest.set(key, bar);
  }
  return [...newest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, bar]) => bar);
}

function isHigher(a: Bar, b: Bar): boolean {
  return a.revision > b.revision || (a.revision === b.revision && a.tradeCount > b.tradeCount);
}

export interface Partition {
  name: string;
  /** [from, to) as ISO 8601 text in UTC. */
  from: string;
  to: string;
}

/** The month that holds the time. */
export function monthPartition(eventMs: number): Partition {
  const date = new Date(eventMs);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  return {
    name: `bars_${year}_${String(month + 1).padStart(2, '0')}`,
    from: new Date(Date.UTC(year, month, 1)).toISOString(),
    to: new Date(Date.UTC(year, month + 1, 1)).toISOString(),
  };
}

/** First moment behind the partition, ms; undefined when the name is none of ours. */
export function partitionEndMs(name: string): number | undefined {
  const match = /^bars_(\d{4})_(\d{2})$/.exec(name);
  return match === null ? undefined : Date.UTC(Number(match[1]), Number(match[2]), 1);
}
