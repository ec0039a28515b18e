/**
 * A made-up market, step by step (SPEC MD-12). Pure and seeded: the same state makes the same ticks. Mid prices walk at random
 * with calm and busy regimes; trades come as a Poisson stream on both sides of the spread, quotes around the mid.
 */
import { ACTION, NO_TIME, SIDE, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';
import { instrumentId } from '#shared/topics.ts';
import { Random } from './random.ts';

const SIMULATED_VENUE = 'simulated';

/** How an instrument of the simulator looks. Prices in ticks of 10^-priceScale. */
interface Listing {
  symbol: string;
  /** First mid price, as mantissa at `priceScale`. */
  price: number;
  priceScale: number;
  /** Smallest step of a price, as mantissa. */
  tick: number;
  sizeScale: number;
  /** Median trade size, as mantissa at `sizeScale`. */
  size: number;
  /** Share of all activity, relative to the others. */
  weight: number;
  /** Standard deviation of the log return of one second in a calm market. */
  volatility: number;
}

const LISTINGS: readonly Listing[] = [
  { symbol: 'AURA', price: 18_742, priceScale: 2, tick: 1, sizeScale: 0, size: 120, weight: 10, volatility: 9e-5 },
  { symbol: 'BRIX', price: 41_915, priceScale: 2, tick: 1, sizeScale: 0, size: 80, weight: 9, volatility: 8e-5 },
  { symbol: 'CYAN', price: 6_381, priceScale: 2, tick: 1, sizeScale: 0, size: 200, weight: 8, volatility: 1.1e-4 },
  { symbol: 'DELT', price: 2_374, priceScale: 2, tick: 1, sizeScale: 0, size: 400, weight: 6, volatility: 1.4e-4 },
  { symbol: 'ECHO', price: 98_250, priceScale: 2, tick: 5, sizeScale: 0, size: 30, weight: 5, volatility: 7e-5 },
  { symbol: 'FLUX', price: 1_263, priceScale: 2, tick: 1, sizeScale: 0, size: 900, weight: 5, volatility: 1.8e-4 },
  { symbol: 'GALE', price: 30_418, priceScale: 2, tick: 1, sizeScale: 0, size: 60, weight: 4, volatility: 9e-5 },
  { symbol: 'HALO', price: 8_455, priceScale: 4, tick: 5, sizeScale: 0, size: 5_000, weight: 3, volatility: 2.2e-4 },
  {
    symbol: 'KITE-USD',
    price: 6_412_850,
    priceScale: 2,
    tick: 10,
    sizeScale: 5,
    size: 1_800,
    weight: 12,
    volatility: 1.3e-4,
  },
  {
    symbol: 'LUMA-USD',
    price: 341_277,
    priceScale: 2,
    tick: 1,
    sizeScale: 4,
    size: 2_500,
    weight: 9,
    volatility: 1.5e-4,
  },
  {
    symbol: 'MOSS-USD',
    price: 15_230,
    priceScale: 5,
    tick: 1,
    sizeScale: 1,
    size: 12_000,
    weight: 4,
    volatility: 2.5e-4,
  },
  {
    symbol: 'NORD/EUR',
    price: 108_437,
    priceScale: 5,
    tick: 1,
    sizeScale: 0,
    size: 100_000,
    weight: 6,
    volatility: 2e-5,
  },
];
const WEIGHT = LISTINGS.reduce((sum, { weight }) => sum + weight, 0);

/** Trades among the ticks; the rest are quotes. */
const TRADE_SHARE = 0.35;
/** Chance a second that an instrument changes between calm and busy, and what busy is. */
const REGIME_CHANGE = 0.01;
const BUSY_VOLATILITY = 3;
const BUSY_ACTIVITY = 2;
/** Trades kept per instrument for cancels, corrections and duplicates of them. */
const REMEMBERED = 16;
/** A mid price stays within this factor of where it began. */
const RANGE = 4;

/** Chance that a trade comes late (behind the grace, but in memory), twice, or is cancelled or corrected afterwards. */
export interface Oddities {
  late: number;
  duplicate: number;
  cancel: number;
  correction: number;
}

export const ODDITIES: Oddities = { late: 0.0008, duplicate: 0.0008, cancel: 0.0005, correction: 0.0005 };

/** [trade id, event time ms, price, size, side]. */
type Remembered = [number, number, number, number, number];

interface InstrumentState {
  /** Mid price in units of the mantissa, with its fraction. */
  mid: number;
  busy: boolean;
  nextTradeId: number;
  remembered: Remembered[];
}

/** JSON form of the whole market. */
export interface MarketState {
  random: number;
  instruments: InstrumentState[];
}

export class SimulatedMarket {
  readonly #random: Random;
  readonly #instruments: InstrumentState[];
  readonly #oddities: Oddities;

  /** @param firstTradeId of every instrument, where the market begins anew */
  constructor(seedOrState: number | MarketState, oddities: Oddities = ODDITIES, firstTradeId = 1) {
    this.#oddities = oddities;
    if (typeof seedOrState === 'number') {
      this.#random = new Random(seedOrState);
      this.#instruments = LISTINGS.map(({ price }) => ({
        mid: price,
        busy: false,
        nextTradeId: firstTradeId,
        remembered: [],
      }));
    } else {
      this.#random = new Random(seedOrState.random);
      this.#instruments = structuredClone(seedOrState.instruments);
    }
  }

  state(): MarketState {
    return { random: this.#random.state, instruments: structuredClone(this.#instruments) };
  }

  /**
   * Appends the ticks of (nowMs - elapsedMs, nowMs], in order of arrival, no more than the columns hold.
   * @param ticksPerSecond expected, over all instruments
   */
  step(nowMs: number, elapsedMs: number, ticksPerSecond: number, trades: TradeColumns, quotes: QuoteColumns): void {
    const random = this.#random;
    const seconds = elapsedMs / 1000;
    for (const [i, listing] of LISTINGS.entries()) this.#walk(listing, this.#state(i), seconds);
    const count = Math.min(random.poisson(ticksPerSecond * seconds), trades.instrument.length - 4);
    for (let k = 0; k < count && trades.length < trades.instrument.length - 2; k++) {
      const i = this.#pick();
      const atMs = Math.floor(nowMs - elapsedMs + ((k + 1) / count) * elapsedMs);
      if (random.next() < TRADE_SHARE) this.#trade(i, atMs, trades, quotes);
      else this.#quote(i, atMs, trades, quotes);
    }
  }

  #state(i: number): InstrumentState {
    return this.#instruments[i] as InstrumentState;
  }

  #walk(listing: Listing, state: InstrumentState, seconds: number): void {
    const random = this.#random;
    if (random.next() < REGIME_CHANGE * seconds) state.busy = !state.busy;
    const volatility = listing.volatility * (state.busy ? BUSY_VOLATILITY : 1);
    const pull = 0.00002 * seconds * Math.log(listing.price / state.mid);
    const moved = state.mid * Math.exp(volatility * Math.sqrt(seconds) * random.normal() + pull);
    state.mid = Math.min(listing.price * RANGE, Math.max(listing.price / RANGE, moved));
  }

  /** An instrument by its weight; a busy one comes up more often. */
  #pick(): number {
    const random = this.#random;
    for (;;) {
      let left = random.next() * WEIGHT;
      let i = 0;
      for (; i < LISTINGS.length - 1; i++) {
        left -= (LISTINGS[i] as Listing).weight;
        if (left < 0) break;
      }
      if (this.#state(i).busy || random.next() < 1 / BUSY_ACTIVITY) return i;
    }
  }

  /** Best prices around the mid, as mantissas. */
  #spread(listing: Listing, state: InstrumentState): { bid: number; ask: number } {
    const half = listing.tick * (0.5 + this.#random.next() * (state.busy ? 2 : 0.9));
    const bid = Math.max(listing.tick, Math.floor((state.mid - half) / listing.tick) * listing.tick);
    const ask = Math.max(bid + listing.tick, Math.ceil((state.mid + half) / listing.tick) * listing.tick);
    return { bid, ask };
  }

  /** Log-normal around the median, at least one. */
  #size(listing: Listing): number {
    return Math.max(1, Math.round(listing.size * Math.exp(0.9 * this.#random.normal())));
  }

  #quote(i: number, atMs: number, trades: TradeColumns, quotes: QuoteColumns): void {
    const listing = LISTINGS[i] as Listing;
    const { bid, ask } = this.#spread(listing, this.#state(i));
    const row = quotes.length++;
    quotes.arrival[row] = row + trades.length;
    quotes.instrument[row] = quotes.instruments.intern(instrumentId(SIMULATED_VENUE, listing.symbol));
    quotes.eventMs[row] = atMs;
    quotes.eventSubNs[row] = 0;
    quotes.recvMs[row] = NO_TIME;
    quotes.recvSubNs[row] = 0;
    const { priceScale, sizeScale } = listing;
    quotes.bidPrice[row] = bid;
    quotes.askPrice[row] = ask;
    quotes.bidSize[row] = this.#size(listing) * 3;
    quotes.askSize[row] = this.#size(listing) * 3;
    for (const column of [
      quotes.bidPriceDecimals,
      quotes.bidPricePrinted,
      quotes.askPriceDecimals,
      quotes.askPricePrinted,
    ])
      column[row] = priceScale;
    for (const column of [quotes.bidSizeDecimals, quotes.bidSizePrinted, quotes.askSizeDecimals, quotes.askSizePrinted])
      column[row] = sizeScale;
  }

  #trade(i: number, atMs: number, trades: TradeColumns, quotes: QuoteColumns): void {
    const random = this.#random;
    const listing = LISTINGS[i] as Listing;
    const state = this.#state(i);
    const { bid, ask } = this.#spread(listing, state);
    const buys = random.next() < 0.5;
    const odd = random.next();
    const { late, duplicate, cancel, correction } = this.#oddities;
    const earlier = state.remembered[random.below(Math.max(1, state.remembered.length))];
    if (odd < duplicate && earlier !== undefined) {
      const [id, eventMs, price, size, side] = earlier;
      this.#append(listing, id, eventMs, price, size, side, ACTION.trade, trades, quotes);
      return;
    }
    const lateMs = odd > 1 - late ? 3_000 + random.below(60_000) : 0;
    const side = buys ? SIDE.buy : SIDE.sell;
    const made: Remembered = [state.nextTradeId++, atMs - lateMs, buys ? ask : bid, this.#size(listing), side];
    this.#append(listing, ...made, ACTION.trade, trades, quotes);
    const after = random.next();
    if (after < cancel + correction && earlier !== undefined && trades.length < trades.instrument.length) {
      const [id, eventMs, price, size] = earlier;
      const changed = price + (random.next() < 0.5 ? -listing.tick : listing.tick);
      const corrected = after >= cancel;
      const price2 = corrected && changed > 0 ? changed : price;
      this.#append(
        listing,
        id,
        eventMs,
        price2,
        size,
        earlier[4],
        corrected ? ACTION.correction : ACTION.cancel,
        trades,
        quotes,
      );
      state.remembered = state.remembered.filter((other) => other !== earlier);
    }
    state.remembered.push(made);
    if (state.remembered.length > REMEMBERED) state.remembered.shift();
  }

  #append(
    listing: Listing,
    tradeId: number,
    eventMs: number,
    price: number,
    size: number,
    side: number,
    action: number,
    trades: TradeColumns,
    quotes: QuoteColumns,
  ): void {
    const row = trades.length++;
    trades.arrival[row] = row + quotes.length;
    trades.instrument[row] = trades.instruments.intern(instrumentId(SIMULATED_VENUE, listing.symbol));
    trades.action[row] = action;
    trades.side[row] = side;
    trades.eventMs[row] = eventMs;
    trades.eventSubNs[row] = 0;
    trades.recvMs[row] = NO_TIME;
    trades.recvSubNs[row] = 0;
    trades.price[row] = price;
    trades.priceDecimals[row] = listing.priceScale;
    trades.pricePrinted[row] = listing.priceScale;
    trades.size[row] = size;
    trades.sizeDecimals[row] = listing.sizeScale;
    trades.sizePrinted[row] = listing.sizeScale;
    trades.tradeId[row] = tradeId;
    trades.conditions[row] = 0;
  }
}
