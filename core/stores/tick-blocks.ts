/** Trades and quotes to and from the columns of sql/clickhouse. Pure. */
import { NO_TIME, NO_TRADE_ID, quoteColumns, StringTable, tradeColumns } from '#shared/ticks.ts';
import type { QuoteColumns, TradeColumns } from '#shared/ticks.ts';
import { int64At, splitNanos, type NativeBlock } from './native-reader.ts';
import { NativeWriter, putInt64, putNanos } from './native-writer.ts';

type NumberField<T> = { [K in keyof T]-?: T[K] extends Float64Array ? K : never }[keyof T];
type ByteField<T> = { [K in keyof T]-?: T[K] extends Uint8Array ? K : never }[keyof T];
interface Ticks {
  length: number;
  readonly instruments: StringTable;
  readonly instrument: Uint16Array;
}

/** trade_id of a trade whose id is no canonical integer: it stands in trade_id_text. */
const TEXT_TRADE_ID = -2;
const TIME_TYPE = "DateTime64(9, 'UTC')";
const ACTION_TYPE = "Enum8('trade' = 0, 'cancel' = 1, 'correction' = 2)";
const SIDE_TYPE = "Enum8('' = 0, 'buy' = 1, 'sell' = 2)";

export function rowCount(batches: readonly { length: number }[]): number {
  let rows = 0;
  for (const batch of batches) rows += batch.length;
  return rows;
}

/** @param batchId hash of the batch's token, two words */
export function tradeBlock(batches: readonly TradeColumns[], batchId: Uint32Array): NativeWriter {
  const block = new NativeWriter(rowCount(batches));
  instruments(block, batches);
  times(
    block,
    'event_time',
    batches,
    (b) => b.eventMs,
    (b) => b.eventSubNs,
  );
  times(
    block,
    'receive_time',
    batches,
    (b) => b.recvMs,
    (b) => b.recvSubNs,
  );
  int64s(block, 'arrival', batches, 'arrival', 'UInt64');
  bytes(block, 'action', batches, 'action', ACTION_TYPE);
  bytes(block, 'side', batches, 'side', SIDE_TYPE);
  int64s(block, 'price', batches, 'price');
  bytes(block, 'price_decimals', batches, 'priceDecimals');
  bytes(block, 'price_printed', batches, 'pricePrinted');
  int64s(block, 'size', batches, 'size');
  bytes(block, 'size_decimals', batches, 'sizeDecimals');
  bytes(block, 'size_printed', batches, 'sizePrinted');
  tradeIds(block, batches);
  conditions(block, batches);
  batch(block, batchId);
  return block;
}

/** Column names of quotes in the table and in QuoteColumns. */
const QUOTE_SIDES = [
  ['bid_price', 'bidPrice', 'bidPriceDecimals', 'bidPricePrinted'],
  ['bid_size', 'bidSize', 'bidSizeDecimals', 'bidSizePrinted'],
  ['ask_price', 'askPrice', 'askPriceDecimals', 'askPricePrinted'],
  ['ask_size', 'askSize', 'askSizeDecimals', 'askSizePrinted'],
] as const;

export function quoteBlock(batches: readonly QuoteColumns[], batchId: Uint32Array): NativeWriter {
  const block = new NativeWriter(rowCount(batches));
  instruments(block, batches);
  times(
    block,
    'event_time',
    batches,
    (b) => b.eventMs,
    (b) => b.eventSubNs,
  );
  times(
    block,
    'receive_time',
    batches,
    (b) => b.recvMs,
    (b) => b.recvSubNs,
  );
  int64s(block, 'arrival', batches, 'arrival', 'UInt64');
  for (const [name, mantissa, decimals, printed] of QUOTE_SIDES) {
    int64s(block, name, batches, mantissa);
    bytes(block, `${name}_decimals`, batches, decimals);
    bytes(block, `${name}_printed`, batches, printed);
  }
  batch(block, batchId);
  return block;
}

function int64s<T extends Ticks>(
  block: NativeWriter,
  name: string,
  batches: readonly T[],
  field: NumberField<T>,
  type = 'Int64',
): void {
  const words = new Int32Array(block.rows * 2);
  let at = 0;
  for (const ticks of batches) {
    const values = ticks[field] as Float64Array;
    for (let i = 0; i < ticks.length; i++, at += 2) putInt64(words, at, values[i] as number);
  }
  block.raw(name, type, words);
}

function bytes<T extends Ticks>(
  block: NativeWriter,
  name: string,
  batches: readonly T[],
  field: ByteField<T>,
  type = 'UInt8',
): void {
  const all = new Uint8Array(block.rows);
  let at = 0;
  for (const ticks of batches) {
    const values = ticks[field] as Uint8Array;
    all.set(values.length === ticks.length ? values : values.subarray(0, ticks.length), at);
    at += ticks.length;
  }
  block.raw(name, type, all);
}

/** Absent times become one nanosecond before 1970: 0 is a time. */
function times<T extends Ticks>(
  block: NativeWriter,
  name: string,
  batches: readonly T[],
  ms: (ticks: T) => Float64Array,
  subNs: (ticks: T) => Float64Array,
): void {
  const words = new Int32Array(block.rows * 2);
  let at = 0;
  for (const ticks of batches) {
    const whole = ms(ticks);
    const rest = subNs(ticks);
    for (let i = 0; i < ticks.length; i++, at += 2) {
      const value = whole[i] as number;
      if (value === NO_TIME) words[at] = words[at + 1] = -1;
      else putNanos(words, at, value, rest[i] as number);
    }
  }
  block.raw(name, TIME_TYPE, words);
}

/** Dictionaries of all batches together: each batch has its own. */
function instruments(block: NativeWriter, batches: readonly Ticks[]): void {
  const venues = new StringTable();
  const symbols = new StringTable();
  const venueOf = new Uint32Array(block.rows);
  const symbolOf = new Uint32Array(block.rows);
  let at = 0;
  for (const ticks of batches) {
    const ids = ticks.instruments.values;
    const venueMap = ids.map((id) => venues.intern(id.slice(0, id.indexOf(':'))));
    const symbolMap = ids.map((id) => symbols.intern(id.slice(id.indexOf(':') + 1)));
    for (let i = 0; i < ticks.length; i++, at++) {
      const instrument = ticks.instrument[i] as number;
      venueOf[at] = venueMap[instrument] as number;
      symbolOf[at] = symbolMap[instrument] as number;
    }
  }
  block.dictionary('venue', venues.values, venueOf);
  block.dictionary('symbol', symbols.values, symbolOf);
}

function conditions(block: NativeWriter, batches: readonly TradeColumns[]): void {
  const codes = new StringTable(['']);
  const codeOf = new Uint32Array(block.rows);
  let at = 0;
  for (const trades of batches) {
    const map = new Int32Array(trades.strings.values.length).fill(-1);
    for (let i = 0; i < trades.length; i++, at++) {
      const code = trades.conditions[i] as number;
      let index = map[code] as number;
      if (index < 0) index = map[code] = codes.intern(trades.strings.values[code] ?? '');
      codeOf[at] = index;
    }
  }
  block.dictionary('conditions', codes.values, codeOf);
}

function tradeIds(block: NativeWriter, batches: readonly TradeColumns[]): void {
  const words = new Int32Array(block.rows * 2);
  const texts: { row: number; text: string }[] = [];
  let row = 0;
  for (const trades of batches) {
    for (let i = 0; i < trades.length; i++, row++) {
      const id = trades.tradeId[i] as number;
      if (id < NO_TRADE_ID) texts.push({ row, text: trades.strings.values[-id - 1] ?? '' });
      putInt64(words, row * 2, id < NO_TRADE_ID ? TEXT_TRADE_ID : id);
    }
  }
  block.raw('trade_id', 'Int64', words);
  if (texts.length === 0) {
    block.raw('trade_id_text', 'String', new Uint8Array(block.rows));
    return;
  }
  const all: string[] = Array.from({ length: block.rows }, () => '');
  for (const { row, text } of texts) all[row] = text;
  block.strings('trade_id_text', all);
}

function batch(block: NativeWriter, id: Uint32Array): void {
  const words = new Uint32Array(block.rows * 2);
  for (let at = 0; at < words.length; at += 2) words.set(id, at);
  block.raw('batch', 'UInt64', words);
}

/** Columns that the readers select, in any order; times as they lie in the table. */
export const TRADE_SELECT =
  'venue, symbol, event_time, receive_time, arrival, action, side, price, price_decimals, price_printed, size, size_decimals, size_printed, trade_id, trade_id_text, conditions';
export const QUOTE_SELECT = `venue, symbol, event_time, receive_time, arrival, ${QUOTE_SIDES.map(([name]) => `${name}, ${name}_decimals, ${name}_printed`).join(', ')}`;

export function readTrades(block: NativeBlock): TradeColumns {
  const { rows } = block;
  const trades: TradeColumns = { ...tradeColumns(0), ...instrumentsOf(block), ...tradeNumbers(block), length: rows };
  const codes = block.dictionary('conditions');
  const codeMap = codes.keys.map((code) => trades.strings.intern(code));
  const codeOf = new Uint16Array(rows);
  for (let i = 0; i < rows; i++) codeOf[i] = codeMap[codes.indices[i] as number] as number;
  const ids = int64Column(block, 'trade_id');
  const texts = block.strings('trade_id_text');
  for (let i = 0; i < rows; i++) {
    if (ids[i] === TEXT_TRADE_ID) ids[i] = -(1 + trades.strings.intern(texts[i] as string));
  }
  return { ...trades, tradeId: ids, conditions: codeOf };
}

function tradeNumbers(block: NativeBlock) {
  const event = timeColumns(block, 'event_time');
  const recv = timeColumns(block, 'receive_time');
  return {
    action: byteColumn(block, 'action'),
    side: byteColumn(block, 'side'),
    eventMs: event.ms,
    eventSubNs: event.subNs,
    recvMs: recv.ms,
    recvSubNs: recv.subNs,
    arrival: int64Column(block, 'arrival'),
    price: int64Column(block, 'price'),
    priceDecimals: byteColumn(block, 'price_decimals'),
    pricePrinted: byteColumn(block, 'price_printed'),
    size: int64Column(block, 'size'),
    sizeDecimals: byteColumn(block, 'size_decimals'),
    sizePrinted: byteColumn(block, 'size_printed'),
  };
}

export function readQuotes(block: NativeBlock): QuoteColumns {
  const event = timeColumns(block, 'event_time');
  const recv = timeColumns(block, 'receive_time');
  const sides = QUOTE_SIDES.flatMap(([name, mantissa, decimals, printed]) => [
    [mantissa, int64Column(block, name)],
    [decimals, byteColumn(block, `${name}_decimals`)],
    [printed, byteColumn(block, `${name}_printed`)],
  ]);
  return {
    ...quoteColumns(0),
    ...instrumentsOf(block),
    ...(Object.fromEntries(sides) as Partial<QuoteColumns>),
    length: block.rows,
    eventMs: event.ms,
    eventSubNs: event.subNs,
    recvMs: recv.ms,
    recvSubNs: recv.subNs,
    arrival: int64Column(block, 'arrival'),
  };
}

function byteColumn(block: NativeBlock, name: string): Uint8Array {
  return block.numbers(name) as Uint8Array;
}

function int64Column(block: NativeBlock, name: string): Float64Array {
  const words = block.words(name);
  const values = new Float64Array(block.rows);
  for (let i = 0; i < values.length; i++) values[i] = int64At(words, i * 2);
  return values;
}

function timeColumns(block: NativeBlock, name: string): { ms: Float64Array; subNs: Float64Array } {
  const words = block.words(name);
  const ms = new Float64Array(block.rows);
  const subNs = new Float64Array(block.rows);
  const out = { ms: 0, subNs: 0 };
  for (let i = 0; i < ms.length; i++) {
    if ((words[i * 2 + 1] as number) < 0) {
      ms[i] = NO_TIME;
      continue;
    }
    splitNanos(words, i * 2, out);
    ms[i] = out.ms;
    subNs[i] = out.subNs;
  }
  return { ms, subNs };
}

function instrumentsOf(block: NativeBlock): { instruments: StringTable; instrument: Uint16Array } {
  const venues = block.dictionary('venue');
  const symbols = block.dictionary('symbol');
  const table = new StringTable();
  const known = new Map<number, number>();
  const instrument = new Uint16Array(block.rows);
  for (let i = 0; i < block.rows; i++) {
    const venue = venues.indices[i] as number;
    const symbol = symbols.indices[i] as number;
    const pair = venue * 4_294_967_296 + symbol;
    let index = known.get(pair);
    if (index === undefined) {
      index = table.intern(`${venues.keys[venue]}:${symbols.keys[symbol]}`);
      known.set(pair, index);
    }
    instrument[i] = index;
  }
  return { instruments: table, instrument };
}
