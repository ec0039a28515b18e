/** CSV of market data (SPEC QY-3..QY-5), one line a row without line ends. Pure; the caller adds the header and the line ends. */
import type { Bar, Profile } from '#shared/bars.ts';
import { formatDecimal, formatPrinted, formatVwap } from '#shared/decimal.ts';
import { formatNanos } from '#shared/event-time.ts';
import { decodeTradeId, NO_TIME, SIDE_NAMES, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';
import { valueArea } from '../windows/profile.ts';

export const BAR_CSV_HEADER =
  'venue,symbol,start_ns,start_utc,open,high,low,close,volume,vwap,trade_count,state,revision';
export const PROFILE_CSV_HEADER =
  'venue,symbol,start_ns,start_utc,price,volume,buy_volume,sell_volume,trade_count,is_poc,in_value_area';
export const TRADE_CSV_HEADER = 'ts_event_ns,ts_recv_ns,venue,symbol,price,size,side,trade_id,conditions';
/** Header of tapes that carry cancels and corrections (SPEC MD-10). */
export const TRADE_ACTION_CSV_HEADER = `${TRADE_CSV_HEADER},action`;
export const QUOTE_CSV_HEADER = 'ts_event_ns,ts_recv_ns,venue,symbol,bid_price,bid_size,ask_price,ask_size';

const ACTION_NAMES = ['trade', 'cancel', 'correction'] as const;

/** A bar's line. Prices are empty where no trade may set one (SPEC WN-4), the VWAP where nothing was traded. */
export function barCsv(bar: Bar): string {
  const { priceScale, sizeScale } = bar;
  return (
    `${windowCells(bar.instrument, bar.startMs)},${price(bar.open, priceScale)},${price(bar.high, priceScale)},` +
    `${price(bar.low, priceScale)},${price(bar.close, priceScale)},${formatDecimal(bar.volume, sizeScale)},` +
    `${formatVwap(bar.pv, bar.volume, priceScale)},${bar.tradeCount},${bar.state},${bar.revision}`
  );
}

/** A line for every price of the profile, by rising price. */
export function* profileCsvRows(profile: Profile): Generator<string> {
  const { priceScale, sizeScale, rows } = profile;
  const area = valueArea(rows);
  const window = windowCells(profile.instrument, profile.startMs);
  for (const [i, row] of rows.entries()) {
    yield (
      `${window},${formatDecimal(row.price, priceScale)},${formatDecimal(row.volume, sizeScale)},` +
        `${formatDecimal(row.buyVolume, sizeScale)},${formatDecimal(row.sellVolume, sizeScale)},${row.tradeCount},` +
        `${i === area.poc},${i >= area.low && i <= area.high}`
    );
  }
}

/** Trades as their tape printed them, in the order of the columns. `withAction` adds the column of TRADE_ACTION_CSV_HEADER. */
export function* tradeCsvRows(trades: TradeColumns, withAction = false): Generator<string> {
  const instruments = instrumentCells(trades.instruments.values);
  const conditions = trades.strings.values.map(quoted);
  for (let i = 0; i < trades.length; i++) {
    const line =
      `${time(trades.eventMs, trades.eventSubNs, i)},${time(trades.recvMs, trades.recvSubNs, i)},` +
      `${instruments[trades.instrument[i] as number]},` +
      `${printed(trades.price, trades.priceDecimals, trades.pricePrinted, i)},` +
      `${printed(trades.size, trades.sizeDecimals, trades.sizePrinted, i)},${SIDE_NAMES[trades.side[i] as 0]},` +
      `${quoted(decodeTradeId(trades.tradeId[i] as number, trades.strings))},${conditions[trades.conditions[i] as number]}`;
    yield withAction ? `${line},${ACTION_NAMES[trades.action[i] as 0]}` : line;
  }
}

/** Quotes as their tape printed them, in the order of the columns. */
export function* quoteCsvRows(quotes: QuoteColumns): Generator<string> {
  const instruments = instrumentCells(quotes.instruments.values);
  for (let i = 0; i < quotes.length; i++) {
    yield (
      `${time(quotes.eventMs, quotes.eventSubNs, i)},${time(quotes.recvMs, quotes.recvSubNs, i)},` +
        `${instruments[quotes.instrument[i] as number]},` +
        `${printed(quotes.bidPrice, quotes.bidPriceDecimals, quotes.bidPricePrinted, i)},` +
        `${printed(quotes.bidSize, quotes.bidSizeDecimals, quotes.bidSizePrinted, i)},` +
        `${printed(quotes.askPrice, quotes.askPriceDecimals, quotes.askPricePrinted, i)},` +
        printed(quotes.askSize, quotes.askSizeDecimals, quotes.askSizePrinted, i)
    );
  }
}

function windowCells(instrument: string, startMs: number): string {
  const utc = new Date(startMs).toISOString().slice(0, 19);
  return `${instrument.replace(':', ',')},${formatNanos(startMs, 0)},${utc}Z`;
}

function instrumentCells(instruments: readonly string[]): string[] {
  return instruments.map((id) => id.replace(':', ','));
}

function price(mantissa: number, scale: number): string {
  return Number.isNaN(mantissa) ? '' : formatDecimal(mantissa, scale);
}

function printed(mantissas: Float64Array, decimals: Uint8Array, places: Uint8Array, i: number): string {
  const mantissa = mantissas[i] as number;
  return Number.isNaN(mantissa) ? '' : formatPrinted(mantissa, decimals[i] as number, places[i] as number);
}

function time(ms: Float64Array, subNs: Float64Array, i: number): string {
  const at = ms[i] as number;
  return at === NO_TIME ? '' : formatNanos(at, subNs[i] as number);
}

/** RFC 4180 quoting, for the ids and codes that need it. */
function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
