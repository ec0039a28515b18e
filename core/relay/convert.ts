/** From what the core knows to rows of the wire (shared/protocol/channels.ts). Floats of statistics are rounded to fixed places. */
import type { Bar, QuoteState, Stats, TradeEvent } from '#shared/bars.ts';
import { divideHalfEven, pow10Big, VWAP_PLACES } from '#shared/decimal.ts';
import type { WireValue } from '#shared/protocol/channels.ts';
import type { Row } from '#shared/protocol/topic-state.ts';
import { wireInteger, wireNumber } from '#shared/protocol/wire-value.ts';
import type { FeedStatus } from './live.ts';

const BAR_STATES = { provisional: 0, final: 1, revised: 2 } as const;
const FEED_STATES = { disconnected: 0, connected: 1, ended: 2 } as const;

/** A float at `places`; null where it is not known or no longer exact enough to be an integer. */
function fixed(value: number, places: number): WireValue {
  return wireNumber(Math.round(value * 10 ** places));
}

export function quoteRow(quote: QuoteState): Row {
  return [quote.bidPrice, quote.bidSize, quote.askPrice, quote.askSize, quote.eventMs].map(wireNumber);
}

export function tradeRow(trade: TradeEvent): Row {
  return [trade.price, trade.size, trade.side, trade.eventMs, trade.action].map(wireNumber);
}

export function barRow(bar: Bar): Row {
  const vwap =
    bar.volume > 0n ? wireInteger(divideHalfEven(bar.pv, bar.volume * pow10Big(bar.priceScale), VWAP_PLACES)) : null;
  return [
    bar.startMs,
    wireNumber(bar.open),
    wireNumber(bar.high),
    wireNumber(bar.low),
    wireNumber(bar.close),
    wireInteger(bar.volume),
    wireInteger(bar.buyVolume),
    wireInteger(bar.sellVolume),
    vwap,
    bar.tradeCount,
    BAR_STATES[bar.state],
    bar.revision,
  ];
}

export function statsRow(stats: Stats): Row {
  return [
    wireNumber(stats.eventMs),
    wireNumber(stats.lastPrice),
    wireNumber(stats.spread),
    fixed(stats.spreadBps, 4),
    fixed(stats.vwap30s, 8),
    fixed(stats.average30s, 8),
    wireInteger(stats.volume30s),
    wireNumber(stats.trades30s),
    fixed(stats.realisedVolatility, 8),
    wireNumber(stats.change),
    fixed(stats.changeFraction, 8),
    wireNumber(stats.dayOpen),
    wireNumber(stats.dayHigh),
    wireNumber(stats.dayLow),
    wireInteger(stats.dayVolume),
    wireNumber(stats.dayTrades),
  ];
}

export function statusRow(status: FeedStatus): Row {
  return [
    FEED_STATES[status.state],
    status.simulated ? 1 : 0,
    wireNumber(status.eventMs),
    wireNumber(status.watermarkMs),
    status.gaps,
    status.late,
    status.duplicates,
  ];
}
