/** Hands out what changed, and lets go of what the watermark has left behind. */
import type { Bar, Profile } from '#shared/bars.ts';
import { CELL, CELL_SIZE, FLAG } from './cells.ts';
import { barOf, flush, isFinal, leave, noteFinal, profileOf } from './place-trades.ts';
import { settle } from './rebuild.ts';
import {
  type EngineState,
  HOT_SIZE,
  inMemory,
  type Instrument,
  LENGTHS,
  parentLength,
  PROFILE_WINDOW,
  windowKey,
  windowLength,
} from './state.ts';
import type { TailBatch } from './tail.ts';

/** Bars whose changes after final are remembered beyond memory, per partition. */
const MAX_DEPARTED = 100_000;

export function drainInstrument(
  state: EngineState,
  instrument: Instrument,
  provisional: boolean,
  openProfiles: boolean,
  bars: Bar[],
  profiles: Profile[],
): void {
  const watermarkMs = state.watermark(instrument);
  const b = instrument.index * HOT_SIZE;
  const accumulated = state.hot[b + CELL.trades] !== 0 || state.hot[b + CELL.others] !== 0;
  const open = (provisional || openProfiles) && (instrument.dirty || accumulated);
  if (!open && !instrument.urgent && watermarkMs < instrument.nextMs) return;
  flush(state, instrument);
  settle(state, instrument);
  const { cells, masks, ringStarts } = state;
  const { graceMs, latenessMs } = state.options;
  let nextMs = Number.POSITIVE_INFINITY;
  let left = false;
  for (let tf = 0; tf < LENGTHS.length; tf++) {
    const length = LENGTHS[tf] as number;
    const parent = parentLength(tf);
    const from = instrument.index * state.cellsPerInstrument + (ringStarts[tf] as number);
    for (let at = from; at <= from + (masks[tf] as number) * CELL_SIZE; at += CELL_SIZE) {
      const startMs = cells[at] as number;
      if (startMs === -1) continue;
      const flags = cells[at + CELL.flags] as number;
      if ((flags & FLAG.awaiting) !== 0) continue;
      const final = isFinal(flags, startMs, length, watermarkMs, graceMs);
      const dirty = (flags & FLAG.dirty) !== 0;
      if (final ? dirty || (flags & FLAG.finalSent) === 0 : dirty && provisional) {
        bars.push(barOf(state, instrument, tf, at, final));
        if (final) noteFinal(state, at);
        else cells[at + CELL.flags] = flags & ~FLAG.dirty;
      } else if (dirty) left = true;
      if (!inMemory(tf, startMs, watermarkMs, latenessMs)) leave(state, instrument, tf, at);
      else {
        const leavesMs = Math.floor(startMs / parent) * parent + parent + latenessMs;
        nextMs = Math.min(nextMs, final ? leavesMs : startMs + length + graceMs);
      }
    }
  }
  const length = windowLength(PROFILE_WINDOW);
  for (const profile of instrument.profiles.values()) {
    if ((profile.flags & FLAG.awaiting) !== 0) continue;
    const final = isFinal(profile.flags, profile.startMs, length, watermarkMs, graceMs);
    const dirty = (profile.flags & FLAG.dirty) !== 0;
    if (final ? dirty || (profile.flags & FLAG.finalSent) === 0 : dirty && openProfiles) {
      profiles.push(profileOf(state, instrument, profile, final));
      profile.flags = (profile.flags & ~FLAG.dirty) | (final ? FLAG.finalSent : 0);
    } else if (dirty) left = true;
    if (inMemory(PROFILE_WINDOW, profile.startMs, watermarkMs, latenessMs)) continue;
    if (profile.late > 0)
      state.departed.set(windowKey(instrument.index, PROFILE_WINDOW, profile.startMs), profile.late);
    instrument.profiles.delete(profile.startMs);
  }
  instrument.dirty = left;
  instrument.urgent = false;
  instrument.nextMs = nextMs;
}

/** Lets go of batches in which nothing can be changed in memory any more, and of the oldest ones when there are too many. */
export function trimTail(state: EngineState): void {
  const { tail, options } = state;
  let count = 0;
  while (count < tail.batches.length && isOver(state, tail.batches[count] as TailBatch)) count++;
  if (count > 0) tail.drop(count);
  count = 0;
  for (let rows = tail.rows; rows > options.maxTailTrades && count < tail.batches.length - 1; count++) {
    const batch = tail.batches[count] as TailBatch;
    rows -= batch.trades.length;
    for (let row = 0; row < batch.trades.length; row++) {
      const instrument = state.instruments[
        batch.instruments[batch.trades.instrument[row] as number] as number
      ] as Instrument;
      instrument.lostMs = Math.max(instrument.lostMs, batch.trades.eventMs[row] as number);
    }
  }
  if (count > 0) tail.drop(count);
  while (state.departed.size > MAX_DEPARTED) {
    const [oldest] = state.departed.keys();
    state.departed.delete(oldest as number);
    state.departedTrimmed = true;
  }
}

function isOver(state: EngineState, batch: TailBatch): boolean {
  return batch.until.every(
    ({ venue, ms }) => !inMemory(PROFILE_WINDOW, ms, state.watermarks[venue] as number, state.options.latenessMs),
  );
}
