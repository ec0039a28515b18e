import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_TIME, quoteColumns, tradeColumns } from '#shared/ticks.ts';
import { tapeLine } from '../../../test/support/decode-log.ts';
import { binanceTradeId, mapBinance, type BinanceMarket } from './binance.ts';

const RECV_MS = 1_723_161_254_087;
const RECV_SUB_NS = 896_568;

const spotTrade = {
  e: 'trade',
  E: 1723161255343,
  s: 'BTCUSDT',
  t: 3735683259,
  p: '61837.63000000',
  q: '0.02000000',
  T: 1723161255342,
  m: true,
  M: true,
};
const futuresTrade = {
  e: 'trade',
  E: 1723161256322,
  T: 1723161256322,
  s: 'BTCUSDT',
  t: 5266583935,
  p: '61800.30',
  q: '0.006',
  X: 'MARKET',
  m: false,
};
const spotQuote = {
  u: 35346513501,
  s: 'ETHUSDT',
  b: '2683.80000000',
  B: '3.02920000',
  a: '2683.81000000',
  A: '31.43950000',
};
const futuresQuote = {
  e: 'bookTicker',
  u: 5123107839020,
  s: 'BTCUSDT',
  b: '61800.20',
  B: '2.507',
  a: '61800.30',
  A: '2.510',
  T: 1723161256313,
  E: 1723161256313,
};

function message(channel: string, data: unknown): unknown {
  return { stream: `btcusdt@${channel}`, data };
}

function map(value: unknown, market?: BinanceMarket, recvMs = RECV_MS) {
  const into = { trades: tradeColumns(1), quotes: quoteColumns(1) };
  const result = mapBinance(value, market, recvMs, RECV_SUB_NS, into);
  if (result.kind === 'trade') return tapeLine(into.trades, 0);
  if (result.kind === 'quote') return tapeLine(into.quotes, 0);
  expect(into.trades.length + into.quotes.length).toBe(0);
  return result.kind === 'rejected' ? result.reason : result.kind;
}

describe('Binance messages', () => {
  it.each([
    [
      'a spot trade',
      message('trade', spotTrade),
      '1723161255342000000,1723161254087896568,binance_spot,BTCUSDT,61837.63000000,0.02000000,sell,3735683259,',
    ],
    [
      'a futures trade',
      message('trade', futuresTrade),
      '1723161256322000000,1723161254087896568,binance_usdm,BTCUSDT,61800.30,0.006,buy,5266583935,MARKET',
    ],
    [
      'a coin-margined trade',
      message('trade', { ...futuresTrade, s: 'BTCUSD_PERP' }),
      '1723161256322000000,1723161254087896568,binance_coinm,BTCUSD_PERP,61800.30,0.006,buy,5266583935,MARKET',
    ],
    [
      'a spot quote, which has no time of its own',
      message('bookTicker', spotQuote),
      ',1723161254087896568,binance_spot,ETHUSDT,2683.80000000,3.02920000,2683.81000000,31.43950000',
    ],
    [
      'a futures quote',
      message('bookTicker', futuresQuote),
      '1723161256313000000,1723161254087896568,binance_usdm,BTCUSDT,61800.20,2.507,61800.30,2.510',
    ],
    [
      'a coin-margined quote',
      message('bookTicker', { ...futuresQuote, s: 'BTCUSD_PERP', ps: 'BTCUSD' }),
      '1723161256313000000,1723161254087896568,binance_coinm,BTCUSD_PERP,61800.20,2.507,61800.30,2.510',
    ],
    [
      'a dated futures contract',
      message('trade', { ...futuresTrade, s: 'BTCUSDT_240927' }),
      '1723161256322000000,1723161254087896568,binance_usdm,BTCUSDT_240927,61800.30,0.006,buy,5266583935,MARKET',
    ],
  ])('MD-4 MD-5 MD-8 become ticks: %s', (_, value, line) => {
    expect(map(value)).toBe(line);
  });

  it('MD-2 belong to the market of the connection where that is known', () => {
    expect(map(message('trade', spotTrade), 'usdm')).toContain(',binance_usdm,BTCUSDT,');
  });

  it('MD-9 that say nothing of ours are passed over', () => {
    expect(map(message('depth@100ms', { e: 'depthUpdate', b: [], a: [] }))).toBe('ignored');
    expect(map(message('aggTrade', { e: 'aggTrade' }))).toBe('ignored');
    expect(map({ lastUpdateId: 1, bids: [], asks: [] })).toBe('ignored');
    expect(map({ result: null, id: 1 })).toBe('ignored');
  });

  it.each([
    ['no object', [], 'not_an_object'],
    ['no stream', { e: 'trade' }, 'unknown_message'],
    ['an unknown stream', message('surprise', {}), 'unknown_message'],
    ['no data', { stream: 'btcusdt@trade' }, 'unknown_message'],
    ['no time', message('trade', { ...spotTrade, T: undefined }), 'not_a_time'],
    ['a time before 1970', message('trade', { ...spotTrade, T: -1 }), 'before_1970'],
    ['a time after 2100', message('trade', { ...spotTrade, T: 4_102_444_800_000 }), 'after_2100'],
    ['a price of zero', message('trade', { ...futuresTrade, p: '0', X: 'NA' }), 'not_positive'],
    ['a number for a price', message('trade', { ...spotTrade, p: 61_837 }), 'not_a_decimal'],
    ['a price of 400 digits', message('trade', { ...spotTrade, p: '9'.repeat(400) }), 'too_long'],
    ['a symbol that cannot be', message('trade', { ...spotTrade, s: 'B C' }), 'bad_symbol'],
    ['an id that is none', message('trade', { ...spotTrade, t: 1.5 }), 'bad_trade_id'],
    ['no side', message('trade', { ...spotTrade, m: 1 }), 'bad_side'],
    ['an endless condition', message('trade', { ...futuresTrade, X: 'x'.repeat(65) }), 'bad_conditions'],
    ['a quote without a price', message('bookTicker', { ...spotQuote, a: '' }), 'missing_column_value'],
    ['a negative size', message('bookTicker', { ...spotQuote, A: '-1' }), 'not_positive'],
  ])('MD-6 MD-7 MD-9 are refused with a reason: %s', (_, value, reason) => {
    expect(map(value)).toBe(reason);
  });

  it('MD-9 a quote without any time is refused', () => {
    expect(map(message('bookTicker', spotQuote), 'spot', NO_TIME)).toBe('missing_column_value');
  });

  it('MD-9 never throw, whatever JSON they are (property)', () => {
    const value = fc.jsonValue();
    const data = fc.record(
      Object.fromEntries(
        ['s', 't', 'T', 'p', 'q', 'm', 'X', 'b', 'B', 'a', 'A', 'e', 'ps'].map((key) => [
          key,
          fc.oneof(value, fc.constantFrom('1', '2.5', 'BTCUSDT', 1, true)),
        ]),
      ),
      { requiredKeys: [] },
    );
    const anything = fc.oneof(
      value,
      fc.record({
        stream: fc.oneof(value, fc.constantFrom('a@trade', 'a@bookTicker', 'a@depth')),
        data: fc.oneof(value, data),
      }),
    );
    fc.assert(
      fc.property(anything, (given) => {
        const into = { trades: tradeColumns(1), quotes: quoteColumns(1) };
        const { kind } = mapBinance(given, undefined, RECV_MS, 0, into);
        expect(into.trades.length).toBe(kind === 'trade' ? 1 : 0);
        expect(into.quotes.length).toBe(kind === 'quote' ? 1 : 0);
        binanceTradeId(given, 'spot');
      }),
      { numRuns: 5_000 },
    );
  });
});
