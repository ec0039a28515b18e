import { describe, expect, it } from 'vitest';
import { decimalSink, formatPrinted, parseDecimal } from '#shared/decimal.ts';
import { quoteColumns, tradeColumns } from '#shared/ticks.ts';
import { normaliseQuote, normaliseTrade, Normaliser } from './normaliser.ts';

function trade(normaliser: Normaliser, price: string, size: string) {
  const trades = tradeColumns(1);
  const sink = decimalSink();
  expect(parseDecimal(price, sink)).toBeUndefined();
  trades.price[0] = sink.mantissa;
  trades.priceDecimals[0] = sink.decimals;
  trades.pricePrinted[0] = sink.printed;
  expect(parseDecimal(size, sink)).toBeUndefined();
  trades.size[0] = sink.mantissa;
  trades.sizeDecimals[0] = sink.decimals;
  trades.sizePrinted[0] = sink.printed;
  const scales = normaliser.scales('asx:BHP');
  if (scales === undefined) throw new Error('too many');
  const fault = normaliseTrade(scales, trades, 0);
  return (
    fault ?? [
      trades.priceDecimals[0],
      trades.sizeDecimals[0],
      formatPrinted(trades.price[0] ?? 0, trades.priceDecimals[0] ?? 0, trades.pricePrinted[0] ?? 0),
    ]
  );
}

describe('MD-3 scales', () => {
  it('begin with the places that the first number was printed with, and grow with what comes', () => {
    const normaliser = new Normaliser();
    expect(trade(normaliser, '61837.63000000', '0.02000000')).toEqual([8, 8, '61837.63000000']);
    expect(trade(normaliser, '61837.6', '1')).toEqual([8, 8, '61837.6']);
    const other = new Normaliser();
    expect(trade(other, '36.5', '100')).toEqual([1, 0, '36.5']);
    expect(trade(other, '36.455', '100')).toEqual([3, 0, '36.455']);
    expect(trade(other, '36', '0.5')).toEqual([3, 1, '36']);
  });

  it('refuse a tick after which a thousand times the last price would not fit, and keep no trace of it', () => {
    const normaliser = new Normaliser();
    expect(trade(normaliser, '60000', '1')).toEqual([0, 0, '60000']);
    const before = normaliser.state();
    expect(trade(normaliser, '60000.123456789', '1')).toBe('too_precise');
    expect(trade(normaliser, '0.000000000000000001', '1')).toBe('too_precise');
    expect(normaliser.state()).toEqual(before);
    expect(trade(normaliser, '60000.12345678', '1')).toEqual([8, 0, '60000.12345678']);
  });

  it('refuse a value that does not fit at the scale that is', () => {
    const normaliser = new Normaliser();
    expect(trade(normaliser, '0.00000001', '1')).toEqual([8, 0, '0.00000001']);
    expect(trade(normaliser, '9007199254740991', '1')).toBe('too_large');
  });

  it('do not seed so far that the headroom is gone', () => {
    expect(trade(new Normaliser(), '900000000.00000000', '1')).toEqual([4, 0, '900000000.00000000']);
    expect(trade(new Normaliser(), '9007199254740991', '1')).toEqual([0, 0, '9007199254740991']);
  });

  it('come back from their state', () => {
    const normaliser = new Normaliser();
    trade(normaliser, '60000.5', '1');
    const again = new Normaliser(JSON.parse(JSON.stringify(normaliser.state())) as ReturnType<Normaliser['state']>);
    expect(trade(again, '60000', '1')).toEqual([1, 0, '60000']);
    expect(trade(again, '60000.1234567891', '1')).toBe('too_precise');
  });

  it('of a quote are those of both its sides; an absent size stays absent', () => {
    const quotes = quoteColumns(1);
    quotes.bidPrice[0] = 86_605;
    quotes.bidPriceDecimals[0] = 5;
    quotes.bidPricePrinted[0] = 5;
    quotes.askPrice[0] = 866;
    quotes.askPriceDecimals[0] = 3;
    quotes.askPricePrinted[0] = 3;
    quotes.bidSize[0] = Number.NaN;
    quotes.askSize[0] = 15;
    quotes.askSizeDecimals[0] = 1;
    quotes.askSizePrinted[0] = 1;
    const scales = new Normaliser().scales('fxcm:EURUSD');
    if (scales === undefined) throw new Error('too many');
    expect(normaliseQuote(scales, quotes, 0)).toBeUndefined();
    expect([quotes.bidPrice[0], quotes.askPrice[0], quotes.bidSize[0], quotes.askSize[0]]).toEqual([
      86_605,
      86_600,
      Number.NaN,
      15,
    ]);
    expect(scales).toMatchObject({ price: { scale: 5, last: 86_605 }, size: { scale: 1, last: 15 } });
  });
});
