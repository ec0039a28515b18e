/**
 * The event-time window engine of one partition (SPEC WN-1..WN-15): trades in, bars, profiles and statistics out. Pure: it reads no
 * clock, and what comes out depends on the log's order only, not on how the log was cut into batches.
 *
 * A trade touches the accumulator of its instrument's newest minute, one pane and one profile row. The accumulator is added to the
 * five bars over it when a newer minute begins or at a drain; a trade of an older minute goes to its bars at once.
 */
import type { Bar, BarState, Profile, Stats } from '#shared/bars.ts';
import type { ControlEvent } from '#shared/control.ts';
import { MAX_EVENT_MS } from '#shared/event-time.ts';
import type { QuoteColumns, TradeColumns } from '#shared/ticks.ts';
import type { RecomputeRequest, TickCounts, WindowChanges } from './changes.ts';
import { drainInstrument, trimTail } from './drain.ts';
import { barsInMemory, endVenue } from './ends.ts';
import { flush } from './place-trades.ts';
import { settle } from './rebuild.ts';
import { RecomputeJob, requestOf } from './recompute.ts';
import { restoreState, snapshotState } from './snapshot.ts';
import { type EngineOptions, EngineState, type Instrument } from './state.ts';
import { statsOf, takeQuotes } from './stats.ts';
import { positionOf } from './tail.ts';
import { TradeIntake } from './trade-intake.ts';
import type { DrainOptions, VenueTime, WindowEngine } from './window-engine.ts';

export function createWindowEngine(options: Partial<EngineOptions> = {}): WindowEngine {
  return new Engine(options);
}

class Engine implements WindowEngine {
  readonly #options: Partial<EngineOptions>;
  #state: EngineState;
  #intake: TradeIntake;
  #tailFrom: number | undefined;

  constructor(options: Partial<EngineOptions>) {
    this.#options = options;
    this.#state = new EngineState(options);
    this.#intake = new TradeIntake(this.#state);
  }

  get counts(): TickCounts {
    const { counts, instruments } = this.#state;
    let open = 0;
    for (const { amendments } of instruments) for (const a of amendments.values()) if (Number.isNaN(a.tradeMs)) open++;
    return { ...counts, unknownReference: counts.unknownReference + open };
  }

  get tailFrom(): number | undefined {
    return this.#tailFrom ?? this.#state.tail.fromOffset;
  }

  onTrades(trades: TradeColumns, offset: number): void {
    this.#intake.take(trades, offset);
  }

  onQuotes(quotes: QuoteColumns): void {
    takeQuotes(this.#state, quotes);
    this.#intake.indices(quotes.instruments.values);
  }

  onControl(event: ControlEvent): void {
    const state = this.#state;
    if (event.type === 'heartbeat' && event.eventMs >= 0 && event.eventMs < MAX_EVENT_MS) {
      const venue = state.venue(event.venue);
      if (event.eventMs > (state.watermarks[venue] as number)) state.watermarks[venue] = event.eventMs;
    } else if (event.type === 'end_of_source') for (const venue of event.venues) endVenue(state, venue);
  }

  drain({ provisional, openProfiles = provisional }: DrainOptions): WindowChanges {
    const state = this.#state;
    const bars: Bar[] = [];
    const profiles: Profile[] = [];
    const stats: Stats[] = [];
    for (const instrument of state.instruments) {
      drainInstrument(state, instrument, provisional, openProfiles, bars, profiles);
      if (provisional && needsStats(state, instrument)) {
        stats.push(statsOf(state, instrument));
        instrument.statsDirty = false;
      }
    }
    trimTail(state);
    const spilled = state.spilled;
    state.spilled = [];
    const refused = state.refused;
    state.refused = [];
    return { bars: spilled.length === 0 ? bars : [...spilled, ...bars], profiles, stats, refused };
  }

  recomputeRequests(): RecomputeRequest[] {
    return this.#state.instruments.flatMap((instrument) => requestOf(this.#state, instrument) ?? []);
  }

  startRecompute(name: string): RecomputeJob | undefined {
    const instrument = this.#state.byName.get(name);
    return instrument === undefined ? undefined : new RecomputeJob(this.#state, instrument);
  }

  openBars(): Bar[] {
    const state = this.#state;
    const bars: Bar[] = [];
    for (const instrument of state.instruments) {
      flush(state, instrument);
      settle(state, instrument);
      bars.push(...barsInMemory(state, instrument));
    }
    return bars;
  }

  latestStats(): Stats[] {
    return this.#state.instruments.map((instrument) => statsOf(this.#state, instrument));
  }

  watermarks(): VenueTime[] {
    return this.#state.venues.map((venue, i) => ({
      venue,
      watermarkMs: this.#state.watermarks[i] as number,
      late: this.#state.late[i] as number,
      duplicates: this.#state.duplicates[i] as number,
    }));
  }

  barsByState(): Record<BarState, number> {
    const { settled } = this.#state;
    const open = this.openBars().filter((bar) => bar.state === 'provisional').length;
    return { provisional: open, final: settled.final, revised: settled.revised };
  }

  isIgnored(offset: number, row: number): boolean {
    const { marks } = this.#state.tail;
    return marks.size > 0 && marks.get(positionOf(offset, row))?.kind === 'ignored';
  }

  snapshot(): Uint8Array {
    for (const instrument of this.#state.instruments) flush(this.#state, instrument);
    return snapshotState(this.#state);
  }

  restore(bytes: Uint8Array): void {
    const state = new EngineState(this.#options);
    this.#tailFrom = restoreState(state, bytes);
    this.#state = state;
    this.#intake = new TradeIntake(state);
  }

  replayTail(trades: TradeColumns, offset: number): void {
    this.#tailFrom = undefined;
    this.#intake.takeAgain(trades, offset);
  }
}

function needsStats(state: EngineState, instrument: Instrument): boolean {
  if (instrument.statsDirty) return true;
  return instrument.hasRecent && Math.floor(state.watermark(instrument) / 1000) > instrument.statsSecond;
}
