/** Puts trades, or whole accumulators, into the cells and profiles of their windows. */
import type { Bar, BarState, Profile } from '#shared/bars.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { addTrade, CELL, CELL_SIZE, clearContent, FLAG, initCell, MAY, mergeCell } from './cells.ts';
import { readThree, readTwo } from './limbs.ts';
import { ProfileTable } from './profile-table.ts';
import {
  CLOSES,
  type EngineState,
  HOT,
  HOT_SIZE,
  inMemory,
  type Instrument,
  LENGTHS,
  MINUTE_MS,
  PROFILE_WINDOW,
  windowKey,
  windowLength,
} from './state.ts';

/** One trade at the instrument's scales. */
export interface PlacedTrade {
  may: number;
  side: number;
  price: number;
  size: number;
  ms: number;
  sub: number;
  seq: number;
  arrival: number;
}

export function cellAt(
  state: EngineState,
  instrument: Instrument,
  tf: number,
  ms: number,
): { at: number; startMs: number } {
  const number = Math.floor(ms / (LENGTHS[tf] as number));
  const slot = number & (state.masks[tf] as number);
  const at = instrument.index * state.cellsPerInstrument + (state.ringStarts[tf] as number) + slot * CELL_SIZE;
  return { at, startMs: number * (LENGTHS[tf] as number) };
}

/** Offset of the cell, made when it is not there yet. */
export function ensureCell(state: EngineState, instrument: Instrument, tf: number, ms: number): number {
  const { at, startMs } = cellAt(state, instrument, tf, ms);
  const { cells } = state;
  if (cells[at + CELL.start] !== startMs) {
    if (cells[at + CELL.start] !== -1) leave(state, instrument, tf, at);
    initCell(cells, at, startMs);
    instrument.nextMs = Math.min(instrument.nextMs, startMs + (LENGTHS[tf] as number) + state.options.graceMs);
  }
  return at;
}

/** Frees a cell; what it has not handed out yet is kept for the next drain. */
export function leave(state: EngineState, instrument: Instrument, tf: number, at: number): void {
  const { cells } = state;
  const flags = cells[at + CELL.flags] as number;
  const startMs = cells[at] as number;
  const late = cells[at + CELL.late] as number;
  if ((flags & FLAG.awaiting) === 0 && ((flags & FLAG.dirty) !== 0 || (flags & FLAG.finalSent) === 0)) {
    state.spilled.push(barOf(state, instrument, tf, at, true));
    noteFinal(state, at);
  }
  if (late > 0) state.departed.set(windowKey(instrument.index, tf, startMs), late);
  cells[at] = -1;
}

/** Counts a bar that is handed out as final or revised, once as each. */
export function noteFinal(state: EngineState, at: number): void {
  const { cells, settled } = state;
  const flags = cells[at + CELL.flags] as number;
  const revised = (cells[at + CELL.late] as number) > 0;
  if ((flags & FLAG.finalSent) === 0) settled[revised ? 'revised' : 'final']++;
  else if (revised && (flags & FLAG.revisedSent) === 0) {
    settled.final--;
    settled.revised++;
  }
  cells[at + CELL.flags] = (flags & ~FLAG.dirty) | FLAG.finalSent | (revised ? FLAG.revisedSent : 0);
}

export function isFinal(
  flags: number,
  startMs: number,
  lengthMs: number,
  watermarkMs: number,
  graceMs: number,
): boolean {
  return (flags & FLAG.ended) !== 0 || startMs + lengthMs + graceMs <= watermarkMs;
}

export function ensureProfile(instrument: Instrument, ms: number): ProfileTable {
  const length = windowLength(PROFILE_WINDOW);
  const startMs = Math.floor(ms / length) * length;
  let profile = instrument.profiles.get(startMs);
  if (profile === undefined) {
    profile = new ProfileTable(startMs);
    instrument.profiles.set(startMs, profile);
  }
  return profile;
}

/** Adds the accumulator of the newest minute to its five bars and empties it. */
export function flush(state: EngineState, instrument: Instrument): void {
  const b = instrument.index * HOT_SIZE;
  const changes = (state.hot[b + CELL.trades] as number) + (state.hot[b + CELL.others] as number);
  if (changes === 0) return;
  const startMs = state.hot[b] as number;
  for (let tf = 0; tf < LENGTHS.length; tf++) {
    const at = ensureCell(state, instrument, tf, startMs);
    mergeCell(state.cells, at, state.hot, b);
    if (touch(state.cells, at, changes)) instrument.urgent = true;
  }
  const profile = ensureProfile(instrument, startMs);
  profile.flags |= FLAG.dirty;
  if ((profile.flags & FLAG.ended) !== 0) profile.late += changes;
  clearContent(state.hot, b);
  noteClose(state, instrument, startMs);
  instrument.dirty = true;
  instrument.statsDirty = true;
}

/** The accumulator takes no trades of windows that are final by the watermark, so only an ended source makes its changes late. */
function touch(cells: Float64Array, at: number, changes: number): boolean {
  const flags = cells[at + CELL.flags] as number;
  if ((flags & FLAG.ended) !== 0) cells[at + CELL.late] = (cells[at + CELL.late] as number) + changes;
  cells[at + CELL.flags] = flags | FLAG.dirty;
  return (flags & FLAG.ended) !== 0;
}

/** Keeps the last price of a minute for the volatility. */
export function noteClose(state: EngineState, instrument: Instrument, ms: number): void {
  const { at, startMs } = cellAt(state, instrument, 0, ms);
  if (state.cells[at] !== startMs) return;
  const minute = startMs / MINUTE_MS;
  const slot = (instrument.index * CLOSES + (minute % CLOSES)) * 2;
  if ((state.closes[slot] as number) > minute) return;
  const priced = (state.cells[at + CELL.closeRank] as number) >= 0;
  state.closes[slot] = priced ? minute : -1;
  state.closes[slot + 1] = priced ? (state.cells[at + CELL.close] as number) : 0;
  instrument.volatilityMinute = Number.NaN;
}

const scratch = new Float64Array(CELL_SIZE);

export type Placement = 'in_time' | 'late' | 'too_late';

/** Adds one trade to the windows that are in memory and asks for the others. */
export function placeTrade(state: EngineState, instrument: Instrument, t: PlacedTrade): Placement {
  const watermarkMs = state.watermark(instrument);
  const { latenessMs } = state.options;
  clearContent(scratch, 0);
  addTrade(scratch, 0, t.may, t.side, t.price, t.size, t.ms, t.sub, t.seq, t.arrival);
  let placement: Placement = 'in_time';
  for (let tf = 0; tf < LENGTHS.length; tf++) {
    if (!inMemory(tf, t.ms, watermarkMs, latenessMs)) {
      ask(state, instrument, tf, t.ms, 1);
      if (tf === 0) placement = 'too_late';
      continue;
    }
    const at = ensureCell(state, instrument, tf, t.ms);
    if (change(state, at, tf, watermarkMs) && tf === 0) placement = 'late';
    mergeCell(state.cells, at, scratch, 0);
  }
  if (inMemory(PROFILE_WINDOW, t.ms, watermarkMs, latenessMs)) {
    const profile = ensureProfile(instrument, t.ms);
    changeProfile(state, profile, watermarkMs);
    if ((t.may & MAY.volume) !== 0) profile.add(t.price, t.size, t.side);
  } else ask(state, instrument, PROFILE_WINDOW, t.ms, 1);
  noteClose(state, instrument, t.ms);
  instrument.dirty = true;
  if (placement !== 'in_time' || instrument.ends > 0) instrument.urgent = true;
  instrument.statsDirty = true;
  return placement;
}

/**
 * Marks a cell as changed by one trade; true when it was final.
 * @param mask flags that count: a change from before the end of the source is not late for it
 */
export function change(state: EngineState, at: number, tf: number, watermarkMs: number, mask = ~0): boolean {
  const { cells } = state;
  const flags = cells[at + CELL.flags] as number;
  const final = isFinal(flags & mask, cells[at] as number, LENGTHS[tf] as number, watermarkMs, state.options.graceMs);
  if (final) cells[at + CELL.late] = (cells[at + CELL.late] as number) + 1;
  cells[at + CELL.flags] = flags | FLAG.dirty;
  return final;
}

export function changeProfile(state: EngineState, profile: ProfileTable, watermarkMs: number, mask = ~0): void {
  const length = windowLength(PROFILE_WINDOW);
  if (isFinal(profile.flags & mask, profile.startMs, length, watermarkMs, state.options.graceMs)) profile.late += 1;
  profile.flags |= FLAG.dirty;
}

/** Asks for a window to be computed again from history. */
export function ask(state: EngineState, instrument: Instrument, window: number, ms: number, changes: number): void {
  const length = windowLength(window);
  const startMs = Math.floor(ms / length) * length;
  const key = `${window}:${startMs}`;
  const pending = instrument.pending.get(key);
  if (pending === undefined) instrument.pending.set(key, { window, startMs, changes });
  else pending.changes += changes;
}

export function stateOf(final: boolean, late: number): BarState {
  return final ? (late > 0 ? 'revised' : 'final') : 'provisional';
}

export function barOf(state: EngineState, instrument: Instrument, tf: number, at: number, final: boolean): Bar {
  const late = state.cells[at + CELL.late] as number;
  return barFrom(state, instrument, tf, state.cells, at, final, late);
}

/** The cell as a bar; revision as SPEC WN-7 has it. */
export function barFrom(
  state: EngineState,
  instrument: Instrument,
  tf: number,
  cells: Float64Array,
  at: number,
  final: boolean,
  late: number,
): Bar {
  const b = instrument.index * HOT_SIZE;
  const high = cells[at + CELL.high] as number;
  const priced = high !== Number.NEGATIVE_INFINITY;
  const buyVolume = readTwo(cells, at + CELL.volume + 2);
  const sellVolume = readTwo(cells, at + CELL.volume + 4);
  return {
    instrument: instrument.name,
    timeframe: TIMEFRAMES[tf] as Bar['timeframe'],
    startMs: cells[at] as number,
    priceScale: state.hot[b + HOT.priceScale] as number,
    sizeScale: state.hot[b + HOT.sizeScale] as number,
    open: priced ? (cells[at + CELL.open] as number) : Number.NaN,
    high: priced ? high : Number.NaN,
    low: priced ? (cells[at + CELL.low] as number) : Number.NaN,
    close: priced ? (cells[at + CELL.close] as number) : Number.NaN,
    volume: readTwo(cells, at + CELL.volume) + buyVolume + sellVolume,
    buyVolume,
    sellVolume,
    pv: readThree(cells, at + CELL.pv),
    tradeCount: cells[at + CELL.trades] as number,
    state: stateOf(final, late),
    revision: final ? 1 + late : 0,
  };
}

export function profileOf(state: EngineState, instrument: Instrument, profile: ProfileTable, final: boolean): Profile {
  const b = instrument.index * HOT_SIZE;
  return {
    instrument: instrument.name,
    startMs: profile.startMs,
    priceScale: state.hot[b + HOT.priceScale] as number,
    sizeScale: state.hot[b + HOT.sizeScale] as number,
    rows: profile.list(),
    state: stateOf(final, profile.late),
    revision: final ? 1 + profile.late : 0,
  };
}
