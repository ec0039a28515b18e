/** What is known now, in memory: newest trade, quote, statistics and open bars of every instrument, for the query API. */
import type { Bar, Profile, QuoteState, Stats, TradeEvent } from '#shared/bars.ts';
import { TIMEFRAMES, type Timeframe } from '#shared/timeframes.ts';
import type { FeedStatus, LivePublisher } from '../relay/live.ts';

/** Bars that are kept per instrument and timeframe: enough to bridge what the store has not taken yet. */
const BARS_KEPT = 8;

interface Held {
  trade: TradeEvent | undefined;
  quote: QuoteState | undefined;
  stats: Stats | undefined;
  /** Newest bars by start, oldest first. */
  bars: Map<Timeframe, Bar[]>;
}

export interface LiveState extends LivePublisher {
  symbols(): string[];
  lastTrade(symbol: string): TradeEvent | undefined;
  lastQuote(symbol: string): QuoteState | undefined;
  lastStats(symbol: string): Stats | undefined;
  /** Newest bars of the timeframe, oldest first, in whatever state they are. */
  recentBars(symbol: string, timeframe: Timeframe): readonly Bar[];
  venues(): FeedStatus[];
  /** Newest event time over all venues; NaN when nothing came yet. */
  newestEventMs(): number;
}

/** True when `next` may stand where `held` stands (SPEC ST-3). */
export function supersedes(next: Bar | Profile, held: Bar | Profile): boolean {
  if (next.revision !== held.revision) return next.revision > held.revision;
  return tradesOf(next) >= tradesOf(held);
}

function tradesOf(value: Bar | Profile): number {
  return 'tradeCount' in value ? value.tradeCount : value.rows.reduce((sum, row) => sum + row.tradeCount, 0);
}

export function createLiveState(): LiveState {
  const held = new Map<string, Held>();
  const venues = new Map<string, FeedStatus>();
  let newestMs = Number.NaN;

  const of = (symbol: string): Held => {
    const known = held.get(symbol);
    if (known !== undefined) return known;
    const fresh: Held = {
      trade: undefined,
      quote: undefined,
      stats: undefined,
      bars: new Map(TIMEFRAMES.map((timeframe) => [timeframe, []])),
    };
    held.set(symbol, fresh);
    return fresh;
  };
  const saw = (eventMs: number): void => {
    if (!(eventMs <= newestMs)) newestMs = Number.isNaN(eventMs) ? newestMs : eventMs;
  };

  return {
    trade(trade) {
      const instrument = of(trade.instrument);
      const last = instrument.trade;
      saw(trade.eventMs);
      if (trade.action === 0 && (last === undefined || trade.eventMs >= last.eventMs)) instrument.trade = trade;
    },
    quote(quote) {
      saw(quote.eventMs);
      of(quote.instrument).quote = quote;
    },
    bar(bar) {
      const bars = of(bar.instrument).bars.get(bar.timeframe) ?? [];
      let at = bars.length;
      while (at > 0 && (bars[at - 1] as Bar).startMs > bar.startMs) at--;
      const same = bars[at - 1];
      if (same !== undefined && same.startMs === bar.startMs) {
        if (supersedes(bar, same)) bars[at - 1] = bar;
      } else if (at > 0 || bars.length < BARS_KEPT) {
        bars.splice(at, 0, bar);
        if (bars.length > BARS_KEPT) bars.shift();
      }
    },
    stats(stats) {
      of(stats.instrument).stats = stats;
    },
    status(status) {
      saw(status.eventMs);
      venues.set(status.venue, status);
    },
    symbols: () => [...held.keys()].sort(),
    lastTrade: (symbol) => held.get(symbol)?.trade,
    lastQuote: (symbol) => held.get(symbol)?.quote,
    lastStats: (symbol) => held.get(symbol)?.stats,
    recentBars: (symbol, timeframe) => held.get(symbol)?.bars.get(timeframe) ?? [],
    venues: () => [...venues.values()].sort((a, b) => (a.venue < b.venue ? -1 : 1)),
    newestEventMs: () => newestMs,
  };
}

/** Hands every call to each publisher, in order. */
export function teePublisher(publishers: readonly LivePublisher[]): LivePublisher {
  return {
    trade: (trade) => publishers.forEach((publisher) => publisher.trade(trade)),
    quote: (quote) => publishers.forEach((publisher) => publisher.quote(quote)),
    bar: (bar) => publishers.forEach((publisher) => publisher.bar(bar)),
    stats: (stats) => publishers.forEach((publisher) => publisher.stats(stats)),
    status: (status) => publishers.forEach((publisher) => publisher.status(status)),
  };
}
