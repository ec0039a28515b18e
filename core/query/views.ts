/** From the product's exact integers to the public JSON forms of shared/market.ts. Pure. */
import type { Bar, Profile, QuoteState, Scales, Stats, TradeEvent } from '#shared/bars.ts';
import { formatDecimal, formatVwap, rescale } from '#shared/decimal.ts';
import { formatNanos } from '#shared/event-time.ts';
import type { BarView, LastView, ProfileView, QuoteView, StatsView, SymbolInfo, TradeView } from '#shared/market.ts';
import {
  ACTION,
  NO_TIME,
  SIDE,
  decodeTradeId,
  quoteTimeMs,
  type QuoteColumns,
  type TradeColumns,
} from '#shared/ticks.ts';
import type { InstrumentRow } from '../stores/stores.ts';
import { valueArea } from '../windows/profile.ts';

/** Venue of everything that a simulator makes (SPEC MD-12). */
export const SIMULATED_VENUE = 'simulated';

const SIDES = { [SIDE.unknown]: null, [SIDE.buy]: 'buy', [SIDE.sell]: 'sell' } as const;
const ACTIONS = { [ACTION.trade]: 'trade', [ACTION.cancel]: 'cancel', [ACTION.correction]: 'correction' } as const;

function decimal(mantissa: number, places: number): string | null {
  return Number.isNaN(mantissa) ? null : formatDecimal(mantissa, places);
}

function fraction(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function time(ms: number): number | null {
  return Number.isFinite(ms) ? ms : null;
}

export function symbolView(row: InstrumentRow): SymbolInfo {
  return {
    symbol: `${row.venue}:${row.symbol}`,
    venue: row.venue,
    ticker: row.symbol,
    simulated: row.venue === SIMULATED_VENUE,
    priceScale: row.priceScale,
    sizeScale: row.sizeScale,
    firstEventMs: time(row.firstEventMs),
    lastEventMs: time(row.lastEventMs),
    trades: row.trades,
    quotes: row.quotes,
  };
}

/** A bar whose trades may set no price is not shown until one may (SPEC WN-4). */
export function isShown(bar: Bar): boolean {
  return !Number.isNaN(bar.open);
}

export function barView(bar: Bar): BarView {
  const vwap = formatVwap(bar.pv, bar.volume, bar.priceScale);
  return {
    symbol: bar.instrument,
    timeframe: bar.timeframe,
    startMs: bar.startMs,
    open: decimal(bar.open, bar.priceScale),
    high: decimal(bar.high, bar.priceScale),
    low: decimal(bar.low, bar.priceScale),
    close: decimal(bar.close, bar.priceScale),
    volume: formatDecimal(bar.volume, bar.sizeScale),
    buyVolume: formatDecimal(bar.buyVolume, bar.sizeScale),
    sellVolume: formatDecimal(bar.sellVolume, bar.sizeScale),
    vwap: vwap === '' ? null : vwap,
    tradeCount: bar.tradeCount,
    state: bar.state,
    revision: bar.revision,
  };
}

export function profileView(profile: Profile): ProfileView {
  const area = valueArea(profile.rows);
  return {
    symbol: profile.instrument,
    startMs: profile.startMs,
    state: profile.state,
    revision: profile.revision,
    rows: profile.rows.map((row, i) => ({
      price: formatDecimal(row.price, profile.priceScale),
      volume: formatDecimal(row.volume, profile.sizeScale),
      buyVolume: formatDecimal(row.buyVolume, profile.sizeScale),
      sellVolume: formatDecimal(row.sellVolume, profile.sizeScale),
      tradeCount: row.tradeCount,
      isPoc: i === area.poc,
      inValueArea: i >= area.low && i <= area.high,
    })),
  };
}

export function statsView(stats: Stats): StatsView {
  return {
    symbol: stats.instrument,
    eventMs: time(stats.eventMs),
    lastPrice: decimal(stats.lastPrice, stats.priceScale),
    spread: decimal(stats.spread, stats.priceScale),
    spreadBps: fraction(stats.spreadBps),
    vwap30s: fraction(stats.vwap30s),
    average30s: fraction(stats.average30s),
    volume30s: formatDecimal(stats.volume30s, stats.sizeScale),
    trades30s: stats.trades30s,
    realisedVolatility: fraction(stats.realisedVolatility),
    change: decimal(stats.change, stats.priceScale),
    changeFraction: fraction(stats.changeFraction),
    dayOpen: decimal(stats.dayOpen, stats.priceScale),
    dayHigh: decimal(stats.dayHigh, stats.priceScale),
    dayLow: decimal(stats.dayLow, stats.priceScale),
    dayVolume: formatDecimal(stats.dayVolume, stats.sizeScale),
    dayTrades: stats.dayTrades,
  };
}

export function* tradeViews(trades: TradeColumns): Generator<TradeView> {
  for (let i = 0; i < trades.length; i++) {
    const recvMs = trades.recvMs[i] as number;
    yield {
      symbol: trades.instruments.values[trades.instrument[i] as number] ?? '',
      arrival: trades.arrival[i] as number,
      eventNs: formatNanos(trades.eventMs[i] as number, trades.eventSubNs[i] as number),
      recvNs: recvMs === NO_TIME ? null : formatNanos(recvMs, trades.recvSubNs[i] as number),
      price: formatDecimal(trades.price[i] as number, trades.priceDecimals[i] as number),
      size: formatDecimal(trades.size[i] as number, trades.sizeDecimals[i] as number),
      side: SIDES[trades.side[i] as keyof typeof SIDES] ?? null,
      tradeId: decodeTradeId(trades.tradeId[i] as number, trades.strings) || null,
      conditions: trades.strings.values[trades.conditions[i] as number] ?? '',
      action: ACTIONS[trades.action[i] as keyof typeof ACTIONS] ?? 'trade',
    };
  }
}

export function* quoteViews(quotes: QuoteColumns): Generator<QuoteView> {
  for (let i = 0; i < quotes.length; i++) {
    const eventMs = quotes.eventMs[i] as number;
    const recvMs = quotes.recvMs[i] as number;
    yield {
      symbol: quotes.instruments.values[quotes.instrument[i] as number] ?? '',
      arrival: quotes.arrival[i] as number,
      eventNs: eventMs === NO_TIME ? null : formatNanos(eventMs, quotes.eventSubNs[i] as number),
      recvNs: recvMs === NO_TIME ? null : formatNanos(recvMs, quotes.recvSubNs[i] as number),
      bidPrice: decimal(quotes.bidPrice[i] as number, quotes.bidPriceDecimals[i] as number),
      bidSize: decimal(quotes.bidSize[i] as number, quotes.bidSizeDecimals[i] as number),
      askPrice: decimal(quotes.askPrice[i] as number, quotes.askPriceDecimals[i] as number),
      askSize: decimal(quotes.askSize[i] as number, quotes.askSizeDecimals[i] as number),
    };
  }
}

export function lastView(
  symbol: string,
  trade: TradeEvent | undefined,
  quote: QuoteState | undefined,
  stats: Stats | undefined,
): LastView {
  return {
    symbol,
    trade:
      trade === undefined
        ? null
        : {
            eventMs: trade.eventMs,
            price: formatDecimal(trade.price, trade.priceScale),
            size: formatDecimal(trade.size, trade.sizeScale),
            side: SIDES[trade.side as keyof typeof SIDES] ?? null,
          },
    quote: quote === undefined ? null : quoteView(quote, quote),
    stats: stats === undefined ? null : statsView(stats),
  };
}

function quoteView(quote: QuoteState, scales: Scales): NonNullable<LastView['quote']> {
  return {
    eventMs: quote.eventMs,
    bidPrice: decimal(quote.bidPrice, scales.priceScale),
    bidSize: decimal(quote.bidSize, scales.sizeScale),
    askPrice: decimal(quote.askPrice, scales.priceScale),
    askSize: decimal(quote.askSize, scales.sizeScale),
  };
}

/** Trade `i` of a batch, at its own scales. */
export function tradeEventOf(trades: TradeColumns, i: number): TradeEvent {
  return {
    instrument: trades.instruments.values[trades.instrument[i] as number] ?? '',
    eventMs: trades.eventMs[i] as number,
    price: trades.price[i] as number,
    priceScale: trades.priceDecimals[i] as number,
    size: trades.size[i] as number,
    sizeScale: trades.sizeDecimals[i] as number,
    side: trades.side[i] as number,
    tradeId: decodeTradeId(trades.tradeId[i] as number, trades.strings),
    conditions: trades.strings.values[trades.conditions[i] as number] ?? '',
    action: trades.action[i] as number,
  };
}

/** Quote `i` of a batch, both sides brought to the larger of their scales. */
export function quoteStateOf(quotes: QuoteColumns, i: number): QuoteState {
  const priceScale = Math.max(quotes.bidPriceDecimals[i] as number, quotes.askPriceDecimals[i] as number);
  const sizeScale = Math.max(quotes.bidSizeDecimals[i] as number, quotes.askSizeDecimals[i] as number);
  return {
    instrument: quotes.instruments.values[quotes.instrument[i] as number] ?? '',
    eventMs: quoteTimeMs(quotes, i),
    priceScale,
    sizeScale,
    bidPrice: rescale(quotes.bidPrice[i] as number, quotes.bidPriceDecimals[i] as number, priceScale),
    bidSize: rescale(quotes.bidSize[i] as number, quotes.bidSizeDecimals[i] as number, sizeScale),
    askPrice: rescale(quotes.askPrice[i] as number, quotes.askPriceDecimals[i] as number, priceScale),
    askSize: rescale(quotes.askSize[i] as number, quotes.askSizeDecimals[i] as number, sizeScale),
  };
}
