/** What the window engine hands out, and the port it asks for history. */
import type { Bar, Profile, Stats } from '#shared/bars.ts';
import type { TradeColumns } from '#shared/ticks.ts';
import type { Timeframe } from '#shared/timeframes.ts';

/** Ticks that were counted but changed no bar, or changed one late (SPEC WN-8). */
export interface TickCounts {
  /** Trades that are no duplicates, whatever became of them later. */
  accepted: number;
  /** Older than the newest tick of the instrument, but before its bars were final. */
  reordered: number;
  /** Changed a bar that was final. */
  late: number;
  /** Changed a bar that is no longer in memory: recomputed from history. */
  tooLate: number;
  duplicate: number;
  cancelled: number;
  corrected: number;
  /** Cancels and corrections that name a trade nobody knows (yet). */
  unknownReference: number;
  /** Ticks that a bar cannot hold exactly (SPEC MD-3), or that are no ticks. */
  rejected: number;
}

export function noCounts(): TickCounts {
  return {
    accepted: 0,
    reordered: 0,
    late: 0,
    tooLate: 0,
    duplicate: 0,
    cancelled: 0,
    corrected: 0,
    unknownReference: 0,
    rejected: 0,
  };
}

/** A tick that was refused, by its position in the log. */
export interface RefusedTick {
  offset: number;
  row: number;
  instrument: string;
  reason: 'not_a_tick' | 'too_precise' | 'too_large';
}

/** An instrument some of whose windows must be computed again from raw ticks. */
export interface RecomputeRequest {
  instrument: string;
  /** Raw trades that must be read, [fromMs, toMs), by rising time and apart from each other. */
  ranges: { fromMs: number; toMs: number }[];
  /** Whether trades that cancels or corrections name must first be found in history. */
  references: boolean;
}

/** Everything that changed since the last drain; of a bar or profile only its newest form. */
export interface WindowChanges {
  bars: Bar[];
  profiles: Profile[];
  stats: Stats[];
  refused: RefusedTick[];
}

/** Raw trades of the past, for what has left the engine's memory. */
export interface TickHistory {
  /**
   * All trades, cancels and corrections of the instrument with event time in [fromMs, toMs), as they stand in the log at least up
   * to the consumer's committed offset, any order, in batches. More is fine: the reader leaves out what it has not consumed.
   */
  trades(instrument: string, fromMs: number, toMs: number): AsyncIterable<TradeColumns>;
  /** Bars as stored for these instruments and starts, so that a revision can continue. */
  bar(instrument: string, timeframe: Timeframe, startMs: number): Promise<Bar | undefined>;
  profile(instrument: string, startMs: number): Promise<Profile | undefined>;
}
