/**
 * The engine's state as bytes: a version byte, then one MessagePack map. Float arrays are packed as a bit per value and the values
 * that are not zero, since most of a cell is. Trades of the tail are not in it: they are read again from the log.
 */
import { Packr } from 'msgpackr';
import { CELL_SIZE } from './cells.ts';
import { noCounts } from './changes.ts';
import { ProfileTable } from './profile-table.ts';
import { decodeBars, encodeBars } from './records.ts';
import {
  type Amendment,
  CLOSES,
  type EngineState,
  HOT_SIZE,
  type Instrument,
  PANE_SIZE,
  PANES,
  type PendingWindow,
} from './state.ts';
import type { Mark } from './tail.ts';

export const SNAPSHOT_VERSION = 2;

const packr = new Packr({ useRecords: false });

export function packFloats(values: Float64Array): Uint8Array {
  const masks = Math.ceil(values.length / 8);
  let count = 0;
  for (const value of values) if (value !== 0) count++;
  const bytes = new Uint8Array(4 + masks + count * 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, values.length, true);
  let at = 4 + masks;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value === 0) continue;
    bytes[4 + (i >>> 3)] = (bytes[4 + (i >>> 3)] as number) | (1 << (i & 7));
    view.setFloat64(at, value, true);
    at += 8;
  }
  return bytes;
}

export function unpackFloats(bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(view.getUint32(0, true));
  let at = 4 + Math.ceil(values.length / 8);
  for (let i = 0; i < values.length; i++) {
    if (((bytes[4 + (i >>> 3)] as number) & (1 << (i & 7))) === 0) continue;
    values[i] = view.getFloat64(at, true);
    at += 8;
  }
  return values;
}

interface InstrumentState {
  name: string;
  hot: Uint8Array;
  /** Offsets of the cells in use within the instrument's, and their contents one after the other. */
  cellOffsets: number[];
  cells: Uint8Array;
  panes: Uint8Array;
  closes: Uint8Array;
  missing: [number[], number[]];
  amendments: [string | number, Amendment][];
  profiles: [startMs: number, flags: number, late: number, rows: Uint8Array][];
  rebuild: number[];
  pending: [string, PendingWindow][];
  quote: Uint8Array | undefined;
  lostMs: number;
  dirty: boolean;
  urgent: boolean;
  ends: number;
  nextMs: number;
  statsDirty: boolean;
}

interface Snapshot {
  options: [latenessMs: number, graceMs: number];
  venues: string[];
  watermarks: number[];
  instruments: InstrumentState[];
  counts: [string, number][];
  settled: [final: number, revised: number];
  late: number[];
  duplicates: number[];
  marks: [number, Mark][];
  departed: [number, number][];
  departedTrimmed: boolean;
  spilled: Uint8Array;
  refused: EngineState['refused'];
  lastArrivals: [number, number][];
  tailFrom: number | undefined;
}

export function snapshotState(state: EngineState): Uint8Array {
  const content: Snapshot = {
    options: [state.options.latenessMs, state.options.graceMs],
    venues: state.venues,
    watermarks: [...state.watermarks.subarray(0, state.venues.length)],
    instruments: state.instruments.map((instrument) => saveInstrument(state, instrument)),
    counts: Object.entries(state.counts),
    settled: [state.settled.final, state.settled.revised],
    late: state.late,
    duplicates: state.duplicates,
    marks: [...state.tail.marks],
    departed: [...state.departed],
    departedTrimmed: state.departedTrimmed,
    spilled: encodeBars(state.spilled),
    refused: state.refused,
    lastArrivals: [...state.lastArrivals],
    tailFrom: state.tail.fromOffset,
  };
  const body = packr.pack(content);
  const bytes = new Uint8Array(body.length + 1);
  bytes[0] = SNAPSHOT_VERSION;
  bytes.set(body, 1);
  return bytes;
}

function saveInstrument(state: EngineState, instrument: Instrument): InstrumentState {
  const { index } = instrument;
  const from = index * state.cellsPerInstrument;
  const cellOffsets: number[] = [];
  for (let at = 0; at < state.cellsPerInstrument; at += CELL_SIZE)
    if (state.cells[from + at] !== -1) cellOffsets.push(at);
  const cells = new Float64Array(cellOffsets.length * CELL_SIZE);
  cellOffsets.forEach((at, i) => cells.set(state.cells.subarray(from + at, from + at + CELL_SIZE), i * CELL_SIZE));
  return {
    name: instrument.name,
    hot: packFloats(slice(state.hot, index, HOT_SIZE)),
    cellOffsets,
    cells: packFloats(cells),
    panes: packFloats(slice(state.panes, index, PANES * PANE_SIZE)),
    closes: packFloats(slice(state.closes, index, CLOSES * 2)),
    missing: [instrument.missing.from, instrument.missing.to],
    amendments: [...instrument.amendments],
    profiles: [...instrument.profiles.values()].map((p) => [p.startMs, p.flags, p.late, packFloats(p.compact())]),
    rebuild: [...instrument.rebuild],
    pending: [...instrument.pending],
    quote: instrument.quote === undefined ? undefined : packFloats(instrument.quote),
    lostMs: instrument.lostMs,
    dirty: instrument.dirty,
    urgent: instrument.urgent,
    ends: instrument.ends,
    nextMs: instrument.nextMs,
    statsDirty: instrument.statsDirty,
  };
}

function slice(array: Float64Array, index: number, size: number): Float64Array {
  return array.subarray(index * size, (index + 1) * size);
}

/** Fills an empty state; returns the offset from which the tail must be read. Throws RangeError on bytes it cannot take. */
export function restoreState(state: EngineState, bytes: Uint8Array): number | undefined {
  if (bytes[0] !== SNAPSHOT_VERSION) {
    throw new RangeError(`Window state of version ${bytes[0] ?? 'none'}; this build reads version ${SNAPSHOT_VERSION}`);
  }
  const content = packr.unpack(bytes.subarray(1)) as Snapshot;
  const [latenessMs, graceMs] = content.options;
  if (latenessMs !== state.options.latenessMs || graceMs !== state.options.graceMs) {
    throw new RangeError(
      `Window state was kept with a lateness of ${latenessMs} ms and a grace of ${graceMs} ms; start with those`,
    );
  }
  for (const venue of content.venues) state.venue(venue);
  state.watermarks.set(content.watermarks);
  for (const saved of content.instruments) loadInstrument(state, saved);
  content.late.forEach((n, venue) => (state.late[venue] = n));
  content.duplicates.forEach((n, venue) => (state.duplicates[venue] = n));
  [state.settled.final, state.settled.revised] = content.settled;
  Object.assign(state.counts, noCounts(), Object.fromEntries(content.counts));
  for (const [position, mark] of content.marks) state.tail.marks.set(position, mark);
  for (const [key, late] of content.departed) state.departed.set(key, late);
  state.departedTrimmed = content.departedTrimmed;
  state.spilled = decodeBars(content.spilled) ?? [];
  state.refused = content.refused;
  for (const [range, arrival] of content.lastArrivals) state.lastArrivals.set(range, arrival);
  return content.tailFrom ?? undefined;
}

function loadInstrument(state: EngineState, saved: InstrumentState): void {
  const instrument = state.instrument(saved.name);
  const { index } = instrument;
  state.hot.set(unpackFloats(saved.hot), index * HOT_SIZE);
  const cells = unpackFloats(saved.cells);
  saved.cellOffsets.forEach((at, i) => {
    state.cells.set(cells.subarray(i * CELL_SIZE, (i + 1) * CELL_SIZE), index * state.cellsPerInstrument + at);
  });
  state.panes.set(unpackFloats(saved.panes), index * PANES * PANE_SIZE);
  state.closes.set(unpackFloats(saved.closes), index * CLOSES * 2);
  saved.missing[0].forEach((from, i) => instrument.missing.add(from, saved.missing[1][i] as number));
  for (const [key, amendment] of saved.amendments) {
    instrument.amendments.set(key, amendment);
    state.amendments++;
  }
  for (const [startMs, flags, late, rows] of saved.profiles) {
    const profile = new ProfileTable(startMs);
    profile.flags = flags;
    profile.late = late;
    profile.load(unpackFloats(rows));
    instrument.profiles.set(startMs, profile);
  }
  for (const ms of saved.rebuild) instrument.rebuild.add(ms);
  for (const [key, pending] of saved.pending) instrument.pending.set(key, pending);
  instrument.quote = saved.quote == null ? undefined : unpackFloats(saved.quote);
  instrument.lostMs = saved.lostMs;
  instrument.dirty = saved.dirty;
  instrument.urgent = saved.urgent;
  instrument.ends = saved.ends;
  instrument.nextMs = saved.nextMs;
  instrument.statsDirty = saved.statsDirty;
}
