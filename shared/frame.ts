/**
 * Log frames: many ticks in one log record (SPEC TK-2..TK-6). All integers are little-endian.
 *
 *   offset  bytes
 *   0       1   magic 0xE7
 *   1       1   layout version, 1
 *   2       1   kind: 1 trades, 2 quotes
 *   3       1   0
 *   4       4   CRC-32 of every byte from 8 to the end
 *   8       4   ticks n
 *   12      4   columns c
 *   16          table of instruments, then (trades) table of strings: u16 count, then per entry u16 bytes + UTF-8
 *   …           c columns in the order of TRADE_FIELDS / QUOTE_FIELDS, each:
 *                 u8  width w: 0, 1, 2 or 4 = every value is base + an unsigned w-byte integer; 8 = raw float64
 *                 f64 base
 *                 n × w bytes
 *
 * A column whose values are all equal costs nine bytes; receive times, decimals and sides mostly do.
 */
import { crc32 } from './crc32.ts';
import { LIMITS } from './limits.ts';
import { utf8Decode, utf8Encode } from './text.ts';
import { quoteColumns, StringTable, tradeColumns, type QuoteColumns, type TradeColumns } from './ticks.ts';

export const FRAME_MAGIC = 0xe7;
export const FRAME_VERSION = 1;
export const FRAME_KIND = { trades: 1, quotes: 2 } as const;
const HEADER_BYTES = 16;

export const TRADE_FIELDS = [
  'instrument',
  'action',
  'side',
  'eventMs',
  'eventSubNs',
  'recvMs',
  'recvSubNs',
  'price',
  'priceDecimals',
  'pricePrinted',
  'size',
  'sizeDecimals',
  'sizePrinted',
  'tradeId',
  'conditions',
  'arrival',
] as const;
export const QUOTE_FIELDS = [
  'instrument',
  'eventMs',
  'eventSubNs',
  'recvMs',
  'recvSubNs',
  'bidPrice',
  'bidPriceDecimals',
  'bidPricePrinted',
  'bidSize',
  'bidSizeDecimals',
  'bidSizePrinted',
  'askPrice',
  'askPriceDecimals',
  'askPricePrinted',
  'askSize',
  'askSizeDecimals',
  'askSizePrinted',
  'arrival',
] as const;

type Column = Float64Array | Uint16Array | Uint8Array;

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

export function encodeTrades(trades: TradeColumns, rows?: Uint32Array): Uint8Array {
  return encode(
    FRAME_KIND.trades,
    [trades.instruments, trades.strings],
    TRADE_FIELDS.map((f) => trades[f]),
    trades.length,
    rows,
  );
}

export function encodeQuotes(quotes: QuoteColumns, rows?: Uint32Array): Uint8Array {
  return encode(
    FRAME_KIND.quotes,
    [quotes.instruments],
    QUOTE_FIELDS.map((f) => quotes[f]),
    quotes.length,
    rows,
  );
}

/** @param rows the ticks to take, in order; all of them when left out. */
function encode(
  kind: number,
  tables: StringTable[],
  columns: Column[],
  length: number,
  rows?: Uint32Array,
): Uint8Array {
  const n = rows?.length ?? length;
  const encodedTables = tables.map((table) => table.values.map(utf8Encode));
  let tableBytes = 0;
  for (const table of encodedTables) {
    tableBytes += 2;
    for (const value of table) tableBytes += 2 + value.length;
  }
  const bytes = new Uint8Array(HEADER_BYTES + tableBytes + columns.length * (9 + n * 8));
  const view = new DataView(bytes.buffer);
  let at = HEADER_BYTES;
  for (const table of encodedTables) {
    view.setUint16(at, table.length, true);
    at += 2;
    for (const value of table) {
      view.setUint16(at, value.length, true);
      bytes.set(value, at + 2);
      at += 2 + value.length;
    }
  }
  for (const column of columns) at = writeColumn(view, bytes, at, column, n, rows);
  view.setUint8(0, FRAME_MAGIC);
  view.setUint8(1, FRAME_VERSION);
  view.setUint8(2, kind);
  view.setUint32(8, n, true);
  view.setUint32(12, columns.length, true);
  view.setUint32(4, crc32(bytes, 8, at), true);
  return bytes.slice(0, at);
}

function writeColumn(
  view: DataView,
  bytes: Uint8Array,
  start: number,
  column: Column,
  n: number,
  rows?: Uint32Array,
): number {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let integral = true;
  for (let i = 0; i < n; i++) {
    const value = column[rows === undefined ? i : (rows[i] as number)] as number;
    if (value < low) low = value;
    if (value > high) high = value;
    if (value !== value) integral = false;
  }
  const range = high - low;
  const width =
    !integral || range > 0xffffffff ? 8 : range === 0 || n === 0 ? 0 : range <= 0xff ? 1 : range <= 0xffff ? 2 : 4;
  const base = width === 8 || n === 0 ? 0 : low;
  view.setUint8(start, width);
  view.setFloat64(start + 1, base, true);
  let at = start + 9;
  if (width === 0) return at;
  for (let i = 0; i < n; i++, at += width) {
    const value = column[rows === undefined ? i : (rows[i] as number)] as number;
    if (width === 1) bytes[at] = value - base;
    else if (width === 2) view.setUint16(at, value - base, true);
    else if (width === 4) view.setUint32(at, value - base, true);
    else view.setFloat64(at, value, true);
  }
  return at;
}

/** Never throws: hostile bytes give a fault. */
export function decodeFrame(bytes: Uint8Array): DecodedFrame {
  if (bytes.length > LIMITS.frameBytes) return { ok: false, fault: 'too_large' };
  if (bytes.length < HEADER_BYTES) return { ok: false, fault: 'truncated' };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint8(0) !== FRAME_MAGIC) return { ok: false, fault: 'bad_magic' };
  if (view.getUint8(1) !== FRAME_VERSION) return { ok: false, fault: 'unknown_version' };
  const kind = view.getUint8(2);
  if (kind !== FRAME_KIND.trades && kind !== FRAME_KIND.quotes) return { ok: false, fault: 'unknown_kind' };
  if (view.getUint32(4, true) !== crc32(bytes, 8)) return { ok: false, fault: 'bad_checksum' };
  const n = view.getUint32(8, true);
  const fields: readonly string[] = kind === FRAME_KIND.trades ? TRADE_FIELDS : QUOTE_FIELDS;
  if (view.getUint32(12, true) !== fields.length || n > LIMITS.frameTicks * 100)
    return { ok: false, fault: 'bad_layout' };
  const reader = new FrameReader(bytes, view, HEADER_BYTES);
  const instruments = reader.table();
  const strings = kind === FRAME_KIND.trades ? reader.table() : [];
  if (instruments === undefined || strings === undefined) return { ok: false, fault: 'bad_layout' };
  const target = kind === FRAME_KIND.trades ? tradeColumns(n) : quoteColumns(n);
  for (const field of fields) {
    const column = target[field as keyof typeof target] as unknown as Column;
    if (!reader.column(column, n)) return { ok: false, fault: 'bad_layout' };
  }
  if (!indicesFit(target.instrument, n, instruments.length)) return { ok: false, fault: 'bad_layout' };
  if (kind === FRAME_KIND.trades) {
    const trades = target as TradeColumns;
    if (!indicesFit(trades.conditions, n, strings.length) || !idsFit(trades.tradeId, n, strings.length))
      return { ok: false, fault: 'bad_layout' };
    return {
      ok: true,
      kind: 'trades',
      trades: { ...trades, length: n, instruments: new StringTable(instruments), strings: new StringTable(strings) },
    };
  }
  return {
    ok: true,
    kind: 'quotes',
    quotes: { ...(target as QuoteColumns), length: n, instruments: new StringTable(instruments) },
  };
}

function indicesFit(column: Uint16Array, n: number, limit: number): boolean {
  for (let i = 0; i < n; i++) if ((column[i] as number) >= limit) return false;
  return true;
}

function idsFit(column: Float64Array, n: number, limit: number): boolean {
  for (let i = 0; i < n; i++) if (-(column[i] as number) > limit) return false;
  return true;
}

class FrameReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(bytes: Uint8Array, view: DataView, at: number) {
    this.#bytes = bytes;
    this.#view = view;
    this.#at = at;
  }

  table(): string[] | undefined {
    if (this.#at + 2 > this.#bytes.length) return undefined;
    const count = this.#view.getUint16(this.#at, true);
    this.#at += 2;
    const values: string[] = [];
    for (let i = 0; i < count; i++) {
      if (this.#at + 2 > this.#bytes.length) return undefined;
      const length = this.#view.getUint16(this.#at, true);
      const end = this.#at + 2 + length;
      if (end > this.#bytes.length) return undefined;
      try {
        values.push(utf8Decode(this.#bytes.subarray(this.#at + 2, end)));
      } catch {
        return undefined;
      }
      this.#at = end;
    }
    return values;
  }

  column(column: Column, n: number): boolean {
    if (this.#at + 9 > this.#bytes.length) return false;
    const width = this.#view.getUint8(this.#at);
    const base = this.#view.getFloat64(this.#at + 1, true);
    let at = this.#at + 9;
    if (![0, 1, 2, 4, 8].includes(width) || at + n * width > this.#bytes.length) return false;
    this.#at = at + n * width;
    if (width === 0) column.fill(base, 0, n);
    else if (width === 1) for (let i = 0; i < n; i++) column[i] = base + (this.#bytes[at++] as number);
    else if (width === 2) for (let i = 0; i < n; i++, at += 2) column[i] = base + this.#view.getUint16(at, true);
    else if (width === 4) for (let i = 0; i < n; i++, at += 4) column[i] = base + this.#view.getUint32(at, true);
    else for (let i = 0; i < n; i++, at += 8) column[i] = this.#view.getFloat64(at, true);
    return true;
  }
}
