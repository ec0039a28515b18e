/** Examples for the OpenAPI document. A test holds each against its schema. */
import type { BarView, LastView, ProfileView, QuoteView, StatsView, SymbolInfo, TradeView } from '#shared/market.ts';

export const SYMBOL_EXAMPLE: SymbolInfo = {
  symbol: 'asx:BHP',
  venue: 'asx',
  ticker: 'BHP',
  simulated: false,
  priceScale: 3,
  sizeScale: 0,
  firstEventMs: 1394398634754,
  lastEventMs: 1394603999000,
  trades: 58964,
  quotes: 50312,
};

export const TRADE_EXAMPLE: TradeView = {
  symbol: 'asx:BHP',
  arrival: 4711,
  eventNs: '1394406000123000000',
  recvNs: null,
  price: '36.455',
  size: '120',
  side: null,
  tradeId: null,
  conditions: '0',
  action: 'trade',
};

export const QUOTE_EXAMPLE: QuoteView = {
  symbol: 'asx:BHP',
  arrival: 4712,
  eventNs: '1394406000130000000',
  recvNs: null,
  bidPrice: '36.45',
  bidSize: '1200',
  askPrice: '36.46',
  askSize: '800',
};

export const BAR_EXAMPLE: BarView = {
  symbol: 'asx:BHP',
  timeframe: '1m',
  startMs: 1394406000000,
  open: '36.45',
  high: '36.48',
  low: '36.44',
  close: '36.47',
  volume: '15230',
  buyVolume: '0',
  sellVolume: '0',
  vwap: '36.461234567891',
  tradeCount: 87,
  state: 'final',
  revision: 1,
};

export const PROFILE_EXAMPLE: ProfileView = {
  symbol: 'asx:BHP',
  startMs: 1394406000000,
  state: 'final',
  revision: 1,
  rows: [
    {
      price: '36.45',
      volume: '5200',
      buyVolume: '0',
      sellVolume: '0',
      tradeCount: 31,
      isPoc: false,
      inValueArea: true,
    },
    { price: '36.46', volume: '8030', buyVolume: '0', sellVolume: '0', tradeCount: 42, isPoc: true, inValueArea: true },
  ],
};

export const STATS_EXAMPLE: StatsView = {
  symbol: 'asx:BHP',
  eventMs: 1394406000123,
  lastPrice: '36.455',
  spread: '0.01',
  spreadBps: 2.743,
  vwap30s: 36.4581,
  average30s: 36.4567,
  volume30s: '6230',
  trades30s: 41,
  realisedVolatility: 0.00231,
  change: '-0.125',
  changeFraction: -0.00342,
  dayOpen: '36.58',
  dayHigh: '36.6',
  dayLow: '36.4',
  dayVolume: '812345',
  dayTrades: 2301,
};

export const LAST_EXAMPLE: LastView = {
  symbol: 'asx:BHP',
  trade: { eventMs: 1394406000123, price: '36.455', size: '120', side: null },
  quote: { eventMs: 1394406000130, bidPrice: '36.45', bidSize: '1200', askPrice: '36.46', askSize: '800' },
  stats: STATS_EXAMPLE,
};
