/** Running figures of an instrument (shared/bars.ts `Stats`). They inform; no bar depends on them. */
import { NO_TIME, type QuoteColumns, quoteTimeMs } from '#shared/ticks.ts';
import type { Stats } from '#shared/bars.ts';
import { CELL, CELL_SIZE } from './cells.ts';
import { readTwo } from './limbs.ts';
import { cellAt } from './place-trades.ts';
import {
  CLOSES,
  type EngineState,
  HOT,
  HOT_SIZE,
  type Instrument,
  LENGTHS,
  MINUTE_MS,
  PANE_SIZE,
  PANES,
} from './state.ts';

const ROLLING_SECONDS = 30;
const VOLATILITY_MINUTES = 30;
const DAY = LENGTHS.length - 1;
const LIMB = 4_503_599_627_370_496;

/** Takes the newest quote of each instrument of the batch. */
export function takeQuotes(state: EngineState, quotes: QuoteColumns): void {
  const instruments = quotes.instruments.values.map((name) => state.instrument(name));
  for (let i = 0; i < quotes.length; i++) {
    const instrument = instruments[quotes.instrument[i] as number] as Instrument;
    const ms = quoteTimeMs(quotes, i);
    const held = instrument.quote;
    if (ms === NO_TIME || !Number.isFinite(ms) || (held !== undefined && ms < (held[0] as number))) continue;
    const q = held ?? (instrument.quote = new Float64Array(9));
    q[0] = ms;
    q[1] = quotes.bidPrice[i] as number;
    q[2] = quotes.bidPriceDecimals[i] as number;
    q[3] = quotes.askPrice[i] as number;
    q[4] = quotes.askPriceDecimals[i] as number;
    q[5] = Math.max(q[5] as number, q[2], q[4]);
    instrument.statsDirty = true;
  }
}

/** Mantissa at `scale` places; NaN when it does not fit. */
function at(mantissa: number, decimals: number, scale: number): number {
  const value = mantissa * 10 ** (scale - decimals);
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

export function statsOf(state: EngineState, instrument: Instrument): Stats {
  const b = instrument.index * HOT_SIZE;
  const { hot, cells } = state;
  const tradeScale = hot[b + HOT.priceScale] as number;
  const sizeScale = hot[b + HOT.sizeScale] as number;
  const quote = instrument.quote;
  const newestMs = hot[b + HOT.newestMs] as number;
  const priceScale = Math.max(tradeScale, quote?.[5] ?? 0);
  const bid = quote === undefined ? Number.NaN : at(quote[1] as number, quote[2] as number, priceScale);
  const ask = quote === undefined ? Number.NaN : at(quote[3] as number, quote[4] as number, priceScale);
  const twoSided = bid > 0 && ask > 0;
  const day = newestMs < 0 ? undefined : cellAt(state, instrument, DAY, newestMs);
  const d = day !== undefined && cells[day.at] === day.startMs ? day.at : -1;
  const priced = d >= 0 && (cells[d + CELL.closeRank] as number) >= 0;
  const of = (offset: number): number =>
    priced ? at(cells[d + offset] as number, tradeScale, priceScale) : Number.NaN;
  const dayOpen = of(CELL.open);
  const lastPrice = of(CELL.close);
  const nowMs = Math.max(newestMs, state.watermark(instrument));
  const rolling = rollingOf(state, instrument, nowMs);
  const unit = 10 ** tradeScale;
  instrument.hasRecent = rolling.trades > 0;
  instrument.statsSecond = Math.floor(nowMs / 1000);
  return {
    instrument: instrument.name,
    priceScale,
    sizeScale,
    eventMs: Math.max(newestMs, quote?.[0] ?? 0, 0),
    lastPrice,
    spread: twoSided ? ask - bid : Number.NaN,
    spreadBps: twoSided ? ((ask - bid) / ((ask + bid) / 2)) * 10_000 : Number.NaN,
    vwap30s: rolling.trades > 0 ? rolling.pv / Number(rolling.volume) / unit : Number.NaN,
    average30s: rolling.trades > 0 ? rolling.prices / rolling.trades / unit : Number.NaN,
    volume30s: rolling.volume,
    trades30s: rolling.trades,
    realisedVolatility: volatilityOf(state, instrument, nowMs),
    change: lastPrice - dayOpen,
    changeFraction: (lastPrice - dayOpen) / dayOpen,
    dayOpen,
    dayHigh: of(CELL.high),
    dayLow: of(CELL.low),
    dayVolume:
      d < 0
        ? 0n
        : readTwo(cells, d + CELL.volume) + readTwo(cells, d + CELL.volume + 2) + readTwo(cells, d + CELL.volume + 4),
    dayTrades: d < 0 ? 0 : (cells[d + CELL.trades] as number),
  };
}

/** Sums over the 30 panes up to the one of `nowMs`. */
function rollingOf(state: EngineState, instrument: Instrument, nowMs: number) {
  const last = Math.floor(nowMs / 1000);
  const { panes } = state;
  let trades = 0;
  let low = 0;
  let high = 0;
  let pv = 0;
  let prices = 0;
  if (Number.isFinite(last)) {
    for (let second = Math.max(0, last - ROLLING_SECONDS + 1); second <= last; second++) {
      const p = (instrument.index * PANES + (second % PANES)) * PANE_SIZE;
      if (panes[p] !== second) continue;
      trades += panes[p + 1] as number;
      low += panes[p + 2] as number;
      if (low >= LIMB) {
        low -= LIMB;
        high += 1;
      }
      high += panes[p + 3] as number;
      pv += panes[p + 4] as number;
      prices += panes[p + 5] as number;
    }
  }
  return { trades, volume: BigInt(high) * BigInt(LIMB) + BigInt(low), pv, prices };
}

/** √Σr² over the last 30 steps of the 1-minute grid that ends at the start of the minute of `nowMs` (SPEC WN-12). */
function volatilityOf(state: EngineState, instrument: Instrument, nowMs: number): number {
  const minute = Math.floor(nowMs / MINUTE_MS);
  if (!Number.isFinite(minute)) return Number.NaN;
  if (instrument.volatilityMinute === minute) return instrument.volatility;
  const known: [number, number][] = [];
  const from = instrument.index * CLOSES * 2;
  for (let k = from; k < from + CLOSES * 2; k += 2) {
    if ((state.closes[k] as number) >= 0) known.push([state.closes[k] as number, state.closes[k + 1] as number]);
  }
  known.sort(([a], [b]) => a - b);
  let next = 0;
  let before = Number.NaN;
  let sum = Number.NaN;
  for (let grid = minute - VOLATILITY_MINUTES; grid <= minute; grid++) {
    let price = before;
    for (let entry = known[next]; entry !== undefined && entry[0] < grid; entry = known[++next]) price = entry[1];
    if (price > 0 && before > 0) {
      const r = Math.log(price / before);
      sum = (Number.isNaN(sum) ? 0 : sum) + r * r;
    }
    before = price;
  }
  instrument.volatilityMinute = minute;
  instrument.volatility = Math.sqrt(sum);
  return instrument.volatility;
}

/** Bars that hold something, as cells: for tests and for publishing after a restart. */
export function eachCell(state: EngineState, instrument: Instrument, visit: (tf: number, at: number) => void): void {
  for (let tf = 0; tf < LENGTHS.length; tf++) {
    const from = instrument.index * state.cellsPerInstrument + (state.ringStarts[tf] as number);
    for (let k = from; k <= from + (state.masks[tf] as number) * CELL_SIZE; k += CELL_SIZE) {
      if (state.cells[k] !== -1) visit(tf, k);
    }
  }
}
