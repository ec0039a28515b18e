/**
 * Log frames: many ticks in one log record (SPEC TK-2..TK-6). All integers and floats are little-endian.
 *
 *   offset  bytes
 *   0       1   magic 0xE7
 *   1       1   layout version, 1
 *   2       1   kind: 1 trades, 2 quotes
 *   3       1   0
 *   4       4   CRC-32 of every byte from 8 to the end
 *   8       4   ticks n, at most LIMITS.frameTicks
 *   12      4   columns c
 *   16          table of instruments, then (trades) table of strings: u16 count, then per entry u16 bytes + UTF-8; zeros up to a
 *               multiple of 8
 *   …           c widths of one byte, zeros up to a multiple of 8
 *   …           c bases, f64
 *   …           c columns in the order of TRADE_FIELDS / QUOTE_FIELDS, each n × width bytes and zeros up to a multiple of 8
 *
 * Width 0, 1, 2 or 4: every value is base + an unsigned integer of so many bytes; 8: the value itself as a float64. A column whose
 * values are all equal costs nine bytes; receive times, decimals and sides mostly do. Columns begin at multiples of 8, so that both
 * sides work through typed arrays: that is why this module needs a little-endian host, as every one that it runs on is.
 *
 * Values are integers or NaN; a zero comes back as +0.
 */
import { crc32 } from './crc32.ts';
import { type Column, readColumns, roundUp8, TableReader } from './frame-columns.ts';
import { LIMITS } from './limits.ts';
import { utf8Encode } from './text.ts';
import { StringTable, type QuoteColumns, type TradeColumns } from './ticks.ts';

export const FRAME_MAGIC = 0xe7;
export const FRAME_VERSION = 1;
export const FRAME_KIND = { trades: 1, quotes: 2 } as const;
const HEADER_BYTES = 16;

/** Names of the columns and bytes of their elements: 8 Float64Array, 2 Uint16Array, 1 Uint8Array. */
const TRADE_LAYOUT = [
  ['instrument', 2],
  ['action', 1],
  ['side', 1],
  ['eventMs', 8],
  ['eventSubNs', 8],
  ['recvMs', 8],
  ['recvSubNs', 8],
  ['price', 8],
  ['priceDecimals', 1],
  ['pricePrinted', 1],
  ['size', 8],
  ['sizeDecimals', 1],
  ['sizePrinted', 1],
  ['tradeId', 8],
  ['conditions', 2],
  ['arrival', 8],
] as const;
const QUOTE_LAYOUT = [
  ['instrument', 2],
  ['eventMs', 8],
  ['eventSubNs', 8],
  ['recvMs', 8],
  ['recvSubNs', 8],
  ['bidPrice', 8],
  ['bidPriceDecimals', 1],
  ['bidPricePrinted', 1],
  ['bidSize', 8],
  ['bidSizeDecimals', 1],
  ['bidSizePrinted', 1],
  ['askPrice', 8],
  ['askPriceDecimals', 1],
  ['askPricePrinted', 1],
  ['askSize', 8],
  ['askSizeDecimals', 1],
  ['askSizePrinted', 1],
  ['arrival', 8],
] as const;
export const TRADE_FIELDS = TRADE_LAYOUT.map(([name]) => name);
export const QUOTE_FIELDS = QUOTE_LAYOUT.map(([name]) => name);

export type FrameFault =
  | 'truncated'
  | 'bad_magic'
  | 'unknown_version'
  | 'unknown_kind'
  | 'bad_checksum'
  | 'bad_layout'
  | 'too_large';
export type DecodedFrame =
  | { ok: true; kind: 'trades'; trades: TradeColumns }
  | { ok: true; kind: 'quotes'; quotes: QuoteColumns }
  | { ok: false; fault: FrameFault };

/** Where frames are put together, kept between calls; a frame is copied out of it. */
class Scratch {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  readonly view: DataView;

  constructor(bytes: number) {
    const buffer = new ArrayBuffer(roundUp8(bytes));
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.view = new DataView(buffer);
  }
}

let scratch = new Scratch(131_072);

/**
 * Frame of these trades; of those at `rows`, in that order, where `rows` is given. At most LIMITS.frameTicks: a larger frame would
 * be refused by every reader, so it throws a RangeError.
 */
export function encodeTrades(trades: TradeColumns, rows?: Uint32Array): Uint8Array {
  const columns = TRADE_FIELDS.map((name) => trades[name]);
  return encode(FRAME_KIND.trades, [trades.instruments, trades.strings], columns, trades.length, rows);
}

/** As encodeTrades. */
export function encodeQuotes(quotes: QuoteColumns, rows?: Uint32Array): Uint8Array {
  const columns = QUOTE_FIELDS.map((name) => quotes[name]);
  return encode(FRAME_KIND.quotes, [quotes.instruments], columns, quotes.length, rows);
}

function encode(
  kind: number,
  tables: readonly StringTable[],
  all: readonly Column[],
  length: number,
  rows?: Uint32Array,
): Uint8Array {
  const n = rows?.length ?? length;
  if (n > LIMITS.frameTicks) throw new RangeError(`A frame holds at most ${LIMITS.frameTicks} ticks, not ${n}`);
  const columns = rows === undefined ? all : all.map((column) => gather(column, rows));
  const texts = tables.map((table) => table.values.map(utf8Encode));
  let bound = HEADER_BYTES + 32 + columns.length * (9 + 8 + n * 8);
  for (const table of texts) {
    bound += 2;
    for (const text of table) bound += 2 + text.length;
  }
  if (bound > scratch.u8.length) scratch = new Scratch(bound * 2);
  const { u8, view } = scratch;
  const tablesEnd = writeTables(view, u8, texts);
  const widthsAt = roundUp8(tablesEnd);
  const basesAt = roundUp8(widthsAt + columns.length);
  u8.fill(0, tablesEnd, basesAt);
  let at = basesAt + columns.length * 8;
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i] as Column;
    const width =
      column instanceof Float64Array
        ? writeFloats(column, n, at, basesAt / 8 + i)
        : writeIntegers(column, n, at, basesAt / 8 + i);
    u8[widthsAt + i] = width;
    const end = at + n * width;
    at = roundUp8(end);
    u8.fill(0, end, at);
  }
  u8[0] = FRAME_MAGIC;
  u8[1] = FRAME_VERSION;
  u8[2] = kind;
  u8[3] = 0;
  view.setUint32(8, n, true);
  view.setUint32(12, columns.length, true);
  view.setUint32(4, crc32(u8, 8, at), true);
  return u8.slice(0, at);
}

function gather(column: Column, rows: Uint32Array): Column {
  const picked = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) picked[i] = column[rows[i] as number] as number;
  if (column instanceof Float64Array) return picked;
  return column instanceof Uint16Array ? Uint16Array.from(picked) : Uint8Array.from(picked);
}

function writeTables(view: DataView, bytes: Uint8Array, tables: readonly (readonly Uint8Array[])[]): number {
  let at = HEADER_BYTES;
  for (const table of tables) {
    if (table.length > 0xffff) throw new RangeError('A frame holds at most 65,535 strings');
    view.setUint16(at, table.length, true);
    at += 2;
    for (const text of table) {
      view.setUint16(at, text.length, true);
      bytes.set(text, at + 2);
      at += 2 + text.length;
    }
  }
  return at;
}

/** Writes the column at byte `at` and its base at float `baseAt`; gives its width. */
function writeFloats(column: Float64Array, n: number, at: number, baseAt: number): number {
  const { u8, u16, u32, f64 } = scratch;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let integral = true;
  for (let i = 0; i < n; i++) {
    const value = column[i] as number;
    if (value < low) low = value;
    if (value > high) high = value;
    if (Math.floor(value) !== value) {
      integral = false;
      break;
    }
  }
  const range = high - low;
  if (n > 0 && !(integral && range <= 0xffffffff)) {
    f64[baseAt] = 0;
    f64.set(column.length === n ? column : column.subarray(0, n), at >> 3);
    return 8;
  }
  f64[baseAt] = n === 0 ? 0 : low;
  if (n === 0 || range === 0) return 0;
  if (range <= 0xff) {
    for (let i = 0; i < n; i++) u8[at + i] = (column[i] as number) - low;
    return 1;
  }
  if (range <= 0xffff) {
    for (let i = 0, to = at >> 1; i < n; i++) u16[to + i] = (column[i] as number) - low;
    return 2;
  }
  for (let i = 0, to = at >> 2; i < n; i++) u32[to + i] = (column[i] as number) - low;
  return 4;
}

/** The same for columns of bytes and 16-bit integers, which are copied as they are unless all values are equal. */
function writeIntegers(column: Uint16Array | Uint8Array, n: number, at: number, baseAt: number): number {
  const { u8, u16, f64 } = scratch;
  const first = n === 0 ? 0 : (column[0] as number);
  let same = 0;
  if (column instanceof Uint8Array) while (same < n && column[same] === first) same++;
  else while (same < n && column[same] === first) same++;
  f64[baseAt] = same === n ? first : 0;
  if (same === n) return 0;
  if (column instanceof Uint8Array) {
    u8.set(column.length === n ? column : column.subarray(0, n), at);
    return 1;
  }
  u16.set(column.length === n ? column : column.subarray(0, n), at >> 1);
  return 2;
}

function fault(reason: FrameFault): DecodedFrame {
  return { ok: false, fault: reason };
}

/** Never throws: hostile bytes give a fault. What it gives shares no memory with `bytes`. */
export function decodeFrame(bytes: Uint8Array): DecodedFrame {
  if (bytes.length > LIMITS.frameBytes) return fault('too_large');
  if (bytes.length < HEADER_BYTES) return fault('truncated');
  if (bytes[0] !== FRAME_MAGIC) return fault('bad_magic');
  if (bytes[1] !== FRAME_VERSION) return fault('unknown_version');
  const kind = bytes[2];
  if (kind !== FRAME_KIND.trades && kind !== FRAME_KIND.quotes) return fault('unknown_kind');
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const view = new DataView(aligned.buffer, aligned.byteOffset, aligned.byteLength);
  if (view.getUint32(4, true) !== crc32(aligned, 8)) return fault('bad_checksum');
  const n = view.getUint32(8, true);
  const layout = kind === FRAME_KIND.trades ? TRADE_LAYOUT : QUOTE_LAYOUT;
  if (view.getUint32(12, true) !== layout.length || n > LIMITS.frameTicks || aligned.length % 8 !== 0)
    return fault('bad_layout');
  const tables = new TableReader(aligned, view, HEADER_BYTES);
  const instruments = tables.next();
  const strings = kind === FRAME_KIND.trades ? tables.next() : [];
  if (instruments === undefined || strings === undefined) return fault('bad_layout');
  const columns = readColumns(aligned, roundUp8(tables.at), layout, n);
  if (columns === undefined || !allBelow(columns['instrument'] as Uint16Array, instruments.length))
    return fault('bad_layout');
  if (kind === FRAME_KIND.quotes) {
    const quotes = columns as unknown as QuoteColumns;
    return { ok: true, kind: 'quotes', quotes: { ...quotes, length: n, instruments: new StringTable(instruments) } };
  }
  const trades = columns as unknown as TradeColumns;
  if (!allBelow(trades.conditions, strings.length) || !idsFit(trades.tradeId, strings.length))
    return fault('bad_layout');
  return {
    ok: true,
    kind: 'trades',
    trades: { ...trades, length: n, instruments: new StringTable(instruments), strings: new StringTable(strings) },
  };
}

function allBelow(column: Uint16Array, limit: number): boolean {
  for (let i = 0; i < column.length; i++) if ((column[i] as number) >= limit) return false;
  return true;
}

/** A negative id names a string; no id is 0 - 1. */
function idsFit(column: Float64Array, limit: number): boolean {
  for (let i = 0; i < column.length; i++) {
    const id = column[i] as number;
    if (id < 0 ? -id > limit && id !== -1 : id !== id) return false;
  }
  return true;
}
