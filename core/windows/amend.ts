/** Cancels and corrections (SPEC WN-15), in whatever order they and their trades come. */
import { ACTION, decodeTradeId, NO_TRADE_ID, type TradeColumns } from '#shared/ticks.ts';
import { rescale } from '#shared/decimal.ts';
import { CELL, FLAG } from './cells.ts';
import { addToPane } from './panes.ts';
import { ask, change, changeProfile, ensureCell, ensureProfile, flush } from './place-trades.ts';
import {
  type Amendment,
  type EngineState,
  HOT,
  HOT_SIZE,
  inMemory,
  type Instrument,
  LENGTHS,
  MINUTE_MS,
  PROFILE_WINDOW,
  type TradeKey,
  windowLength,
} from './state.ts';
import { positionOf, type Mark, type TailBatch } from './tail.ts';

export function tradeKey(trades: TradeColumns, row: number): TradeKey | undefined {
  const id = trades.tradeId[row] as number;
  if (id === NO_TRADE_ID) return undefined;
  return id >= 0 ? id : decodeTradeId(id, trades.strings);
}

/** Position of the trade in the tail; undefined when it is not there. `before` is the row that asks. */
export function findTrade(
  state: EngineState,
  instrument: Instrument,
  key: TradeKey,
  before: number,
): number | undefined {
  if (typeof key === 'number') indexTail(state, instrument, before);
  const position = instrument.positions.get(key);
  const from = state.tail.fromOffset;
  return position !== undefined && from !== undefined && position >= positionOf(from, 0) ? position : undefined;
}

function indexTail(state: EngineState, instrument: Instrument, before: number): void {
  const { positions } = instrument;
  state.tail.scan(instrument.index, instrument.indexedTo, before, (batch, row, position) => {
    const id = batch.trades.tradeId[row] as number;
    if (id >= 0) positions.set(id, position);
  });
  instrument.indexedTo = before;
  prunePositions(state, instrument);
}

/** Forgets positions that have left the tail, when there may be many of them. */
export function prunePositions(state: EngineState, instrument: Instrument): void {
  if (instrument.positions.size < 4096 || instrument.positions.size < state.tail.rows * 2) return;
  const first = positionOf(state.tail.fromOffset ?? 0, 0);
  for (const [key, position] of instrument.positions) if (position < first) instrument.positions.delete(key);
}

/** Takes in row `row`, a cancel or correction. False when it is none that can be. */
export function amend(state: EngineState, instrument: Instrument, batch: TailBatch, row: number): boolean {
  const { trades } = batch;
  const key = tradeKey(trades, row);
  const cancel = trades.action[row] === ACTION.cancel;
  const amendment: Amendment = {
    cancel,
    ms: trades.eventMs[row] as number,
    sub: trades.eventSubNs[row] as number,
    arrival: trades.arrival[row] as number,
    price: trades.price[row] as number,
    priceDecimals: trades.priceDecimals[row] as number,
    size: trades.size[row] as number,
    sizeDecimals: trades.sizeDecimals[row] as number,
    conditions: trades.strings.values[trades.conditions[row] as number] ?? '',
    tradeMs: Number.NaN,
    tradeSub: 0,
    watermarkMs: state.watermark(instrument),
    ends: instrument.ends,
    search: false,
  };
  if (
    !cancel &&
    !(
      Number.isSafeInteger(amendment.price) &&
      amendment.price > 0 &&
      Number.isSafeInteger(amendment.size) &&
      amendment.size > 0
    )
  )
    return false;
  if (key === undefined) {
    state.counts.unknownReference++;
    return true;
  }
  if (!cancel && !fitScales(state, instrument, amendment)) return false;
  const held = instrument.amendments.get(key);
  if (held !== undefined) {
    if (held.cancel || (!cancel && !isLater(amendment, held))) {
      state.counts.duplicate++;
      return true;
    }
    amendment.tradeMs = held.tradeMs;
    amendment.tradeSub = held.tradeSub;
    amendment.search = held.search;
  }
  remember(state, instrument, key, amendment);
  const position = findTrade(state, instrument, key, positionOf(batch.offset, row));
  if (position !== undefined) {
    applyInTail(state, instrument, key, position, amendment);
  } else if (!Number.isNaN(amendment.tradeMs)) {
    changeOutside(state, instrument, amendment.tradeMs, amendment);
    count(state, amendment);
  } else amendment.search = mayBeInHistory(state, instrument, key);
  return true;
}

export function count(state: EngineState, amendment: Amendment): void {
  if (amendment.cancel) state.counts.cancelled++;
  else state.counts.corrected++;
}

function isLater(a: Amendment, b: Amendment): boolean {
  if (a.ms !== b.ms) return a.ms > b.ms;
  return a.sub === b.sub ? a.arrival > b.arrival : a.sub > b.sub;
}

/** Whether the values fit the instrument, whose scales may grow for them. */
function fitScales(state: EngineState, instrument: Instrument, a: Amendment): boolean {
  const b = instrument.index * HOT_SIZE;
  const { hot } = state;
  if (a.priceDecimals > (hot[b + HOT.priceScale] as number) || a.sizeDecimals > (hot[b + HOT.sizeScale] as number)) {
    flush(state, instrument);
    if (!state.grow(instrument, a.priceDecimals, a.sizeDecimals, a.price, a.size)) return false;
  }
  const price = rescale(a.price, a.priceDecimals, hot[b + HOT.priceScale] as number);
  const size = rescale(a.size, a.sizeDecimals, hot[b + HOT.sizeScale] as number);
  if (Number.isNaN(price) || Number.isNaN(size)) return false;
  hot[b + HOT.maxPrice] = Math.max(price, hot[b + HOT.maxPrice] as number);
  hot[b + HOT.maxSize] = Math.max(size, hot[b + HOT.maxSize] as number);
  return true;
}

function remember(state: EngineState, instrument: Instrument, key: TradeKey, amendment: Amendment): void {
  if (instrument.amendments.delete(key)) state.amendments--;
  instrument.amendments.set(key, amendment);
  state.amendments++;
  if (state.amendments <= state.options.maxAmendments) return;
  const [oldest] = instrument.amendments.keys();
  if (oldest === undefined) return;
  if (Number.isNaN(instrument.amendments.get(oldest)?.tradeMs)) state.counts.unknownReference++;
  instrument.amendments.delete(oldest);
  state.amendments--;
}

/** Text ids, and integer ones that were counted once, may have left the tail. Others have not come yet. */
function mayBeInHistory(state: EngineState, instrument: Instrument, key: TradeKey): boolean {
  const b = instrument.index * HOT_SIZE;
  if (typeof key === 'string' || (state.hot[b + HOT.runMs] as number) > 0) return true;
  return key <= (state.hot[b + HOT.highId] as number) && !instrument.missing.has(key);
}

/** The trade's own values, or those of its latest correction. */
export function valuesOf(batch: TailBatch, row: number, mark: Mark | undefined) {
  const { trades } = batch;
  if (mark?.kind === 'amended') return mark;
  return {
    price: trades.price[row] as number,
    priceDecimals: trades.priceDecimals[row] as number,
    size: trades.size[row] as number,
    sizeDecimals: trades.sizeDecimals[row] as number,
    conditions: trades.strings.values[trades.conditions[row] as number] ?? '',
  };
}

export function markOf(a: Amendment): Mark {
  if (a.cancel) return { kind: 'cancelled' };
  const { price, priceDecimals, size, sizeDecimals, conditions } = a;
  return { kind: 'amended', price, priceDecimals, size, sizeDecimals, conditions };
}

function applyInTail(state: EngineState, instrument: Instrument, key: TradeKey, position: number, a: Amendment): void {
  const found = state.tail.find(position);
  if (found === undefined) return;
  const { batch, row } = found;
  const before = state.tail.marks.get(position);
  const ms = batch.trades.eventMs[row] as number;
  a.tradeMs = ms;
  a.tradeSub = batch.trades.eventSubNs[row] as number;
  a.search = false;
  state.tail.marks.set(position, markOf(a));
  count(state, a);
  const venue = state.venues[instrument.venue] as string;
  const old = valuesOf(batch, row, before);
  const mayBefore = state.eligibility.may(venue, old.conditions, ms);
  const mayAfter = a.cancel ? 0 : state.eligibility.may(venue, a.conditions, ms);
  if ((mayBefore | mayAfter) === 0) return;
  addToPane(state, instrument, ms, mayBefore, old, -1);
  if (!a.cancel) addToPane(state, instrument, ms, mayAfter, a, 1);
  const watermarkMs = state.watermark(instrument);
  const { latenessMs } = state.options;
  if (!inMemory(0, ms, watermarkMs, latenessMs) || isLost(instrument, ms)) {
    changeOutside(state, instrument, ms, a);
    return;
  }
  flush(state, instrument);
  for (let tf = 0; tf < LENGTHS.length; tf++) change(state, ensureCell(state, instrument, tf, ms), tf, watermarkMs);
  changeProfile(state, ensureProfile(instrument, ms), watermarkMs);
  instrument.rebuild.add(Math.floor(ms / MINUTE_MS) * MINUTE_MS);
  instrument.dirty = true;
  instrument.urgent = true;
  instrument.statsDirty = true;
}

/** Whether a trade of the same five minutes, which a rebuild would need, has fallen out of the tail. */
function isLost(instrument: Instrument, ms: number): boolean {
  const length = windowLength(PROFILE_WINDOW);
  return Math.floor(ms / length) * length <= instrument.lostMs;
}

/** A change of a trade that the tail does not hold: its windows are computed again from history. */
export function changeOutside(
  state: EngineState,
  instrument: Instrument,
  ms: number,
  { watermarkMs, ends }: Pick<Amendment, 'watermarkMs' | 'ends'>,
): void {
  const mask = ends < instrument.ends ? ~FLAG.ended : ~0;
  const { latenessMs } = state.options;
  flush(state, instrument);
  for (let tf = 0; tf < LENGTHS.length; tf++) {
    if (!inMemory(tf, ms, state.watermark(instrument), latenessMs)) {
      ask(state, instrument, tf, ms, 1);
      continue;
    }
    const at = ensureCell(state, instrument, tf, ms);
    change(state, at, tf, watermarkMs, mask);
    state.cells[at + CELL.flags] = (state.cells[at + CELL.flags] as number) | FLAG.awaiting;
    ask(state, instrument, tf, ms, 0);
  }
  if (inMemory(PROFILE_WINDOW, ms, state.watermark(instrument), latenessMs)) {
    const profile = ensureProfile(instrument, ms);
    changeProfile(state, profile, watermarkMs, mask);
    profile.flags |= FLAG.awaiting;
    ask(state, instrument, PROFILE_WINDOW, ms, 0);
  } else ask(state, instrument, PROFILE_WINDOW, ms, 1);
  instrument.dirty = true;
  instrument.urgent = true;
}
