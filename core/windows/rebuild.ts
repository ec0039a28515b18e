/** Builds bars again from the tail's trades, and longer bars from shorter ones. */
import { POW10 } from '#shared/decimal.ts';
import { NO_TRADE_ID } from '#shared/ticks.ts';
import { valuesOf } from './amend.ts';
import { addTrade, CELL, clearContent, MAY, mergeCell } from './cells.ts';
import { cellAt, ensureCell, flush, noteClose, type PlacedTrade } from './place-trades.ts';
import {
  type EngineState,
  FIVE_MINUTES,
  HOT,
  HOT_SIZE,
  type Instrument,
  LENGTHS,
  MINUTE_MS,
  PROFILE_WINDOW,
  windowLength,
} from './state.ts';
import type { Mark, TailBatch } from './tail.ts';

/** The row at the instrument's scales; undefined when it counts nowhere or does not fit. */
export function placedRow(
  state: EngineState,
  instrument: Instrument,
  batch: TailBatch,
  row: number,
  mark: Mark | undefined,
): PlacedTrade | undefined {
  if (mark?.kind === 'cancelled' || mark?.kind === 'ignored') return undefined;
  const { trades } = batch;
  const b = instrument.index * HOT_SIZE;
  const values = valuesOf(batch, row, mark);
  const ms = trades.eventMs[row] as number;
  const may = state.eligibility.may(state.venues[instrument.venue] as string, values.conditions, ms);
  const price = values.price * (POW10[(state.hot[b + HOT.priceScale] as number) - values.priceDecimals] ?? Number.NaN);
  const size = values.size * (POW10[(state.hot[b + HOT.sizeScale] as number) - values.sizeDecimals] ?? Number.NaN);
  if (may === 0 || !(price <= Number.MAX_SAFE_INTEGER && size <= Number.MAX_SAFE_INTEGER)) return undefined;
  const id = trades.tradeId[row] as number;
  const arrival = trades.arrival[row] as number;
  const sub = trades.eventSubNs[row] as number;
  const side = trades.side[row] as number;
  const seq = id >= 0 && id !== NO_TRADE_ID ? id : arrival;
  return { may, side: side === 1 || side === 2 ? side : 0, price, size, ms, sub, seq, arrival };
}

/**
 * Does what amendments have left to do: minutes from the tail, then the longer bars and the profiles over them.
 * @param before position of the row that is being taken in: from there on nothing has been counted yet
 */
export function settle(state: EngineState, instrument: Instrument, before = Number.POSITIVE_INFINITY): void {
  if (instrument.rebuild.size === 0) return;
  flush(state, instrument);
  const minutes = [...instrument.rebuild];
  instrument.rebuild.clear();
  for (const ms of minutes) clearContent(state.cells, ensureCell(state, instrument, 0, ms));
  const wanted = new Set(minutes);
  const profileMs = windowLength(PROFILE_WINDOW);
  const profiles = new Set(minutes.map((ms) => Math.floor(ms / profileMs) * profileMs));
  for (const startMs of profiles) instrument.profiles.get(startMs)?.clear();
  state.tail.scan(instrument.index, 0, before, (batch, row, _position, mark) => {
    const ms = batch.trades.eventMs[row] as number;
    const profileStart = Math.floor(ms / profileMs) * profileMs;
    if (!profiles.has(profileStart)) return;
    const t = placedRow(state, instrument, batch, row, mark);
    if (t === undefined) return;
    if ((t.may & MAY.volume) !== 0) instrument.profiles.get(profileStart)?.add(t.price, t.size, t.side);
    if (!wanted.has(Math.floor(ms / MINUTE_MS) * MINUTE_MS)) return;
    const { at } = cellAt(state, instrument, 0, ms);
    addTrade(state.cells, at, t.may, t.side, t.price, t.size, t.ms, t.sub, t.seq, t.arrival);
  });
  for (const ms of minutes) noteClose(state, instrument, ms);
  for (let tf = FIVE_MINUTES; tf < LENGTHS.length; tf++) {
    const length = LENGTHS[tf] as number;
    const starts = new Set(minutes.map((ms) => Math.floor(ms / length) * length));
    for (const startMs of starts) rollUp(state, instrument, tf, startMs);
  }
}

/** The bar anew from the bars of the next shorter timeframe. */
function rollUp(state: EngineState, instrument: Instrument, tf: number, startMs: number): void {
  const to = ensureCell(state, instrument, tf, startMs);
  clearContent(state.cells, to);
  const step = LENGTHS[tf - 1] as number;
  for (let ms = startMs; ms < startMs + (LENGTHS[tf] as number); ms += step) {
    const child = cellAt(state, instrument, tf - 1, ms);
    if (state.cells[child.at + CELL.start] === child.startMs) mergeCell(state.cells, to, state.cells, child.at);
  }
}
