/** Trades and quotes of every shape, for property tests. */
import * as fc from 'fast-check';
import {
  encodeTradeId,
  NO_TIME,
  quoteColumns,
  tradeColumns,
  type QuoteColumns,
  type TradeColumns,
} from '#shared/ticks.ts';

const MAX = Number.MAX_SAFE_INTEGER;
/** Small, neighbouring and extreme integers: each width of a frame's column comes up. */
const integer = fc.oneof(
  fc.nat({ max: 200 }),
  fc.nat({ max: 60_000 }),
  fc.nat(),
  fc.integer({ min: 0, max: MAX }).map((value) => value),
  fc.constantFrom(0, 1, MAX - 1, MAX),
);
const byte = fc.nat({ max: 255 });
const places = fc.nat({ max: 18 });
const timeMs = fc.oneof(fc.constant(NO_TIME), fc.integer({ min: 0, max: 4_102_444_799_999 }));
const eventMs = fc.oneof(fc.constantFrom(0, 4_102_444_799_999), fc.integer({ min: 0, max: 4_102_444_799_999 }));
const subNs = fc.oneof(fc.constant(0), fc.nat({ max: 999_999 }));
const instrument = fc.constantFrom('asx:BHP', 'asx:RIO', 'binance_spot:BTCUSDT', 'binance_usdm:BTCUSDT', 'x:a.b-c/d_e');
const text = fc.oneof(fc.constantFrom('', 'MARKET', '3:X'), fc.string({ maxLength: 20 }));
const tradeId = fc.oneof(fc.constant(''), fc.nat().map(String), fc.constant(String(MAX)), fc.string({ maxLength: 20 }));

const trade = fc.record({
  instrument,
  action: fc.nat({ max: 2 }),
  side: fc.nat({ max: 2 }),
  eventMs,
  eventSubNs: subNs,
  recvMs: timeMs,
  recvSubNs: subNs,
  price: integer,
  priceDecimals: places,
  pricePrinted: byte,
  size: integer,
  sizeDecimals: places,
  sizePrinted: byte,
  tradeId,
  conditions: text,
});

/** Arrivals rise by one from `firstArrival`. */
export function arbitraryTrades(maxLength = 60, firstArrival = 1): fc.Arbitrary<TradeColumns> {
  return fc.array(trade, { maxLength }).map((rows) => {
    const columns = tradeColumns(rows.length + 3);
    columns.length = rows.length;
    for (const [i, row] of rows.entries()) {
      const { instrument: id, tradeId: printedId, conditions, recvMs, recvSubNs, ...numbers } = row;
      columns.instrument[i] = columns.instruments.intern(id);
      columns.tradeId[i] = encodeTradeId(printedId, columns.strings);
      columns.conditions[i] = columns.strings.intern(conditions);
      columns.recvMs[i] = recvMs;
      columns.recvSubNs[i] = recvMs === NO_TIME ? 0 : recvSubNs;
      for (const [name, value] of Object.entries(numbers)) columns[name as keyof typeof numbers][i] = value;
      columns.arrival[i] = firstArrival + i;
    }
    return columns;
  });
}

const size = fc.oneof(integer, fc.constant(Number.NaN));
const quote = fc.record({
  instrument,
  eventMs: timeMs,
  eventSubNs: subNs,
  recvMs: eventMs,
  recvSubNs: subNs,
  bidPrice: integer,
  bidPriceDecimals: places,
  bidPricePrinted: byte,
  bidSize: size,
  bidSizeDecimals: places,
  bidSizePrinted: byte,
  askPrice: integer,
  askPriceDecimals: places,
  askPricePrinted: byte,
  askSize: size,
  askSizeDecimals: places,
  askSizePrinted: byte,
});

export function arbitraryQuotes(maxLength = 60, firstArrival = 1): fc.Arbitrary<QuoteColumns> {
  return fc.array(quote, { maxLength }).map((rows) => {
    const columns = quoteColumns(rows.length + 3);
    columns.length = rows.length;
    for (const [i, row] of rows.entries()) {
      const { instrument: id, eventMs: atMs, eventSubNs, ...numbers } = row;
      columns.instrument[i] = columns.instruments.intern(id);
      columns.eventMs[i] = atMs;
      columns.eventSubNs[i] = atMs === NO_TIME ? 0 : eventSubNs;
      for (const [name, value] of Object.entries(numbers)) columns[name as keyof typeof numbers][i] = value;
      columns.arrival[i] = firstArrival + i;
    }
    return columns;
  });
}

/** Ticks as plain rows, text in place of table indices, so that two sets of columns can be compared. */
export function plainTicks(ticks: TradeColumns | QuoteColumns): Record<string, number | string>[] {
  return Array.from({ length: ticks.length }, (_, i) => {
    const row: Record<string, number | string> = {};
    for (const [name, column] of Object.entries(ticks))
      if (ArrayBuffer.isView(column)) row[name] = (column as Float64Array)[i] as number;
    row['instrument'] = ticks.instruments.values[ticks.instrument[i] as number] as string;
    if ('tradeId' in ticks) {
      const id = ticks.tradeId[i] as number;
      if (id < 0) row['tradeId'] = `text ${ticks.strings.values[-id - 1]}`;
      row['conditions'] = ticks.strings.values[ticks.conditions[i] as number] as string;
    }
    return row;
  });
}
