/**
 * Ticks as columns: one batch holds many ticks, each field in its own typed array, so that the hot path makes no
 * object per tick (SPEC TK-1). Numbers are exact: integers held in doubles, at most 2^53 - 1.
 */

export const ACTION = { trade: 0, cancel: 1, correction: 2 } as const;
export const SIDE = { unknown: 0, buy: 1, sell: 2 } as const;
export const SIDE_NAMES = ['', 'buy', 'sell'] as const;
/** Marks an absent receive time or event time. */
export const NO_TIME = -1;
/** Marks a tick without a trade id. */
export const NO_TRADE_ID = -1;

/**
 * Arrival numbers of one range: where several collectors fill one log, each source has a range of its own (SPEC TK-1). Ten thousand
 * ticks a second for three years.
 */
export const ARRIVALS_PER_RANGE = 2 ** 40;

/** Which range an arrival number is in; numbers of one range rise in log order. */
export function arrivalRange(arrival: number): number {
  return Math.floor(arrival / ARRIVALS_PER_RANGE);
}

/** Interned text of a batch: instruments and free strings (trade ids that are no integers, condition codes). */
export class StringTable {
  readonly values: string[];
  readonly #index = new Map<string, number>();

  constructor(values: readonly string[] = []) {
    this.values = [...values];
    this.values.forEach((value, i) => this.#index.set(value, i));
  }

  /** Index of `value`, added when new. */
  intern(value: string): number {
    const known = this.#index.get(value);
    if (known !== undefined) return known;
    const index = this.values.push(value) - 1;
    this.#index.set(value, index);
    return index;
  }
}

/** Trades, cancels and corrections. `strings[0]` is always ''. */
export interface TradeColumns {
  length: number;
  readonly instruments: StringTable;
  readonly strings: StringTable;
  /** Index into `instruments`. */
  readonly instrument: Uint16Array;
  /** One of ACTION. A cancel names the trade by id; a correction does too and carries the new price, size and conditions. */
  readonly action: Uint8Array;
  /** Aggressor side, one of SIDE. */
  readonly side: Uint8Array;
  /** Time at the exchange. */
  readonly eventMs: Float64Array;
  readonly eventSubNs: Float64Array;
  /** Local arrival as the source gives it, or NO_TIME. */
  readonly recvMs: Float64Array;
  readonly recvSubNs: Float64Array;
  readonly price: Float64Array;
  readonly priceDecimals: Uint8Array;
  readonly pricePrinted: Uint8Array;
  readonly size: Float64Array;
  readonly sizeDecimals: Uint8Array;
  readonly sizePrinted: Uint8Array;
  /** The venue's id when it is a canonical integer (0 and up), NO_TRADE_ID, or -(1 + index into `strings`). */
  readonly tradeId: Float64Array;
  /** Index into `strings` of the venue's condition code, as printed. */
  readonly conditions: Uint16Array;
  /** Rising number of the tick in its collector: the order in which ticks came in, over all instruments. */
  readonly arrival: Float64Array;
}

/** Best bid and ask. A size of NaN is one that the source does not give. */
export interface QuoteColumns {
  length: number;
  readonly instruments: StringTable;
  readonly instrument: Uint16Array;
  /** Time at the exchange, or NO_TIME when the venue gives none (the receive time then stands for it). */
  readonly eventMs: Float64Array;
  readonly eventSubNs: Float64Array;
  readonly recvMs: Float64Array;
  readonly recvSubNs: Float64Array;
  readonly bidPrice: Float64Array;
  readonly bidPriceDecimals: Uint8Array;
  readonly bidPricePrinted: Uint8Array;
  readonly bidSize: Float64Array;
  readonly bidSizeDecimals: Uint8Array;
  readonly bidSizePrinted: Uint8Array;
  readonly askPrice: Float64Array;
  readonly askPriceDecimals: Uint8Array;
  readonly askPricePrinted: Uint8Array;
  readonly askSize: Float64Array;
  readonly askSizeDecimals: Uint8Array;
  readonly askSizePrinted: Uint8Array;
  readonly arrival: Float64Array;
}

export function tradeColumns(capacity: number): TradeColumns {
  return {
    length: 0,
    instruments: new StringTable(),
    strings: new StringTable(['']),
    instrument: new Uint16Array(capacity),
    action: new Uint8Array(capacity),
    side: new Uint8Array(capacity),
    eventMs: new Float64Array(capacity),
    eventSubNs: new Float64Array(capacity),
    recvMs: new Float64Array(capacity),
    recvSubNs: new Float64Array(capacity),
    price: new Float64Array(capacity),
    priceDecimals: new Uint8Array(capacity),
    pricePrinted: new Uint8Array(capacity),
    size: new Float64Array(capacity),
    sizeDecimals: new Uint8Array(capacity),
    sizePrinted: new Uint8Array(capacity),
    tradeId: new Float64Array(capacity),
    conditions: new Uint16Array(capacity),
    arrival: new Float64Array(capacity),
  };
}

export function quoteColumns(capacity: number): QuoteColumns {
  return {
    length: 0,
    instruments: new StringTable(),
    instrument: new Uint16Array(capacity),
    eventMs: new Float64Array(capacity),
    eventSubNs: new Float64Array(capacity),
    recvMs: new Float64Array(capacity),
    recvSubNs: new Float64Array(capacity),
    bidPrice: new Float64Array(capacity),
    bidPriceDecimals: new Uint8Array(capacity),
    bidPricePrinted: new Uint8Array(capacity),
    bidSize: new Float64Array(capacity),
    bidSizeDecimals: new Uint8Array(capacity),
    bidSizePrinted: new Uint8Array(capacity),
    askPrice: new Float64Array(capacity),
    askPriceDecimals: new Uint8Array(capacity),
    askPricePrinted: new Uint8Array(capacity),
    askSize: new Float64Array(capacity),
    askSizeDecimals: new Uint8Array(capacity),
    askSizePrinted: new Uint8Array(capacity),
    arrival: new Float64Array(capacity),
  };
}

const INTEGER_ID = /^(?:0|[1-9]\d{0,15})$/;

/** The column value of a trade id: the integer itself where it is one in canonical form, else a string reference. */
export function encodeTradeId(text: string, strings: StringTable): number {
  if (text === '') return NO_TRADE_ID;
  if (INTEGER_ID.test(text)) {
    const id = Number(text);
    if (id <= Number.MAX_SAFE_INTEGER) return id;
  }
  return -(1 + strings.intern(text));
}

/** The trade id as the venue printed it, '' when there is none. */
export function decodeTradeId(value: number, strings: StringTable): string {
  return value >= 0 ? value.toString() : (strings.values[-value - 1] ?? '');
}

/** Event time of quote `i` in ms: the exchange's, or the receive time where the venue gives none (SPEC MD-5). */
export function quoteTimeMs(quotes: QuoteColumns, i: number): number {
  const eventMs = quotes.eventMs[i] as number;
  return eventMs === NO_TIME ? (quotes.recvMs[i] as number) : eventMs;
}
