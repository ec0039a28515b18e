/** Bars, profiles and statistics inside the product: exact integers. Their public JSON forms are in market.ts. */
import type { Timeframe } from './timeframes.ts';

/** provisional: still open; final: the watermark passed the end by the grace; revised: changed after it was final (SPEC WN-6). */
export type BarState = 'provisional' | 'final' | 'revised';

/** Scales of an instrument: `price / 10^priceScale`, `size / 10^sizeScale`. They only ever grow (SPEC MD-3). */
export interface Scales {
  priceScale: number;
  sizeScale: number;
}

/** One bar. Prices at `priceScale`, volumes at `sizeScale`, pv = Σ(price·size) at `priceScale + sizeScale`. */
export interface Bar extends Scales {
  instrument: string;
  timeframe: Timeframe;
  /** Window start, ms since 1970 UTC; the window is [startMs, startMs + length). */
  startMs: number;
  /** NaN when no trade of the window may set a price (SPEC WN-4). */
  open: number;
  high: number;
  low: number;
  close: number;
  volume: bigint;
  buyVolume: bigint;
  sellVolume: bigint;
  pv: bigint;
  tradeCount: number;
  state: BarState;
  /** 0 while provisional, 1 when first final, then one more for every change after that (SPEC WN-7). */
  revision: number;
}

export interface ProfileRow {
  price: number;
  volume: bigint;
  buyVolume: bigint;
  sellVolume: bigint;
  tradeCount: number;
}

/** Volume by price over a 5-minute window; rows by rising price. Point of control and value area: SPEC WN-11. */
export interface Profile extends Scales {
  instrument: string;
  startMs: number;
  rows: ProfileRow[];
  state: BarState;
  revision: number;
}

/** Latest quote. A size is NaN where the source gives none. */
export interface QuoteState extends Scales {
  instrument: string;
  eventMs: number;
  bidPrice: number;
  bidSize: number;
  askPrice: number;
  askSize: number;
}

/** One trade on its way to a screen. side: SIDE of ticks.ts. */
export interface TradeEvent extends Scales {
  instrument: string;
  eventMs: number;
  price: number;
  size: number;
  side: number;
  /** '' when the venue gives none. */
  tradeId: string;
  conditions: string;
  action: number;
}

/** Running figures of one instrument. Fractions are floats: they inform, no bar depends on them. NaN = not known yet. */
export interface Stats extends Scales {
  instrument: string;
  /** Event time of the newest tick taken in, ms. */
  eventMs: number;
  lastPrice: number;
  /** Best ask minus best bid, at priceScale. */
  spread: number;
  /** Spread over mid, in basis points. */
  spreadBps: number;
  /** Volume-weighted and plain average price, volume and trades of the last 30 s of event time (30 panes). */
  vwap30s: number;
  average30s: number;
  volume30s: bigint;
  trades30s: number;
  /** √Σr² of 1-minute log returns over the last 30 minutes, previous-tick (SPEC WN-12); a fraction, not annualised. */
  realisedVolatility: number;
  /** Change since the open of the UTC day, at priceScale and as a fraction. */
  change: number;
  changeFraction: number;
  dayOpen: number;
  dayHigh: number;
  dayLow: number;
  dayVolume: bigint;
  dayTrades: number;
}
