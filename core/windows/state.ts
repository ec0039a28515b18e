/** The engine's state: flat float64 arrays for what every trade touches, objects for what few do. */
import { arrivalRange } from '#shared/ticks.ts';
import type { Bar } from '#shared/bars.ts';
import { POW10 } from '#shared/decimal.ts';
import { TIMEFRAME_MS, TIMEFRAMES } from '#shared/timeframes.ts';
import { parseInstrumentId } from '#shared/topics.ts';
import { CELL, CELL_SIZE, clearContent, growCell } from './cells.ts';
import { noCounts, type RefusedTick, type TickCounts } from './changes.ts';
import { Eligibility } from './eligibility.ts';
import type { ProfileTable } from './profile-table.ts';
import { Tail } from './tail.ts';
import { MissingIds } from './trade-ids.ts';

/** What every trade of an instrument touches: first the accumulator of the newest minute (a cell), then these. */
export const HOT = {
  highId: 28,
  /** Ids below are looked up in the tail. */
  floorId: 29,
  /** Event time at which the venue's ids began anew. */
  runMs: 30,
  newestMs: 31,
  newestSub: 32,
  /** The accumulator takes trades while the watermark is below. */
  openUntil: 33,
  priceScale: 34,
  sizeScale: 35,
  maxPrice: 36,
  maxSize: 37,
  /** Start of the newest pane, ms, and its offset. */
  paneMs: 38,
  paneAt: 39,
} as const;
export const HOT_SIZE = 40;
/** Panes of 1 s: second, trades, volume (two limbs), Σ price·size and Σ price as floats. */
export const PANES = 64;
export const PANE_SIZE = 8;
/** Last price of a minute: minute, price. */
export const CLOSES = 64;

export const MINUTE_MS = 60_000;
export const LENGTHS = TIMEFRAMES.map((tf) => TIMEFRAME_MS[tf]);
/** Bars are rebuilt from those of the next shorter timeframe, so these stay until the next longer one has gone. */
const PARENTS = [1, 2, 3, 4, 4] as const;
export const FIVE_MINUTES = 1;
/** Index of the profile among the windows of a request, behind the timeframes. */
export const PROFILE_WINDOW = 5;

export interface EngineOptions {
  /** Changes up to this far behind the watermark are applied in memory. */
  latenessMs: number;
  graceMs: number;
  /** Trades that the tail holds at most; changes of what fell out are recomputed from history. */
  maxTailTrades: number;
  /** Cancels and corrections that are remembered per partition. */
  maxAmendments: number;
  eligibility?: Eligibility;
}

export const DEFAULTS: EngineOptions = {
  latenessMs: 900_000,
  graceMs: 2_000,
  maxTailTrades: 2_000_000,
  maxAmendments: 100_000,
};

export type TradeKey = number | string;

/** A cancel or correction, by the id it names. */
export interface Amendment {
  cancel: boolean;
  /** Its own place: of two corrections the later one holds. */
  ms: number;
  sub: number;
  arrival: number;
  price: number;
  priceDecimals: number;
  size: number;
  sizeDecimals: number;
  conditions: string;
  /** Event time of the trade it met; NaN while it has not met it. */
  tradeMs: number;
  tradeSub: number;
  /** Watermark when it came, and how often the source had ended. */
  watermarkMs: number;
  ends: number;
  /** The trade may be in history: look there. */
  search: boolean;
}

export interface PendingWindow {
  window: number;
  startMs: number;
  /** Changes that its revision does not show yet. */
  changes: number;
}

export class Instrument {
  readonly name: string;
  readonly index: number;
  readonly venue: number;
  readonly missing = new MissingIds();
  /** Positions by trade id: text ids at once, integer ones when first needed. */
  readonly positions = new Map<TradeKey, number>();
  indexedTo = 0;
  readonly amendments = new Map<TradeKey, Amendment>();
  readonly profiles = new Map<number, ProfileTable>();
  /** Minutes to be rebuilt from the tail at the next drain. */
  readonly rebuild = new Set<number>();
  readonly pending = new Map<string, PendingWindow>();
  /** Trades up to this time have fallen out of the tail for want of room. */
  lostMs = Number.NEGATIVE_INFINITY;
  dirty = false;
  /** A bar or profile that is final was changed: to be handed out at the next drain of whatever kind. */
  urgent = false;
  /** How often its source has ended: from then on any of its bars may be final. */
  ends = 0;
  /** Watermark at which the next of its bars or profiles becomes final or leaves. */
  nextMs = Number.POSITIVE_INFINITY;
  statsDirty = false;
  /** Second up to which the 30 s figures were last handed out. */
  statsSecond = 0;
  hasRecent = false;
  /** Newest quote: event ms, bid, bid size, ask, ask size, price scale, size scale. */
  quote: Float64Array | undefined;
  volatilityMinute = Number.NaN;
  volatility = Number.NaN;

  constructor(name: string, index: number, venue: number) {
    this.name = name;
    this.index = index;
    this.venue = venue;
  }
}

export class EngineState {
  readonly options: EngineOptions;
  readonly eligibility: Eligibility;
  readonly instruments: Instrument[] = [];
  readonly byName = new Map<string, Instrument>();
  readonly venues: string[] = [];
  readonly #venueIndex = new Map<string, number>();
  /** By venue; -Infinity before the first trade. */
  watermarks = new Float64Array(8).fill(Number.NEGATIVE_INFINITY);
  hot = new Float64Array(0);
  cells = new Float64Array(0);
  panes = new Float64Array(0);
  closes = new Float64Array(0);
  /** Slots of each timeframe's ring, less one; and where the rings start within an instrument's cells. */
  readonly masks: number[];
  readonly ringStarts: number[];
  readonly cellsPerInstrument: number;
  readonly tail = new Tail();
  readonly counts: TickCounts = noCounts();
  amendments = 0;
  /** Final bars whose slot was needed before they were handed out. */
  spilled: Bar[] = [];
  /** Ticks by venue, for its status. */
  late: number[] = [];
  duplicates: number[] = [];
  refused: RefusedTick[] = [];
  /** Bars that are final, and that are revised. */
  readonly settled = { final: 0, revised: 0 };
  /** Changes after final of bars that have left memory, by windowKey. */
  readonly departed = new Map<number, number>();
  /** Some of them had to be forgotten: the store knows their revisions. */
  departedTrimmed = false;
  /** Newest arrival number that came, by its range (SPEC TK-1). */
  readonly lastArrivals = new Map<number, number>();

  constructor(options: Partial<EngineOptions> = {}) {
    this.options = { ...DEFAULTS, ...options };
    this.eligibility = options.eligibility ?? new Eligibility();
    const { latenessMs } = this.options;
    this.masks = LENGTHS.map((length, tf) => {
      const needed = Math.ceil((latenessMs + parentLength(tf)) / length) + 2;
      return 2 ** Math.ceil(Math.log2(needed)) - 1;
    });
    let at = 0;
    this.ringStarts = this.masks.map((mask) => {
      const start = at;
      at += (mask + 1) * CELL_SIZE;
      return start;
    });
    this.cellsPerInstrument = at;
  }

  noteArrival(arrival: number): void {
    const range = arrivalRange(arrival);
    if (arrival > (this.lastArrivals.get(range) ?? -1)) this.lastArrivals.set(range, arrival);
  }

  /** Whether the row with that number has come. */
  hasArrived(arrival: number): boolean {
    return arrival <= (this.lastArrivals.get(arrivalRange(arrival)) ?? -1);
  }

  instrument(name: string): Instrument {
    return this.byName.get(name) ?? this.#add(name);
  }

  #add(name: string): Instrument {
    const index = this.instruments.length;
    const instrument = new Instrument(name, index, this.venue(parseInstrumentId(name)?.venue ?? ''));
    this.instruments.push(instrument);
    this.byName.set(name, instrument);
    this.#reserve(index + 1);
    this.hot.fill(0, index * HOT_SIZE, (index + 1) * HOT_SIZE);
    const b = index * HOT_SIZE;
    clearContent(this.hot, b);
    this.hot[b + CELL.start] = Number.NEGATIVE_INFINITY;
    this.hot[b + HOT.highId] = -2;
    this.hot[b + HOT.runMs] = Number.NEGATIVE_INFINITY;
    this.hot[b + HOT.newestMs] = Number.NEGATIVE_INFINITY;
    this.hot[b + HOT.openUntil] = Number.NEGATIVE_INFINITY;
    this.hot[b + HOT.paneMs] = Number.NEGATIVE_INFINITY;
    this.hot[b + HOT.paneAt] = -1;
    for (let at = index * this.cellsPerInstrument; at < (index + 1) * this.cellsPerInstrument; at += CELL_SIZE) {
      this.cells[at] = -1;
    }
    this.panes.fill(-1, index * PANES * PANE_SIZE, (index + 1) * PANES * PANE_SIZE);
    this.closes.fill(-1, index * CLOSES * 2, (index + 1) * CLOSES * 2);
    return instrument;
  }

  #reserve(count: number): void {
    if (this.hot.length >= count * HOT_SIZE) return;
    const room = Math.max(8, 2 ** Math.ceil(Math.log2(count)));
    this.hot = grown(this.hot, room * HOT_SIZE);
    this.cells = grown(this.cells, room * this.cellsPerInstrument);
    this.panes = grown(this.panes, room * PANES * PANE_SIZE);
    this.closes = grown(this.closes, room * CLOSES * 2);
  }

  venue(name: string): number {
    let index = this.#venueIndex.get(name);
    if (index === undefined) {
      index = this.venues.push(name) - 1;
      this.late.push(0);
      this.duplicates.push(0);
      this.#venueIndex.set(name, index);
      if (index >= this.watermarks.length) {
        const wider = new Float64Array(index * 2).fill(Number.NEGATIVE_INFINITY);
        wider.set(this.watermarks);
        this.watermarks = wider;
      }
    }
    return index;
  }

  watermark(instrument: Instrument): number {
    return this.watermarks[instrument.venue] as number;
  }

  /**
   * Makes room for `priceDecimals` and `sizeDecimals` by multiplying all that is held. False when the largest value seen, or the
   * tick's own, would not fit any more; then nothing has changed. (The collector is stricter: SPEC MD-3.)
   */
  grow(instrument: Instrument, priceDecimals: number, sizeDecimals: number, price: number, size: number): boolean {
    const b = instrument.index * HOT_SIZE;
    const { hot } = this;
    const pricePlaces = Math.max(0, priceDecimals - (hot[b + HOT.priceScale] as number));
    const sizePlaces = Math.max(0, sizeDecimals - (hot[b + HOT.sizeScale] as number));
    const priceFactor = POW10[pricePlaces] as number;
    const sizeFactor = POW10[sizePlaces] as number;
    const fits = (held: number, factor: number): boolean => held * factor <= Number.MAX_SAFE_INTEGER;
    const first = (hot[b + HOT.maxPrice] as number) === 0;
    if (!first) {
      if (pricePlaces > 0 && !fits(hot[b + HOT.maxPrice] as number, priceFactor)) return false;
      if (sizePlaces > 0 && !fits(hot[b + HOT.maxSize] as number, sizeFactor)) return false;
    }
    if (price > Number.MAX_SAFE_INTEGER || size > Number.MAX_SAFE_INTEGER) return false;
    hot[b + HOT.priceScale] = (hot[b + HOT.priceScale] as number) + pricePlaces;
    hot[b + HOT.sizeScale] = (hot[b + HOT.sizeScale] as number) + sizePlaces;
    if (first) return true;
    hot[b + HOT.maxPrice] = (hot[b + HOT.maxPrice] as number) * priceFactor;
    hot[b + HOT.maxSize] = (hot[b + HOT.maxSize] as number) * sizeFactor;
    growCell(hot, b, pricePlaces, sizePlaces);
    const end = (instrument.index + 1) * this.cellsPerInstrument;
    for (let at = instrument.index * this.cellsPerInstrument; at < end; at += CELL_SIZE) {
      if (this.cells[at] !== -1) growCell(this.cells, at, pricePlaces, sizePlaces);
    }
    for (const profile of instrument.profiles.values()) profile.grow(pricePlaces, sizePlaces);
    const closes = instrument.index * CLOSES * 2;
    for (let k = closes; k < closes + CLOSES * 2; k += 2) {
      this.closes[k + 1] = (this.closes[k + 1] as number) * priceFactor;
    }
    growPanes(this.panes, instrument.index, pricePlaces, sizePlaces);
    instrument.dirty = true;
    return true;
  }
}

function growPanes(panes: Float64Array, index: number, pricePlaces: number, sizePlaces: number): void {
  const from = index * PANES * PANE_SIZE;
  const factor = 10n ** BigInt(sizePlaces);
  for (let at = from; at < from + PANES * PANE_SIZE; at += PANE_SIZE) {
    if (panes[at] === -1) continue;
    const volume = (BigInt(panes[at + 3] as number) * (1n << 52n) + BigInt(panes[at + 2] as number)) * factor;
    panes[at + 2] = Number(volume & ((1n << 52n) - 1n));
    panes[at + 3] = Number(volume >> 52n);
    panes[at + 4] = (panes[at + 4] as number) * 10 ** (pricePlaces + sizePlaces);
    panes[at + 5] = (panes[at + 5] as number) * 10 ** pricePlaces;
  }
}

function grown(array: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  const result = new Float64Array(length);
  result.set(array);
  return result;
}

export function parentLength(window: number): number {
  return LENGTHS[window === PROFILE_WINDOW ? FIVE_MINUTES : (PARENTS[window] as number)] as number;
}

export function windowLength(window: number): number {
  return LENGTHS[window === PROFILE_WINDOW ? FIVE_MINUTES : window] as number;
}

/** Whether the window of `ms` can still be changed in memory at this watermark (SPEC WN-13). */
export function inMemory(window: number, ms: number, watermarkMs: number, latenessMs: number): boolean {
  const parent = parentLength(window);
  return Math.floor(ms / parent) * parent + parent + latenessMs > watermarkMs;
}

/** One number for (instrument, window, start): windows start on minutes, below 2^27 of them. */
export function windowKey(instrument: number, window: number, startMs: number): number {
  return (instrument * 8 + window) * 134_217_728 + startMs / MINUTE_MS;
}
