import { expect, it } from 'vitest';
import type { Bar } from '#shared/bars.ts';
import { encodeTradeId, NO_TIME, quoteColumns, tradeColumns } from '#shared/ticks.ts';
import {
  BAR_CSV_HEADER,
  barCsv,
  PROFILE_CSV_HEADER,
  profileCsvRows,
  QUOTE_CSV_HEADER,
  quoteCsvRows,
  TRADE_ACTION_CSV_HEADER,
  TRADE_CSV_HEADER,
  tradeCsvRows,
} from './csv-rows.ts';

const BAR: Bar = {
  instrument: 'asx:BHP',
  timeframe: '1m',
  startMs: 1_394_409_600_000,
  priceScale: 3,
  sizeScale: 2,
  open: 36_667,
  high: 36_700,
  low: 36_000,
  close: 36_500,
  volume: 20_050n,
  buyVolume: 0n,
  sellVolume: 0n,
  pv: 733_340_000n,
  tradeCount: 2,
  state: 'revised',
  revision: 3,
};

it('QY-3 prints a bar exactly and without padding zeros', () => {
  expect(BAR_CSV_HEADER.split(',')).toHaveLength(13);
  expect(barCsv(BAR)).toBe(
    'asx,BHP,1394409600000000000,2014-03-10T00:00:00Z,36.667,36.7,36,36.5,200.5,36.575561097257,2,revised,3',
  );
  expect(barCsv({ ...BAR, startMs: 0 })).toContain('asx,BHP,0,1970-01-01T00:00:00Z,');
});

it('QY-3 WN-4 leaves empty what a bar does not have', () => {
  const nothing = { open: Number.NaN, high: Number.NaN, low: Number.NaN, close: Number.NaN, volume: 0n, pv: 0n };
  expect(barCsv({ ...BAR, ...nothing })).toBe('asx,BHP,1394409600000000000,2014-03-10T00:00:00Z,,,,,0,,2,revised,3');
});

it('QY-5 WN-11 prints a profile by rising price, with its point of control and value area', () => {
  const row = { buyVolume: 10n, sellVolume: 5n, tradeCount: 1 };
  const rows = [
    { ...row, price: 100, volume: 10n },
    { ...row, price: 105, volume: 80n },
    { ...row, price: 110, volume: 10n },
  ];
  const profile = {
    instrument: 'asx:BHP',
    startMs: 0,
    priceScale: 2,
    sizeScale: 1,
    state: 'final' as const,
    revision: 1,
    rows,
  };
  expect(PROFILE_CSV_HEADER.split(',')).toHaveLength(11);
  expect([...profileCsvRows(profile)]).toEqual([
    'asx,BHP,0,1970-01-01T00:00:00Z,1,1,1,0.5,1,false,false',
    'asx,BHP,0,1970-01-01T00:00:00Z,1.05,8,1,0.5,1,true,true',
    'asx,BHP,0,1970-01-01T00:00:00Z,1.1,1,1,0.5,1,false,false',
  ]);
});

it('QY-4 MD-4 prints trades as their tape did', () => {
  const trades = tradeColumns(3);
  trades.length = 3;
  trades.instruments.intern('asx:BHP');
  trades.eventMs.set([1_394_398_634_754, 0, 1]);
  trades.eventSubNs.set([123, 7, 0]);
  trades.recvMs.set([NO_TIME, 5, NO_TIME]);
  trades.price.set([36_667, 5, 1]);
  trades.priceDecimals.set([3, 1, 0]);
  trades.pricePrinted.set([3, 8, 2]);
  trades.size.set([20_000, 1, 1]);
  trades.side.set([0, 1, 2]);
  trades.action.set([0, 1, 2]);
  trades.tradeId.set(['', '17', 'a"b'].map((id) => encodeTradeId(id, trades.strings)));
  trades.conditions.set(['3:X', '', 'a,b'].map((code) => trades.strings.intern(code)));
  const rows = [
    '1394398634754000123,,asx,BHP,36.667,20000,,,3:X',
    '7,5000000,asx,BHP,0.50000000,1,buy,17,',
    '1000000,,asx,BHP,1.00,1,sell,"a""b","a,b"',
  ];
  expect(TRADE_CSV_HEADER.split(',')).toHaveLength(9);
  expect([...tradeCsvRows(trades)]).toEqual(rows);
  expect(TRADE_ACTION_CSV_HEADER.split(',')).toHaveLength(10);
  expect([...tradeCsvRows(trades, true)]).toEqual(
    rows.map((row, i) => `${row},${['trade', 'cancel', 'correction'][i]}`),
  );
});

it('QY-4 MD-5 prints quotes as their tape did, what it left empty too', () => {
  const quotes = quoteColumns(1);
  quotes.length = 1;
  quotes.instruments.intern('fxcm:NZDUSD');
  quotes.eventMs[0] = NO_TIME;
  quotes.recvMs[0] = 1_399_525_201_836;
  quotes.bidPrice[0] = 86_605;
  quotes.bidPriceDecimals[0] = 5;
  quotes.bidSize[0] = Number.NaN;
  quotes.askPrice[0] = 0;
  quotes.askPricePrinted[0] = 2;
  quotes.askSize[0] = 3;
  expect(QUOTE_CSV_HEADER.split(',')).toHaveLength(8);
  expect([...quoteCsvRows(quotes)]).toEqual([',1399525201836000000,fxcm,NZDUSD,0.86605,,0.00,3']);
});
