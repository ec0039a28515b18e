/** What the window engine hands out, and the port it asks for history. */
import type { Bar, Profile, Stats } from '#shared/bars.ts';
import type { TradeColumns } from '#shared/ticks.ts';
import type { Timeframe } from '#shared/timeframes.ts';

/** Ticks that were counted but changed no bar, or changed one late (SPEC WN-8). */
export interface TickCounts {
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
  /** Cancels and corrections that name a trade nobody knows. */
  unknownReference: number;
}

/** Bars of one instrument that must be computed again from raw ticks, because they are no longer in memory. */
export interface RecomputeRequest {
  instrument: string;
  /** 1-minute windows that changed, by start in ms, with the number of changes to each. */
  minutes: Map<number, number>;
}

/** Everything that changed since the last drain; of a bar or profile only its newest form. */
export interface WindowChanges {
  bars: Bar[];
  profiles: Profile[];
  stats: Stats[];
  recompute: RecomputeRequest[];
}

/** Raw trades of the past, for what has left the engine's memory. */
export interface TickHistory {
  /**
   * All trades, cancels and corrections of the instrument with event time in [fromMs, toMs), as they stand in the log before
   * the consumer's offset, any order, in batches.
   */
  trades(instrument: string, fromMs: number, toMs: number): AsyncIterable<TradeColumns>;
  /** Bars as stored for these instruments and starts, so that a revision can continue. */
  bar(instrument: string, timeframe: Timeframe, startMs: number): Promise<Bar | undefined>;
  profile(instrument: string, startMs: number): Promise<Profile | undefined>;
}
