/** The query API over a store in memory, with a small market in it. */
import type { Hono } from 'hono';
import type { Bar } from '#shared/bars.ts';
import type { Timeframe } from '#shared/timeframes.ts';
import { SIDE, quoteColumns, tradeColumns } from '#shared/ticks.ts';
import type { Logger } from '../../core/ops/logger.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { createQueryApp } from '../../core/query/app.ts';
import { createLiveState, type LiveState } from '../../core/query/live-state.ts';
import { ManualClock } from './manual-clock.ts';
import type { MarketStore } from '../../core/stores/stores.ts';
import { memoryStore, type MemoryStore } from './memory-store.ts';

/** 2024-08-08T23:54:00Z. */
export const T0 = 1_723_161_240_000;
export const MINUTES = 25;

export interface QueryFixture {
  app: Hono;
  store: MarketStore;
  live: LiveState;
  clock: ManualClock;
}

export function aBar(instrument: string, timeframe: Timeframe, startMs: number, over: Partial<Bar> = {}): Bar {
  return {
    instrument,
    timeframe,
    startMs,
    priceScale: 2,
    sizeScale: 1,
    open: 3645,
    high: 3650,
    low: 3640,
    close: 3648,
    volume: 1050n,
    buyVolume: 500n,
    sellVolume: 550n,
    pv: 3_827_250n,
    tradeCount: 7,
    state: 'final',
    revision: 1,
    ...over,
  };
}

/** 25 one-minute bars, 30 trades and 30 quotes of asx:BHP, some of asx:RIO. The clock stands a minute after the last. */
export async function queryFixture(logger: Logger = silentLogger): Promise<QueryFixture & { store: MemoryStore }> {
  const store = memoryStore();
  return { ...(await queryFixtureOver(store, logger)), store };
}

/** The same over any store, which gets the same market. */
export async function queryFixtureOver(store: MarketStore, logger: Logger = silentLogger): Promise<QueryFixture> {
  const live = createLiveState();
  const clock = new ManualClock(T0 + MINUTES * 60_000);
  const bars = Array.from({ length: MINUTES }, (_, i) => aBar('asx:BHP', '1m', T0 + i * 60_000, { close: 3640 + i }));
  await store.writeBars([...bars, aBar('asx:RIO', '1m', T0)], 'b');
  await store.writeProfiles(
    Array.from({ length: 5 }, (_, i) => ({
      instrument: 'asx:BHP',
      startMs: T0 + i * 300_000,
      priceScale: 2,
      sizeScale: 1,
      state: 'final' as const,
      revision: 1,
      rows: [
        { price: 3645, volume: 100n, buyVolume: 40n, sellVolume: 60n, tradeCount: 3 },
        { price: 3646, volume: 900n, buyVolume: 400n, sellVolume: 500n, tradeCount: 4 },
      ],
    })),
    'p',
  );
  const trades = tradeColumns(60);
  const quotes = quoteColumns(60);
  for (let i = 0; i < 30; i++) {
    const instrument = trades.instruments.intern(i % 10 === 9 ? 'asx:RIO' : 'asx:BHP');
    quotes.instruments.intern('asx:BHP');
    trades.instrument[i] = instrument;
    trades.eventMs[i] = T0 + i * 1_000;
    trades.recvMs[i] = -1;
    trades.price[i] = 36_450 + i;
    trades.priceDecimals[i] = 3;
    trades.pricePrinted[i] = 3;
    trades.size[i] = 10 + i;
    trades.side[i] = i % 3 === 0 ? SIDE.buy : SIDE.unknown;
    trades.tradeId[i] = i % 2 === 0 ? i : -1;
    trades.arrival[i] = i * 2;
    trades.length++;
    quotes.eventMs[i] = T0 + i * 1_000;
    quotes.recvMs[i] = T0 + i * 1_000 + 3;
    quotes.bidPrice[i] = 3_645;
    quotes.bidPriceDecimals[i] = 2;
    quotes.bidSize[i] = Number.NaN;
    quotes.askPrice[i] = 3_646;
    quotes.askPriceDecimals[i] = 2;
    quotes.askSize[i] = 7;
    quotes.arrival[i] = i * 2 + 1;
    quotes.length++;
  }
  await store.writeTrades([trades], 't');
  await store.writeQuotes([quotes], 'q');
  await store.writeStats(
    [
      {
        instrument: 'asx:BHP',
        eventMs: T0 + 29_000,
        priceScale: 3,
        sizeScale: 0,
        lastPrice: 36_479,
        spread: 10,
        spreadBps: 2.74,
        vwap30s: 36.46,
        average30s: 36.46,
        volume30s: 745n,
        trades30s: 30,
        realisedVolatility: Number.NaN,
        change: 29,
        changeFraction: 0.0008,
        dayOpen: 36_450,
        dayHigh: 36_479,
        dayLow: 36_450,
        dayVolume: 745n,
        dayTrades: 30,
      },
    ],
    's',
  );
  const app = createQueryApp({
    store,
    live,
    clock,
    logger,
    version: '0.0.0-test',
    requestTimeoutMs: 1_000,
    health: {
      dependencies: async () => [await storeState(store)],
      lag: async () => [{ part: 'windows', lagMs: 0, records: 0 }],
    },
    status: {
      startedAtMs: T0,
      simulated: () => false,
      counts: () => ({
        read: 60,
        acceptedTrades: 30,
        acceptedQuotes: 30,
        rejected: { not_positive: 2 },
        reordered: 0,
        late: 0,
        tooLate: 0,
        duplicate: 0,
        cancelled: 0,
        corrected: 0,
        unknownReference: 0,
      }),
    },
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4; charset=utf-8', body: '# none\n' }),
  });
  return { app, store, live, clock };
}

async function storeState(store: MarketStore): Promise<{ name: string; state: 'up' | 'down'; checkMs: number | null }> {
  try {
    await store.ping();
    return { name: 'store', state: 'up', checkMs: 1 };
  } catch {
    return { name: 'store', state: 'down', checkMs: null };
  }
}
