/** The end of a source, and the bars that are in memory at a moment. */
import type { Bar } from '#shared/bars.ts';
import { CELL, FLAG } from './cells.ts';
import { barOf, flush, isFinal } from './place-trades.ts';
import { type EngineState, HOT, HOT_SIZE, type Instrument, LENGTHS } from './state.ts';
import { eachCell } from './stats.ts';

/** Every open window of the venue becomes final; its watermark stays (SPEC WN-6). */
export function endVenue(state: EngineState, venue: string): void {
  const { graceMs } = state.options;
  for (const instrument of state.instruments) {
    if (state.venues[instrument.venue] !== venue) continue;
    flush(state, instrument);
    const watermarkMs = state.watermark(instrument);
    eachCell(state, instrument, (tf, at) => {
      const flags = state.cells[at + CELL.flags] as number;
      if (!isFinal(flags, state.cells[at] as number, LENGTHS[tf] as number, watermarkMs, graceMs)) {
        state.cells[at + CELL.flags] = flags | FLAG.ended;
      }
    });
    for (const profile of instrument.profiles.values()) profile.flags |= FLAG.ended;
    state.hot[instrument.index * HOT_SIZE + HOT.openUntil] = Number.NEGATIVE_INFINITY;
    instrument.dirty = true;
    instrument.urgent = true;
    instrument.ends++;
  }
}

/** The instrument's bars in memory, save those that wait for a recompute. */
export function barsInMemory(state: EngineState, instrument: Instrument): Bar[] {
  const bars: Bar[] = [];
  const watermarkMs = state.watermark(instrument);
  eachCell(state, instrument, (tf, at) => {
    const flags = state.cells[at + CELL.flags] as number;
    if ((flags & FLAG.awaiting) !== 0) return;
    const final = isFinal(flags, state.cells[at] as number, LENGTHS[tf] as number, watermarkMs, state.options.graceMs);
    bars.push(barOf(state, instrument, tf, at, final));
  });
  return bars;
}
