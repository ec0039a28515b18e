/** What the window engine offers; made by `createWindowEngine` of engine.ts. */
import type { Bar, BarState, Stats } from '#shared/bars.ts';
import type { ControlEvent } from '#shared/control.ts';
import type { QuoteColumns, TradeColumns } from '#shared/ticks.ts';
import type { RecomputeRequest, TickCounts, WindowChanges } from './changes.ts';
import type { RecomputeJob } from './recompute.ts';

export interface DrainOptions {
  provisional: boolean;
  /** As `provisional` when left out. */
  openProfiles?: boolean;
}

export interface VenueTime {
  venue: string;
  /** ms; -Infinity before the venue's first trade. */
  watermarkMs: number;
  late: number;
  duplicates: number;
}

export interface WindowEngine {
  readonly counts: TickCounts;
  /** Takes a batch; the columns must stay as they are afterwards. `offset` rises from call to call. */
  onTrades(trades: TradeColumns, offset: number): void;
  onQuotes(quotes: QuoteColumns): void;
  /** Control events of the trades topic; those of other topics are not for the windows. */
  onControl(event: ControlEvent): void;
  /** What changed since the last call. Open bars and statistics come only when `provisional`, open profiles when `openProfiles`. */
  drain(options: DrainOptions): WindowChanges;
  /** What must be computed again from history. Stays until the job was finished. */
  recomputeRequests(): RecomputeRequest[];
  /** Work on one request; nothing else may be fed in until it is finished or dropped. */
  startRecompute(instrument: string): RecomputeJob | undefined;
  openBars(): Bar[];
  latestStats(): Stats[];
  watermarks(): VenueTime[];
  /** How many bars there have been, by the state they are in now. */
  barsByState(): Record<BarState, number>;
  /** Whether a row of a recent batch counts nowhere: a duplicate, or refused. */
  isIgnored(offset: number, row: number): boolean;
  snapshot(): Uint8Array;
  /** Takes a snapshot's state; throws RangeError when the bytes are none of this version. Afterwards the tail must be read again. */
  restore(bytes: Uint8Array): void;
  /** Offset from which `replayTail` must be fed; undefined when there is no tail. */
  readonly tailFrom: number | undefined;
  /** Reads the log's tail again after `restore`, from `tailFrom` up to where the snapshot was taken; changes no bar. */
  replayTail(trades: TradeColumns, offset: number): void;
}
