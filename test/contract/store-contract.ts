/** What every market store must do (SPEC ST-2, ST-3, MD-1..MD-6, QY-4). */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bar, Profile, Stats } from '#shared/bars.ts';
import {
  encodeTradeId,
  NO_TIME,
  quoteColumns,
  tradeColumns,
  type QuoteColumns,
  type TradeColumns,
} from '#shared/ticks.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import type { MarketStore, RangeQuery } from '../../core/stores/stores.ts';
import { arbitraryQuotes, arbitraryTrades, plainTicks } from '../support/arbitrary-ticks.ts';

export interface StoreFixture {
  /** The store, empty at first, migrated; after a close of the one before, the same store again. */
  open(): Promise<MarketStore>;
  destroy(): Promise<void>;
}

const START_MS = 1_394_398_800_000;
const MAX = Number.MAX_SAFE_INTEGER;

async function rows(batches: AsyncIterable<TradeColumns | QuoteColumns>): Promise<Record<string, number | string>[]> {
  const all = [];
  for await (const batch of batches) all.push(...plainTicks(batch));
  return all;
}

async function list<T>(batches: AsyncIterable<T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}

async function arrivals(batches: AsyncIterable<TradeColumns | QuoteColumns>): Promise<number[]> {
  return (await rows(batches)).map((row) => row['arrival'] as number);
}

/** Trades of one venue; trade i has arrival `first + i` and comes i ms behind `startMs`. */
function trades(venue: string, symbols: readonly string[], first: number, n: number, startMs = START_MS): TradeColumns {
  const columns = tradeColumns(n);
  columns.length = n;
  for (let i = 0; i < n; i++) {
    columns.instrument[i] = columns.instruments.intern(`${venue}:${symbols[i % symbols.length]}`);
    columns.eventMs[i] = startMs + i;
    columns.recvMs[i] = NO_TIME;
    columns.price[i] = 3_600 + (i % 50);
    columns.priceDecimals[i] = 2;
    columns.pricePrinted[i] = 3;
    columns.size[i] = 1 + i;
    columns.tradeId[i] = encodeTradeId(i % 3 === 0 ? '' : `${i}`, columns.strings);
    columns.arrival[i] = first + i;
  }
  return columns;
}

export function bar(over: Partial<Bar> = {}): Bar {
  return {
    instrument: 'bars:BHP',
    timeframe: '1m',
    startMs: START_MS,
    priceScale: 3,
    sizeScale: 0,
    open: 36_500,
    high: 36_900,
    low: 36_100,
    close: 36_800,
    volume: 1_000n,
    buyVolume: 400n,
    sellVolume: 600n,
    pv: 36_600_000n,
    tradeCount: 10,
    state: 'final',
    revision: 1,
    ...over,
  };
}

function profile(over: Partial<Profile> = {}): Profile {
  const row = { price: 36_500, volume: 10n, buyVolume: 4n, sellVolume: 6n, tradeCount: 2 };
  const base = { instrument: 'profiles:BHP', startMs: START_MS, priceScale: 3, sizeScale: 0 };
  return { ...base, state: 'final', revision: 1, rows: [row, { ...row, price: 36_600 }], ...over };
}

function stats(over: Partial<Stats> = {}): Stats {
  return {
    instrument: 'stats:BHP',
    priceScale: 3,
    sizeScale: 0,
    eventMs: START_MS,
    lastPrice: 36_500,
    spread: -5,
    spreadBps: 1.37,
    vwap30s: 36.51,
    average30s: 36.5,
    volume30s: 2n ** 70n,
    trades30s: 12,
    realisedVolatility: 0.0012,
    change: -20,
    changeFraction: -0.0005,
    dayOpen: 36_520,
    dayHigh: 36_900,
    dayLow: 36_100,
    dayVolume: 123n,
    dayTrades: 45,
    ...over,
  };
}

export function storeContract(name: string, create: () => Promise<StoreFixture>): void {
  describe(`store: ${name}`, () => {
    let fixture: StoreFixture;
    let store: MarketStore;
    let batches = 0;
    const token = (topic = 'trades'): string => `${topic}:0:${batches}-${batches++}`;

    beforeAll(async () => {
      fixture = await create();
      store = await fixture.open();
    });
    afterAll(async () => {
      await store.close();
      await fixture.destroy();
    });

    it('ST-2 has a batch once, however often it is written under its token', async () => {
      const batch = trades('repeat', ['A'], 1, 500);
      const first = token();
      await store.writeTrades([batch], first);
      await store.writeTrades([batch], first);
      await store.writeTrades([trades('repeat', ['A'], 501, 10)], token());
      await store.writeTrades([batch], first);
      expect(await arrivals(store.trades({ instrument: 'repeat:A' }))).toEqual(
        Array.from({ length: 510 }, (_, i) => i + 1),
      );
    });

    it('ST-2 has a batch once when it is written again after a restart', async () => {
      const batch = trades('restart', ['A'], 1, 100);
      const quotes = fc.sample(arbitraryQuotes(20, 50_000), { numRuns: 1, seed: 3 });
      const [first, second] = [token(), token('quotes')];
      await store.writeTrades([batch], first);
      await store.writeQuotes(quotes, second);
      const before = await rows(store.quotes({ after: 49_999 }));
      await store.close();
      store = await fixture.open();
      await store.writeTrades([batch], first);
      await store.writeQuotes(quotes, second);
      expect(await arrivals(store.trades({ instrument: 'restart:A' }))).toHaveLength(100);
      expect(await rows(store.quotes({ after: 49_999 }))).toEqual(before);
      expect(before).toHaveLength(quotes[0]?.length ?? -1);
    });

    it('ST-2 takes equal content under another token as what it is: more ticks', async () => {
      const same = { ...trades('same', ['A'], 1, 3) };
      await store.writeTrades([same], token());
      await store.writeTrades([{ ...same, arrival: Float64Array.of(4, 5, 6) }], token());
      expect(await arrivals(store.trades({ instrument: 'same:A' }))).toEqual([1, 2, 3, 4, 5, 6]);
    });

    it('MD-1 MD-4 MD-5 gives trades back bit for bit, whatever they hold', async () => {
      let next = 1_000_000;
      await fc.assert(
        fc.asyncProperty(fc.array(arbitraryTrades(30), { minLength: 1, maxLength: 3 }), async (columns) => {
          const from = next;
          for (const batch of columns) for (let i = 0; i < batch.length; i++) batch.arrival[i] = next++;
          await store.writeTrades(columns, token());
          const expected = columns.flatMap(plainTicks);
          const stored = await rows(store.trades({ after: from - 1, limit: expected.length + 1 }));
          expect(stored).toEqual(expected);
        }),
        { numRuns: 15 },
      );
    });

    it('MD-1 MD-4 MD-5 gives quotes back bit for bit, absent sizes and times too', async () => {
      let next = 1_000_000;
      await fc.assert(
        fc.asyncProperty(fc.array(arbitraryQuotes(30), { minLength: 1, maxLength: 3 }), async (columns) => {
          const from = next;
          for (const batch of columns) for (let i = 0; i < batch.length; i++) batch.arrival[i] = next++;
          await store.writeQuotes(columns, token('quotes'));
          const expected = columns.flatMap(plainTicks);
          expect(await rows(store.quotes({ after: from - 1 }))).toEqual(expected);
        }),
        { numRuns: 15 },
      );
    });

    it('MD-1 MD-6 holds the ends of every range', async () => {
      const columns = trades('ends', ['A'], MAX - 2, 2);
      columns.price.set([MAX, 1]);
      columns.size.set([1, MAX]);
      columns.eventMs.set([0, 4_102_444_799_999]);
      columns.eventSubNs.set([0, 999_999]);
      columns.recvMs.set([0, 4_102_444_799_999]);
      columns.recvSubNs.set([1, 999_999]);
      columns.tradeId.set([0, MAX]);
      columns.priceDecimals.set([18, 0]);
      columns.pricePrinted.set([255, 0]);
      await store.writeTrades([columns], token());
      expect(await rows(store.trades({ instrument: 'ends:A' }))).toEqual(plainTicks(columns));
      expect(await arrivals(store.trades({ instrument: 'ends:A', fromMs: 1 }))).toEqual([MAX - 1]);
      expect(await arrivals(store.trades({ instrument: 'ends:A', toMs: 1 }))).toEqual([MAX - 2]);
    });

    it('QY-4 lists in the order of arrival, of one instrument and of all', async () => {
      const first = 2_000_000;
      await store.writeTrades([trades('order', ['A', 'B'], first + 100, 100)], token());
      await store.writeTrades([trades('order', ['C', 'A'], first, 100)], token());
      const between: RangeQuery = { after: first - 1, limit: 200 };
      expect(await arrivals(store.trades(between))).toEqual(Array.from({ length: 200 }, (_, i) => first + i));
      const a = await rows(store.trades({ instrument: 'order:A' }));
      expect(a.map((row) => row['arrival'])).toEqual(
        a.map((row) => row['arrival']).toSorted((x, y) => Number(x) - Number(y)),
      );
      expect(a).toHaveLength(100);
    });

    it('QY-2 pages: each page continues behind the one before, both ways', async () => {
      const first = 3_000_000;
      await store.writeTrades([trades('pages', ['A', 'B'], first, 101)], token());
      for (const instrument of ['pages:A', undefined]) {
        for (const newestFirst of [false, true]) {
          const found: number[] = [];
          const start = newestFirst ? first + 101 : first - 1;
          for (let after = start; ;) {
            const query: RangeQuery = {
              after,
              limit: 7,
              newestFirst,
              ...(instrument === undefined ? {} : { instrument }),
            };
            const page = (await arrivals(store.trades(query))).filter((n) => n >= first && n < first + 101);
            found.push(...page);
            if (page.length < 7) break;
            after = page.at(-1) as number;
          }
          const all = Array.from({ length: 101 }, (_, i) => first + i).filter(
            (_, i) => instrument === undefined || i % 2 === 0,
          );
          expect(found).toEqual(newestFirst ? all.toReversed() : all);
        }
      }
    });

    it('QY-2 takes time ranges as closed-open', async () => {
      const columns = trades('range', ['A'], 4_000_000, 10);
      columns.eventSubNs[4] = 999_999;
      await store.writeTrades([columns], token());
      const at = async (from: number, to: number): Promise<number[]> =>
        (await arrivals(store.trades({ instrument: 'range:A', fromMs: START_MS + from, toMs: START_MS + to }))).map(
          (n) => n - 4_000_000,
        );
      expect(await at(3, 5)).toEqual([3, 4]);
      expect(await at(5, 5)).toEqual([]);
      expect(await at(6, 5)).toEqual([]);
      expect(await at(-10, 1)).toEqual([0]);
      expect(await at(9, 1e12)).toEqual([9]);
    });

    it('MD-5 lets the receive time stand for a missing event time of a quote', async () => {
      const columns = quoteColumns(2);
      columns.length = 2;
      columns.instruments.intern('noTime:A'.toLowerCase().replace(':a', ':A'));
      columns.eventMs.set([NO_TIME, START_MS + 5]);
      columns.recvMs.set([START_MS + 1, START_MS]);
      columns.arrival.set([5_000_000, 5_000_001]);
      await store.writeQuotes([columns], token('quotes'));
      const find = (fromMs: number, toMs: number): Promise<number[]> =>
        arrivals(store.quotes({ instrument: 'notime:A', fromMs, toMs }));
      expect(await find(START_MS, START_MS + 2)).toEqual([5_000_000]);
      expect(await find(START_MS + 2, START_MS + 9)).toEqual([5_000_001]);
      const [row] = await rows(store.quotes({ instrument: 'notime:A' }));
      expect(row?.['eventMs']).toBe(NO_TIME);
    });

    it('MD-2 treats hostile names as names', async () => {
      for (const instrument of ["x:' OR 1=1 --", 'x:\\', 'nothing', ':', 'x:', "x':A"]) {
        expect(await rows(store.trades({ instrument }))).toEqual([]);
        expect(await store.stats(instrument)).toBeUndefined();
      }
      const odd = trades('odd', ['a.b_c-d/e'], 6_000_000, 2);
      await store.writeTrades([odd], token());
      expect(await rows(store.trades({ instrument: 'odd:a.b_c-d/e' }))).toEqual(plainTicks(odd));
    });

    it('MD-3 knows its instruments: places, first and last time, counts', async () => {
      const columns = trades('known', ['A'], 7_000_000, 3);
      columns.sizeDecimals[1] = 8;
      columns.eventMs[2] = START_MS - 500;
      await store.writeTrades([columns], token());
      const quotes = quoteColumns(1);
      quotes.length = 1;
      quotes.instruments.intern('known:A');
      quotes.eventMs[0] = START_MS + 900;
      quotes.bidPriceDecimals[0] = 4;
      quotes.arrival[0] = 7_000_003;
      await store.writeQuotes([quotes], token('quotes'));
      expect((await store.instruments()).find((row) => row.venue === 'known')).toEqual({
        venue: 'known',
        symbol: 'A',
        priceScale: 4,
        sizeScale: 8,
        firstEventMs: START_MS - 500,
        lastEventMs: START_MS + 900,
        trades: 3,
        quotes: 1,
      });
    });

    it('ST-3 keeps of a bar the higher (revision, trade count), in whatever order they are written', async () => {
      const versions = [
        bar({ state: 'provisional', revision: 0, tradeCount: 3, close: 1 }),
        bar({ state: 'provisional', revision: 0, tradeCount: 9, close: 2 }),
        bar({ state: 'final', revision: 1, tradeCount: 8, close: 3 }),
        bar({ state: 'revised', revision: 2, tradeCount: 7, close: 4 }),
      ];
      let runs = 0;
      await fc.assert(
        fc.asyncProperty(fc.shuffledSubarray(versions, { minLength: 1 }), async (written) => {
          const instrument = `versions:I${runs++}`;
          for (const version of written) await store.writeBars([{ ...version, instrument }], token('aggregates-1m'));
          const best = versions.findLast((version) => written.includes(version));
          const stored = await list(store.bars({ instrument, timeframe: '1m' }));
          expect(stored.map(({ close }) => close)).toEqual([best?.close]);
        }),
        { numRuns: 10 },
      );
    });

    it('MD-1 WN-4 WN-9 gives bars back exactly: sums beyond 64 bits, no prices, all timeframes', async () => {
      const bars = TIMEFRAMES.map((timeframe, i) =>
        bar({
          instrument: 'exact:A',
          timeframe,
          startMs: i === 0 ? 0 : START_MS,
          open: Number.NaN,
          high: MAX,
          low: -MAX,
          close: i,
          volume: 2n ** 100n + 1n,
          buyVolume: -(2n ** 64n),
          sellVolume: 0n,
          pv: -(2n ** 200n) - 1n,
          tradeCount: 4_294_967_295,
          revision: 4_294_967_295,
          priceScale: 18,
        }),
      );
      await store.writeBars(bars, token('aggregates'));
      for (const expected of bars)
        expect(await list(store.bars({ instrument: 'exact:A', timeframe: expected.timeframe }))).toEqual([expected]);
    });

    it('QY-3 lists bars by venue, symbol, start, and pages through them', async () => {
      const bars = ['zz:A', 'aa:B', 'aa:A'].flatMap((instrument) =>
        [3, 1, 2].map((minute) => bar({ instrument, timeframe: '5m', startMs: minute * 300_000 })),
      );
      await store.writeBars(bars, token('aggregates-5m'));
      const at = (found: Bar[]): string[] =>
        found
          .filter((b) => bars.some((x) => x.instrument === b.instrument))
          .map((b) => `${b.instrument} ${b.startMs / 300_000}`);
      expect(at(await list(store.bars({ timeframe: '5m', fromMs: 300_000, toMs: 1_200_000 })))).toEqual([
        'aa:A 1',
        'aa:A 2',
        'aa:A 3',
        'aa:B 1',
        'aa:B 2',
        'aa:B 3',
        'zz:A 1',
        'zz:A 2',
        'zz:A 3',
      ]);
      expect(at(await list(store.bars({ timeframe: '5m', instrument: 'aa:B', newestFirst: true, limit: 2 })))).toEqual([
        'aa:B 3',
        'aa:B 2',
      ]);
      expect(at(await list(store.bars({ timeframe: '5m', instrument: 'aa:B', after: 300_000 })))).toEqual([
        'aa:B 2',
        'aa:B 3',
      ]);
      expect(
        at(await list(store.bars({ timeframe: '5m', instrument: 'aa:B', after: 900_000, newestFirst: true }))),
      ).toEqual(['aa:B 2', 'aa:B 1']);
      expect(await list(store.bars({ timeframe: '15m', instrument: 'aa:B' }))).toEqual([]);
    });

    it('ST-3 WN-11 replaces a profile as a whole', async () => {
      await store.writeProfiles([profile({ revision: 1 })], token('volume-profile-5m'));
      const [only] = profile().rows;
      const next = profile({ revision: 2, state: 'revised', rows: [{ ...only!, volume: 2n ** 90n }] });
      await store.writeProfiles([next], token('volume-profile-5m'));
      await store.writeProfiles([profile({ revision: 1 })], token('volume-profile-5m'));
      await store.writeProfiles([profile({ startMs: START_MS + 300_000, rows: [] })], token('volume-profile-5m'));
      expect(await list(store.profiles({ instrument: 'profiles:BHP', toMs: START_MS + 1 }))).toEqual([next]);
      expect((await list(store.profiles({ instrument: 'profiles:BHP' }))).map(({ rows }) => rows.length)).toEqual([
        1, 0,
      ]);
    });

    it('WN-12 keeps the newest statistics, figures that are not known too', async () => {
      const unknown = stats({
        eventMs: START_MS + 1,
        lastPrice: Number.NaN,
        spread: Number.NaN,
        vwap30s: Number.NaN,
        change: Number.NaN,
      });
      await store.writeStats([unknown], token('statistics'));
      await store.writeStats([stats()], token('statistics'));
      expect(await store.stats('stats:BHP')).toEqual(unknown);
      const later = stats({ eventMs: START_MS + 1, dayTrades: 46 });
      await store.writeStats([later], token('statistics'));
      expect(await store.stats('stats:BHP')).toEqual(later);
    });

    it('MD-9 keeps dead letters once each', async () => {
      const letter = {
        partition: 0,
        offset: 5,
        timestampMs: START_MS,
        source: 'tape "x"',
        line: 17,
        reason: 'not_positive',
        excerpt: 'a,b\n\t☃',
      };
      const letters = [letter, { ...letter, offset: 6 }];
      const first = token('dead-letter');
      await store.writeDeadLetters(letters, first);
      await store.writeDeadLetters(letters, first);
      expect(await list(store.deadLetters())).toEqual(letters);
    });

    it('ST-1 migrates once, and is as it was after close and open', async () => {
      expect((await store.migrate()).applied).toEqual([]);
      const before = await store.instruments();
      await store.close();
      store = await fixture.open();
      expect(await store.instruments()).toEqual(before);
      expect(await list(store.profiles({ instrument: 'profiles:BHP' }))).toHaveLength(2);
      await store.ping();
    });

    it('ST-2 takes empty batches', async () => {
      await store.writeTrades([], token());
      await store.writeTrades([tradeColumns(0)], token());
      await store.writeBars([], token());
      await store.writeProfiles([], token());
      await store.writeStats([], token());
      await store.writeDeadLetters([], token());
    });
  });
}
