/** The columns of tape rows: from the bytes of their fields into the columns of a block. Pure. */
import { decimalSink, type DecimalSink } from '#shared/decimal.ts';
import { LIMITS } from '#shared/limits.ts';
import { utf8Decode, utf8Encode } from '#shared/text.ts';
import {
  ACTION,
  encodeTradeId,
  NO_TIME,
  NO_TRADE_ID,
  SIDE,
  type QuoteColumns,
  type TradeColumns,
} from '#shared/ticks.ts';
import { instrumentId, isSymbol, isVenue } from '#shared/topics.ts';
import { ByteNames } from './byte-names.ts';
import { parseDecimalBytes, parseIdBytes, parseNanosBytes } from './byte-parse.ts';
import { ROW_KIND, type RowBlock } from './row-block.ts';
import type { QuoteLayout, TradeLayout } from './tape-schema.ts';

const MISSING = 'missing_column_value';

/** Where the fields of one row are: field k is `bytes[from[k]..to[k])`. */
export interface Fields {
  bytes: Uint8Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
}

export interface RowReader {
  /** Writes the row behind the last one of its columns, without keeping it; a reason when it is refused. */
  read(fields: Fields, block: RowBlock): string | undefined;
  /** Keeps what `read` wrote. */
  keep(block: RowBlock, from: number, to: number): void;
}

function readInstrument(venue: string, symbol: string): { text: string } | { fault: string } {
  if (venue === '' || symbol === '') return { fault: MISSING };
  if (!isVenue(venue)) return { fault: 'bad_venue' };
  return isSymbol(symbol) ? { text: instrumentId(venue, symbol) } : { fault: 'bad_symbol' };
}

function readText(text: string): { text: string } | { fault: string } {
  return text.length > LIMITS.nameChars ? { fault: 'too_long' } : { text };
}

/** A reading place of both kinds of rows: times, decimals, instruments. */
class RowFields {
  protected readonly time = { ms: 0, subNs: 0 };
  protected readonly instruments = new ByteNames(readInstrument);
  /** Index of the instrument in the block, set by `readInstrumentIndex`. */
  protected instrumentIndex = 0;
  protected eventMs = 0;
  protected eventSubNs = 0;
  protected recvMs = 0;
  protected recvSubNs = 0;

  protected readTimes(fields: Fields, event: number, recv: number): string | undefined {
    this.eventMs = NO_TIME;
    this.eventSubNs = 0;
    this.recvMs = NO_TIME;
    this.recvSubNs = 0;
    if (event >= 0) {
      const fault = parseNanosBytes(fields.bytes, fields.from[event] as number, fields.to[event] as number, this.time);
      if (fault === undefined) {
        this.eventMs = this.time.ms;
        this.eventSubNs = this.time.subNs;
      } else if (fault !== 'empty') return fault;
    }
    if (recv >= 0) {
      const fault = parseNanosBytes(fields.bytes, fields.from[recv] as number, fields.to[recv] as number, this.time);
      if (fault === undefined) {
        this.recvMs = this.time.ms;
        this.recvSubNs = this.time.subNs;
      } else if (fault !== 'empty') return fault;
    }
    return undefined;
  }

  protected readInstrumentIndex(
    fields: Fields,
    venue: number,
    symbol: number,
    columns: TradeColumns | QuoteColumns,
    blockNumber: number,
  ): string | undefined {
    const entry = this.instruments.find(
      fields.bytes,
      fields.from[venue] as number,
      fields.to[venue] as number,
      fields.from[symbol] as number,
      fields.to[symbol] as number,
    );
    if (entry.fault !== undefined) return entry.fault;
    if (entry.block !== blockNumber) {
      entry.index = columns.instruments.intern(entry.text);
      entry.block = blockNumber;
    }
    this.instrumentIndex = entry.index;
    return undefined;
  }
}

export class TradeRows extends RowFields implements RowReader {
  readonly #layout: TradeLayout;
  readonly #price = decimalSink();
  readonly #size = decimalSink();
  readonly #texts = new ByteNames(readText);

  constructor(layout: TradeLayout) {
    super();
    this.#layout = layout;
  }

  read(fields: Fields, block: RowBlock): string | undefined {
    const layout = this.#layout;
    const trades = block.trades;
    const i = trades.length;
    const action = layout.action < 0 ? ACTION.trade : actionOf(fields, layout.action);
    if (action < 0) return 'bad_action';
    const timeFault = this.readTimes(fields, layout.ts_event_ns, layout.ts_recv_ns);
    if (timeFault !== undefined) return timeFault;
    if (this.eventMs === NO_TIME) return MISSING;
    const nameFault = this.readInstrumentIndex(fields, layout.venue, layout.symbol, trades, block.number);
    if (nameFault !== undefined) return nameFault;
    const mayLack = action === ACTION.cancel;
    const priceFault = positive(fields, layout.price, this.#price, mayLack);
    if (priceFault !== undefined) return priceFault;
    const sizeFault = positive(fields, layout.size, this.#size, mayLack);
    if (sizeFault !== undefined) return sizeFault;
    const side = layout.side < 0 ? SIDE.unknown : sideOf(fields, layout.side);
    if (side < 0) return 'bad_side';
    const conditions = layout.conditions < 0 ? 0 : this.#text(fields, layout.conditions, block);
    if (typeof conditions === 'string') return conditions;
    const id = layout.trade_id < 0 ? NO_TRADE_ID : this.#tradeId(fields, layout.trade_id, block);
    if (typeof id === 'string') return id;
    if (action !== ACTION.trade && id === NO_TRADE_ID) return MISSING;
    trades.instrument[i] = this.instrumentIndex;
    trades.action[i] = action;
    trades.side[i] = side;
    trades.eventMs[i] = this.eventMs;
    trades.eventSubNs[i] = this.eventSubNs;
    trades.recvMs[i] = this.recvMs;
    trades.recvSubNs[i] = this.recvSubNs;
    trades.price[i] = this.#price.mantissa;
    trades.priceDecimals[i] = this.#price.decimals;
    trades.pricePrinted[i] = this.#price.printed;
    trades.size[i] = this.#size.mantissa;
    trades.sizeDecimals[i] = this.#size.decimals;
    trades.sizePrinted[i] = this.#size.printed;
    trades.tradeId[i] = id;
    trades.conditions[i] = conditions;
    return undefined;
  }

  keep(block: RowBlock, from: number, to: number): void {
    block.trades.length++;
    if (this.recvMs === NO_TIME) block.commit(ROW_KIND.trade, this.eventMs, this.eventSubNs, from, to);
    else block.commit(ROW_KIND.trade, this.recvMs, this.recvSubNs, from, to);
  }

  #text(fields: Fields, column: number, block: RowBlock): number | string {
    const from = fields.from[column] as number;
    const to = fields.to[column] as number;
    if (from === to) return 0;
    const entry = this.#texts.find(fields.bytes, from, to, 0, 0);
    if (entry.fault !== undefined) return entry.fault;
    if (entry.block !== block.number) {
      entry.index = block.trades.strings.intern(entry.text);
      entry.block = block.number;
    }
    return entry.index;
  }

  #tradeId(fields: Fields, column: number, block: RowBlock): number | string {
    const from = fields.from[column] as number;
    const to = fields.to[column] as number;
    if (from === to) return NO_TRADE_ID;
    const id = parseIdBytes(fields.bytes, from, to);
    if (id >= 0) return id;
    const read = textOf(fields.bytes, from, to);
    return 'fault' in read ? read.fault : encodeTradeId(read.text, block.trades.strings);
  }
}

export class QuoteRows extends RowFields implements RowReader {
  readonly #layout: QuoteLayout;
  readonly #price = decimalSink();
  readonly #size = decimalSink();

  constructor(layout: QuoteLayout) {
    super();
    this.#layout = layout;
  }

  read(fields: Fields, block: RowBlock): string | undefined {
    const layout = this.#layout;
    const quotes = block.quotes;
    const i = quotes.length;
    const timeFault = this.readTimes(fields, layout.ts_event_ns, layout.ts_recv_ns);
    if (timeFault !== undefined) return timeFault;
    if (this.eventMs === NO_TIME && this.recvMs === NO_TIME) return MISSING;
    const nameFault = this.readInstrumentIndex(fields, layout.venue, layout.symbol, quotes, block.number);
    if (nameFault !== undefined) return nameFault;
    const price = this.#price;
    const size = this.#size;
    const bidFault =
      notNegative(fields, layout.bid_price, price, false) ?? notNegative(fields, layout.bid_size, size, true);
    if (bidFault !== undefined) return bidFault;
    quotes.bidPrice[i] = price.mantissa;
    quotes.bidPriceDecimals[i] = price.decimals;
    quotes.bidPricePrinted[i] = price.printed;
    quotes.bidSize[i] = size.mantissa;
    quotes.bidSizeDecimals[i] = size.decimals;
    quotes.bidSizePrinted[i] = size.printed;
    const askFault =
      notNegative(fields, layout.ask_price, price, false) ?? notNegative(fields, layout.ask_size, size, true);
    if (askFault !== undefined) return askFault;
    quotes.askPrice[i] = price.mantissa;
    quotes.askPriceDecimals[i] = price.decimals;
    quotes.askPricePrinted[i] = price.printed;
    quotes.askSize[i] = size.mantissa;
    quotes.askSizeDecimals[i] = size.decimals;
    quotes.askSizePrinted[i] = size.printed;
    quotes.instrument[i] = this.instrumentIndex;
    quotes.eventMs[i] = this.eventMs;
    quotes.eventSubNs[i] = this.eventSubNs;
    quotes.recvMs[i] = this.recvMs;
    quotes.recvSubNs[i] = this.recvSubNs;
    return undefined;
  }

  keep(block: RowBlock, from: number, to: number): void {
    block.quotes.length++;
    if (this.recvMs === NO_TIME) block.commit(ROW_KIND.quote, this.eventMs, this.eventSubNs, from, to);
    else block.commit(ROW_KIND.quote, this.recvMs, this.recvSubNs, from, to);
  }
}

/** Reads a number above zero. A cancel may leave it out; it is then 0. */
function positive(fields: Fields, column: number, out: DecimalSink, mayLack: boolean): string | undefined {
  const fault = parseDecimalBytes(fields.bytes, fields.from[column] as number, fields.to[column] as number, out);
  if (fault === 'empty' && mayLack) {
    out.mantissa = 0;
    out.decimals = 0;
    out.printed = 0;
    return undefined;
  }
  if (fault === 'empty') return MISSING;
  if (fault !== undefined) return fault;
  return out.mantissa > 0 || (mayLack && out.mantissa === 0) ? undefined : 'not_positive';
}

/** Reads a number of zero or more. A size may be absent; it is then NaN. */
function notNegative(fields: Fields, column: number, out: DecimalSink, mayLack: boolean): string | undefined {
  const fault =
    column < 0
      ? 'empty'
      : parseDecimalBytes(fields.bytes, fields.from[column] as number, fields.to[column] as number, out);
  if (fault === 'empty' && mayLack) {
    out.mantissa = Number.NaN;
    out.decimals = 0;
    out.printed = 0;
    return undefined;
  }
  if (fault === 'empty') return MISSING;
  if (fault !== undefined) return fault;
  return out.mantissa >= 0 ? undefined : 'not_positive';
}

function textOf(bytes: Uint8Array, from: number, to: number): { text: string } | { fault: string } {
  if (to - from > LIMITS.nameChars * 4) return { fault: 'too_long' };
  try {
    return readText(utf8Decode(bytes.subarray(from, to)));
  } catch {
    return { fault: 'not_utf8' };
  }
}

function sideOf(fields: Fields, column: number): number {
  const from = fields.from[column] as number;
  const to = fields.to[column] as number;
  if (from === to) return SIDE.unknown;
  if (matches(fields.bytes, from, to, BUY)) return SIDE.buy;
  return matches(fields.bytes, from, to, SELL) ? SIDE.sell : -1;
}

function actionOf(fields: Fields, column: number): number {
  const from = fields.from[column] as number;
  const to = fields.to[column] as number;
  if (from === to || matches(fields.bytes, from, to, TRADE)) return ACTION.trade;
  if (matches(fields.bytes, from, to, CANCEL)) return ACTION.cancel;
  return matches(fields.bytes, from, to, CORRECTION) ? ACTION.correction : -1;
}

const [BUY, SELL, TRADE, CANCEL, CORRECTION] = ['buy', 'sell', 'trade', 'cancel', 'correction'].map(utf8Encode) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];

function matches(bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean {
  if (to - from !== word.length) return false;
  for (let i = 0; i < word.length; i++) if (bytes[from + i] !== word[i]) return false;
  return true;
}
