/** Whether a trade's id is new (SPEC WN-10): what the hot path cannot decide at a glance. */
import { findTrade, prunePositions, tradeKey } from './amend.ts';
import { type EngineState, HOT, HOT_SIZE, type Instrument } from './state.ts';
import { positionOf, type TailBatch } from './tail.ts';

/** Ranges of missing ids that are kept for an instrument; ids below those are looked up in the tail. */
const MAX_MISSING = 4_096;

/** Marks a row as one that counts nowhere. */
export function ignoreRow(state: EngineState, batch: TailBatch, row: number): void {
  state.tail.marks.set(positionOf(batch.offset, row), { kind: 'ignored' });
}

function duplicate(state: EngineState, instrument: Instrument, batch: TailBatch, row: number): false {
  state.counts.duplicate++;
  state.duplicates[instrument.venue] = (state.duplicates[instrument.venue] as number) + 1;
  ignoreRow(state, batch, row);
  return false;
}

/** Takes in an integer id; false (and the row marked) when its trade was counted before. */
export function isNewId(state: EngineState, instrument: Instrument, batch: TailBatch, row: number): boolean {
  const { hot } = state;
  const { missing } = instrument;
  const b = instrument.index * HOT_SIZE;
  const id = batch.trades.tradeId[row] as number;
  const ms = batch.trades.eventMs[row] as number;
  const high = hot[b + HOT.highId] as number;
  const isKnown = (): boolean => findTrade(state, instrument, id, positionOf(batch.offset, row)) !== undefined;
  if (high < 0) {
    hot[b + HOT.highId] = id;
    if (id > 0) missing.add(0, id - 1);
    return true;
  }
  // Of the ids before the venue began anew.
  if (ms < (hot[b + HOT.runMs] as number)) return isKnown() ? duplicate(state, instrument, batch, row) : true;
  if (id > high) {
    if (id > high + 1) missing.add(high + 1, id - 1);
    if (missing.from.length > MAX_MISSING) hot[b + HOT.floorId] = missing.forgetHalf();
    hot[b + HOT.highId] = id;
    return true;
  }
  const aboveFloor = id >= (hot[b + HOT.floorId] as number);
  if (aboveFloor && missing.take(id)) return true;
  const isNewest = ms > (hot[b + HOT.newestMs] as number);
  if ((aboveFloor && !isNewest) || isKnown()) return duplicate(state, instrument, batch, row);
  if (!isNewest) return true;
  // An id from before on a trade newer than all: the venue begins its ids anew.
  missing.clear();
  if (id > 0) missing.add(0, id - 1);
  hot[b + HOT.highId] = id;
  hot[b + HOT.floorId] = 0;
  hot[b + HOT.runMs] = ms;
  return true;
}

/** As isNewId, for ids that are text. */
export function isNewText(state: EngineState, instrument: Instrument, batch: TailBatch, row: number): boolean {
  const key = tradeKey(batch.trades, row) as string;
  const position = positionOf(batch.offset, row);
  if (findTrade(state, instrument, key, position) !== undefined) return duplicate(state, instrument, batch, row);
  instrument.positions.set(key, position);
  prunePositions(state, instrument);
  return true;
}
