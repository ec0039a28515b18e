/** Windows that have left memory, or whose trades have, computed again from raw ticks (SPEC WN-13). */
import type { Bar, Profile } from '#shared/bars.ts';
import { MAX_EVENT_MS, MIN_EVENT_MS } from '#shared/event-time.ts';
import { ACTION, type TradeColumns } from '#shared/ticks.ts';
import { changeOutside, count, markOf, tradeKey } from './amend.ts';
import { addTrade, CELL, CELL_SIZE, FLAG, initCell, MAY } from './cells.ts';
import type { RecomputeRequest } from './changes.ts';
import { barFrom, cellAt, noteClose, type PlacedTrade, profileOf } from './place-trades.ts';
import { ProfileTable } from './profile-table.ts';
import { placedRow } from './rebuild.ts';
import {
  type Amendment,
  type EngineState,
  type Instrument,
  type PendingWindow,
  PROFILE_WINDOW,
  type TradeKey,
  windowKey,
  windowLength,
} from './state.ts';
import type { Mark, TailBatch } from './tail.ts';

const DAY_MS = 86_400_000;

export interface Range {
  fromMs: number;
  toMs: number;
}

function searching(instrument: Instrument): [TradeKey, Amendment][] {
  return [...instrument.amendments].filter(([, a]) => a.search);
}

export function requestOf(state: EngineState, instrument: Instrument): RecomputeRequest | undefined {
  const references = searching(instrument).length > 0;
  if (instrument.pending.size === 0 && !references) return undefined;
  return { instrument: instrument.name, ranges: rangesOf(state, instrument), references };
}

/** Raw trades the pending windows need; wider by the lateness, so that duplicates just outside are known. */
function rangesOf(state: EngineState, instrument: Instrument): Range[] {
  const { latenessMs } = state.options;
  const windows = [...instrument.pending.values()].sort((a, b) => a.startMs - b.startMs);
  const ranges: Range[] = [];
  for (const { window, startMs } of windows) {
    const fromMs = Math.max(MIN_EVENT_MS, startMs - latenessMs);
    const toMs = startMs + windowLength(window) + latenessMs;
    const last = ranges.at(-1);
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else ranges.push({ fromMs, toMs });
  }
  return ranges;
}

interface RawTrade {
  batch: TailBatch;
  row: number;
  key: TradeKey | undefined;
  ms: number;
  sub: number;
  arrival: number;
}

/** What a finished job has made for windows beyond memory; those in memory come with the next drain. */
export interface Recomputed {
  bars: Bar[];
  profiles: Profile[];
}

/**
 * One instrument's recompute: first the trades that cancels name (`searches`, `addFound`, `foundAll`), then the windows (`ranges`, `add`,
 * `finish`). Rows that the engine has not consumed yet are left out by their arrival number.
 */
export class RecomputeJob {
  readonly #state: EngineState;
  readonly #instrument: Instrument;
  readonly #wanted: Map<TradeKey, Amendment>;
  readonly #found = new Map<TradeKey, RawTrade>();
  #raw: RawTrade[] = [];
  readonly #stored = new Map<string, number>();

  constructor(state: EngineState, instrument: Instrument) {
    this.#state = state;
    this.#instrument = instrument;
    this.#wanted = new Map(searching(instrument));
  }

  /** Where to look for the trades that cancels and corrections name, nearest first; each only when the one before left some out. */
  *searches(): Generator<Range> {
    const times = [...this.#wanted.values()].map((a) => a.ms);
    if (times.length === 0) return;
    const low = times.reduce((a, b) => Math.min(a, b));
    const high = times.reduce((a, b) => Math.max(a, b));
    yield { fromMs: Math.max(MIN_EVENT_MS, low - DAY_MS), toMs: high + DAY_MS };
    if (this.#found.size < this.#wanted.size) yield { fromMs: MIN_EVENT_MS, toMs: MAX_EVENT_MS };
  }

  addFound(trades: TradeColumns): void {
    for (const raw of this.#rows(trades)) {
      if (raw.key === undefined || !this.#wanted.has(raw.key)) continue;
      const known = this.#found.get(raw.key);
      const wanted = this.#wanted.get(raw.key) as Amendment;
      // Of several runs of ids the newest trade that is not newer than its cancel.
      if (known === undefined || known.ms > wanted.ms || (raw.ms <= wanted.ms && raw.ms > known.ms))
        this.#found.set(raw.key, raw);
    }
  }

  /** Ends the search: what was found changes its windows, what was not waits for its trade to come. */
  foundAll(): void {
    for (const [key, amendment] of this.#wanted) {
      amendment.search = false;
      const raw = this.#found.get(key);
      if (raw === undefined || !Number.isNaN(amendment.tradeMs)) continue;
      amendment.tradeMs = raw.ms;
      amendment.tradeSub = raw.sub;
      count(this.#state, amendment);
      changeOutside(this.#state, this.#instrument, raw.ms, amendment);
    }
  }

  ranges(): Range[] {
    return rangesOf(this.#state, this.#instrument);
  }

  /** Bars whose revision only the store knows, because there were too many to remember. */
  unknownRevisions(): PendingWindow[] {
    const { departed, departedTrimmed } = this.#state;
    if (!departedTrimmed) return [];
    return [...this.#instrument.pending.values()].filter(
      ({ window, startMs }) => !departed.has(windowKey(this.#instrument.index, window, startMs)),
    );
  }

  setRevision({ window, startMs }: PendingWindow, revision: number): void {
    this.#stored.set(`${window}:${startMs}`, revision);
  }

  add(trades: TradeColumns): void {
    for (const raw of this.#rows(trades)) this.#raw.push(raw);
  }

  *#rows(trades: TradeColumns): Generator<RawTrade> {
    const local = trades.instruments.values.indexOf(this.#instrument.name);
    const batch: TailBatch = { trades, offset: 0, instruments: new Int32Array(0), until: [] };
    for (let row = 0; row < trades.length; row++) {
      const arrival = trades.arrival[row] as number;
      const ours = trades.instrument[row] === local && trades.action[row] === ACTION.trade;
      if (!ours || !this.#state.hasArrived(arrival)) continue;
      const ms = trades.eventMs[row] as number;
      yield { batch, row, key: tradeKey(trades, row), ms, sub: trades.eventSubNs[row] as number, arrival };
    }
  }

  /** Puts the windows in place. The engine must have been drained since the last trade. */
  finish(): Recomputed {
    const instrument = this.#instrument;
    const windows = new Map<string, { cell: Float64Array; profile: ProfileTable }>();
    for (const [key, { window, startMs }] of instrument.pending) {
      const cell = new Float64Array(window === PROFILE_WINDOW ? 0 : CELL_SIZE);
      if (cell.length > 0) initCell(cell, 0, startMs);
      windows.set(key, { cell, profile: new ProfileTable(startMs) });
    }
    for (const t of this.#placed()) {
      for (let window = 0; window <= PROFILE_WINDOW; window++) {
        const length = windowLength(window);
        const target = windows.get(`${window}:${Math.floor(t.ms / length) * length}`);
        if (target === undefined) continue;
        if (window < PROFILE_WINDOW)
          addTrade(target.cell, 0, t.may, t.side, t.price, t.size, t.ms, t.sub, t.seq, t.arrival);
        else if ((t.may & MAY.volume) !== 0) target.profile.add(t.price, t.size, t.side);
      }
    }
    const result: Recomputed = { bars: [], profiles: [] };
    for (const [key, pending] of instrument.pending) {
      const { cell, profile } = windows.get(key) as { cell: Float64Array; profile: ProfileTable };
      if (pending.window === PROFILE_WINDOW) this.#putProfile(pending, profile, result);
      else this.#putBar(pending, cell, result);
    }
    instrument.pending.clear();
    instrument.dirty = true;
    instrument.urgent = true;
    instrument.statsDirty = true;
    this.#raw = [];
    return result;
  }

  /** Every trade once, with what cancels and corrections made of it. */
  #placed(): PlacedTrade[] {
    const state = this.#state;
    const instrument = this.#instrument;
    const { latenessMs } = state.options;
    const seen = new Map<TradeKey, number[]>();
    const result: PlacedTrade[] = [];
    for (const raw of this.#raw.sort((a, b) => a.arrival - b.arrival)) {
      let mark: Mark | undefined;
      if (raw.key !== undefined) {
        const times = seen.get(raw.key);
        if (times === undefined) seen.set(raw.key, [raw.ms]);
        else if (times.some((ms) => Math.abs(ms - raw.ms) <= latenessMs)) continue;
        else times.push(raw.ms);
        const amendment = instrument.amendments.get(raw.key);
        if (amendment !== undefined && amendment.tradeMs === raw.ms && amendment.tradeSub === raw.sub)
          mark = markOf(amendment);
      }
      const t = placedRow(state, instrument, raw.batch, raw.row, mark);
      if (t !== undefined) result.push(t);
    }
    return result;
  }

  /** Changes after final of a window beyond memory, these included. */
  #late(pending: PendingWindow): number {
    const { departed } = this.#state;
    const key = windowKey(this.#instrument.index, pending.window, pending.startMs);
    const stored = this.#stored.get(`${pending.window}:${pending.startMs}`);
    const late = (departed.get(key) ?? (stored === undefined ? 0 : Math.max(0, stored - 1))) + pending.changes;
    departed.delete(key);
    departed.set(key, late);
    return late;
  }

  #putBar(pending: PendingWindow, cell: Float64Array, result: Recomputed): void {
    const state = this.#state;
    const held = cellAt(state, this.#instrument, pending.window, pending.startMs);
    const flags = state.cells[held.at + CELL.flags] as number;
    if (state.cells[held.at] === held.startMs && (flags & FLAG.awaiting) !== 0) {
      state.cells.set(cell.subarray(CELL.trades), held.at + CELL.trades);
      state.cells[held.at + CELL.flags] = (flags & ~FLAG.awaiting) | FLAG.dirty;
      state.cells[held.at + CELL.late] = (state.cells[held.at + CELL.late] as number) + pending.changes;
      if (pending.window === 0) noteClose(state, this.#instrument, pending.startMs);
      return;
    }
    this.#countRevised(pending, cell);
    result.bars.push(barFrom(state, this.#instrument, pending.window, cell, 0, true, this.#late(pending)));
  }

  /** A bar that was known before stood among the final ones, unless it was revised already. */
  #countRevised(pending: PendingWindow, cell: Float64Array): void {
    const { departed, settled } = this.#state;
    if (departed.has(windowKey(this.#instrument.index, pending.window, pending.startMs))) return;
    settled.revised++;
    if ((cell[CELL.trades] as number) > pending.changes) settled.final = Math.max(0, settled.final - 1);
  }

  #putProfile(pending: PendingWindow, profile: ProfileTable, result: Recomputed): void {
    const held = this.#instrument.profiles.get(pending.startMs);
    if (held !== undefined && (held.flags & FLAG.awaiting) !== 0) {
      held.clear();
      held.load(profile.compact());
      held.flags = (held.flags & ~FLAG.awaiting) | FLAG.dirty;
      held.late += pending.changes;
      return;
    }
    profile.late = this.#late(pending);
    result.profiles.push(profileOf(this.#state, this.#instrument, profile, true));
  }
}
