/** The port through which the core shows what it knows now: never waits for a transaction (DESIGN §3.6). */
import type { Bar, QuoteState, Stats, TradeEvent } from '#shared/bars.ts';

/** State of a venue's feed, as shown to users. */
export interface FeedStatus {
  venue: string;
  state: 'connected' | 'disconnected' | 'ended';
  simulated: boolean;
  /** Newest event time of the venue, ms; NaN when none came yet. */
  eventMs: number;
  /** Watermark of the venue's bars, ms; NaN when none. */
  watermarkMs: number;
  gaps: number;
  late: number;
  duplicates: number;
}

/** Every call is synchronous, cheap and never throws: a slow receiver conflates or drops on its own side. */
export interface LivePublisher {
  trade(trade: TradeEvent): void;
  quote(quote: QuoteState): void;
  bar(bar: Bar): void;
  stats(stats: Stats): void;
  status(status: FeedStatus): void;
}
