/** What every analytics store does, whatever database stands behind it. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bar } from '#shared/bars.ts';
import { EdgetapeError } from '#shared/errors.ts';
import { TIMEFRAME_MS, type Timeframe } from '#shared/timeframes.ts';
import type { AnalyticsStore, Watchlist } from '../../core/stores/analytics.ts';
import { rng } from '../support/rng.ts';

export interface AnalyticsHarness {
  /** A new, empty store, migrated. */
  open(): Promise<AnalyticsStore>;
}

const DAY = TIMEFRAME_MS['1d'];
const DAY_0 = Date.UTC(2014, 2, 10);
const NOBODY = '00000000-0000-4000-8000-000000000000';

export function bar(change: Partial<Bar> = {}): Bar {
  return {
    instrument: 'asx:BHP',
    timeframe: '1d',
    startMs: DAY_0,
    priceScale: 2,
    sizeScale: 0,
    open: 3623,
    high: 3640,
    low: 3600,
    close: 3610,
    volume: 1_000n,
    buyVolume: 600n,
    sellVolume: 300n,
    pv: 3_615_000n,
    tradeCount: 10,
    state: 'final',
    revision: 1,
    ...change,
  };
}

export function analyticsContract(name: string, harness: AnalyticsHarness): void {
  describe(`analytics store: ${name}`, () => {
    let store: AnalyticsStore;
    beforeEach(async () => {
      store = await harness.open();
    }, 60_000);
    afterEach(async () => {
      await store.close();
    });

    it('ST-1 a second migration finds nothing to do', async () => {
      const again = await store.migrate();
      expect(again.applied).toEqual([]);
      expect(again.version).toBeGreaterThan(0);
      await store.ping();
    });

    it('ST-3 keeps the higher (revision, trade count), whatever the order of the writes', async () => {
      const forms = [
        bar({ revision: 0, tradeCount: 3, state: 'provisional', close: 3_601 }),
        bar({ revision: 0, tradeCount: 9, state: 'provisional', close: 3_602 }),
        bar({ revision: 1, tradeCount: 9, state: 'final', close: 3_603 }),
        bar({ revision: 2, tradeCount: 8, state: 'revised', close: 3_604 }),
      ];
      const seed = 20_140_310;
      const random = rng(seed);
      for (let round = 0; round < 8; round++) {
        const startMs = DAY_0 + round * DAY;
        const order = forms.map((form) => ({ ...form, startMs })).sort(() => random() - 0.5);
        for (const form of order) await store.upsertBars([form]);
        expect(await store.bar('asx:BHP', '1d', startMs), `seed ${seed}`).toEqual({ ...forms[3], startMs });
      }
    });

    it('ST-3 counts what was new or newer; the same batch again changes nothing', async () => {
      const batch = [bar(), bar({ instrument: 'asx:RIO' }), bar({ revision: 2, state: 'revised', close: 3_605 })];
      expect(await store.upsertBars(batch)).toBe(2);
      expect(await store.upsertBars(batch)).toBe(0);
      expect(await store.upsertBars([])).toBe(0);
      expect((await store.bar('asx:BHP', '1d', DAY_0))?.revision).toBe(2);
    });

    it('MD-1 gives back every bar exactly, sums past 2^64 and bars without prices included', async () => {
      const integer = fc.bigInt({ min: 0n, max: 10n ** 30n });
      const arbitrary = fc
        .record({
          instrument: fc.constantFrom('asx:BHP', 'binance_spot:BTCUSDT', 'fx:EUR/USD', 'x:a.b-c_d'),
          timeframe: fc.constantFrom<Timeframe>('1m', '5m', '15m', '1h', '1d'),
          minute: fc.integer({ min: 0, max: 68_000_000 }),
          priceScale: fc.integer({ min: 0, max: 18 }),
          sizeScale: fc.integer({ min: 0, max: 18 }),
          prices: fc.option(
            fc.array(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { minLength: 4, maxLength: 4 }),
          ),
          buyVolume: integer,
          sellVolume: integer,
          rest: integer,
          pv: integer,
          tradeCount: fc.integer({ min: 0, max: 2 ** 40 }),
          revision: fc.integer({ min: 0, max: 1_000_000 }),
        })
        .map(({ minute, prices, rest, ...fields }): Bar => {
          const [a, b, c, d] = (prices ?? [Number.NaN, Number.NaN, Number.NaN, Number.NaN]).sort((x, y) => x - y);
          const startMs =
            Math.floor((minute * 60_000) / TIMEFRAME_MS[fields.timeframe]) * TIMEFRAME_MS[fields.timeframe];
          return {
            ...fields,
            startMs,
            low: a as number,
            open: b as number,
            close: c as number,
            high: d as number,
            volume: fields.buyVolume + fields.sellVolume + rest,
            state: fields.revision === 0 ? 'provisional' : fields.revision === 1 ? 'final' : 'revised',
          };
        });
      const sample = fc.sample(arbitrary, { numRuns: 60, seed: 7 });
      const unique = [...new Map(sample.map((b) => [`${b.instrument} ${b.timeframe} ${b.startMs}`, b])).values()];
      await store.upsertBars(unique);
      for (const expected of unique) {
        expect(await store.bar(expected.instrument, expected.timeframe, expected.startMs)).toEqual(expected);
      }
    });

    it('ST-3 writers that run at once, in opposite orders, end with the newest form of each bar', async () => {
      const bars = Array.from({ length: 200 }, (_, i) => bar({ timeframe: '1m', startMs: DAY_0 + i * 60_000 }));
      const revised = bars.map((b) => ({ ...b, revision: 2, state: 'revised' as const, close: 3_605 }));
      await Promise.all([store.upsertBars(bars), store.upsertBars([...revised].reverse()), store.upsertBars(bars)]);
      for (const at of [0, 99, 199]) {
        expect(await store.bar('asx:BHP', '1m', DAY_0 + at * 60_000)).toEqual(revised[at]);
      }
    });

    it('derives days, volumes and returns from the bars', async () => {
      const closes = {
        'asx:BHP': [3_600, 3_636, 3_600, undefined, 3_672],
        'asx:RIO': [6_000, 6_060, 6_000, 6_060, 6_120],
      };
      const bars: Bar[] = [];
      for (const [instrument, list] of Object.entries(closes)) {
        for (const [day, close] of list.entries()) {
          const startMs = DAY_0 + day * DAY;
          const price = close ?? Number.NaN;
          bars.push(bar({ instrument, startMs, open: price, high: price, low: price, close: price }));
          bars.push(bar({ instrument, timeframe: '1h', startMs, open: price, high: price, low: price, close: price }));
        }
      }
      await store.upsertBars(bars);
      await store.refresh('derived');
      await store.refresh('correlation');

      const days = await store.dailyBars({ instruments: ['asx:BHP'], fromMs: DAY_0, toMs: DAY_0 + 4 * DAY });
      expect(days.map((day) => [day.dayMs, day.close, day.volume, day.pv, day.state, day.revision])).toEqual([
        [DAY_0, '36', '1000', '36150', 'final', 1],
        [DAY_0 + DAY, '36.36', '1000', '36150', 'final', 1],
        [DAY_0 + 2 * DAY, '36', '1000', '36150', 'final', 1],
        [DAY_0 + 3 * DAY, null, '1000', '36150', 'final', 1],
      ]);

      const volumes = await store.volumeBySymbol({ fromMs: DAY_0, toMs: DAY_0 + 2 * DAY });
      expect(volumes).toEqual(
        ['asx:BHP', 'asx:RIO'].map((instrument) => ({
          instrument,
          volume: '2000',
          buyVolume: '1200',
          sellVolume: '600',
          pv: '72300',
          tradeCount: 20,
          hours: 2,
        })),
      );

      const returns = await store.dailyReturns({ instruments: ['asx:BHP'] });
      expect(returns).toEqual([
        { instrument: 'asx:BHP', dayMs: DAY_0 + DAY, close: '36.36', previousClose: '36', dailyReturn: '0.01' },
        {
          instrument: 'asx:BHP',
          dayMs: DAY_0 + 2 * DAY,
          close: '36',
          previousClose: '36.36',
          dailyReturn: '-0.009900990099',
        },
        { instrument: 'asx:BHP', dayMs: DAY_0 + 4 * DAY, close: '36.72', previousClose: '36', dailyReturn: '0.02' },
      ]);

      const [pair, ...others] = await store.correlation({});
      expect(others).toEqual([]);
      const x = [0.01, -0.009900990099, 0.02];
      const y = [0.01, -0.009900990099, 0.009900990099];
      expect(pair).toMatchObject({ a: 'asx:BHP', b: 'asx:RIO', sampleSize: 3 });
      expect(Number(pair?.correlation)).toBeCloseTo(pearson(x, y), 9);
      const ranged = await store.correlation({ fromMs: DAY_0, toMs: DAY_0 + 30 * DAY });
      expect(ranged).toEqual([pair]);
      expect(await store.correlation({ minSample: 4 })).toEqual([]);
      expect(await store.correlation({ fromMs: DAY_0, toMs: DAY_0 + 2 * DAY })).toEqual([]);
      expect(await store.correlation({ instruments: ['asx:BHP'] })).toEqual([]);
    });

    it('WN-7 a revision comes through to what is derived', async () => {
      await store.upsertBars([bar(), bar({ startMs: DAY_0 + DAY })]);
      await store.refresh('derived');
      await store.upsertBars([bar({ startMs: DAY_0 + DAY, close: 3_636, revision: 2, state: 'revised' })]);
      await store.refresh('derived');
      const [, day] = await store.dailyBars({});
      expect(day).toMatchObject({ close: '36.36', state: 'revised', revision: 2 });
      expect(await store.dailyReturns({})).toMatchObject([{ close: '36.36', previousClose: '36.1' }]);
    });

    it('a correlation with one that never moved is null, not a number', async () => {
      const bars = [0, 1, 2].flatMap((day) => [
        bar({ startMs: DAY_0 + day * DAY, close: 3_610 + day }),
        bar({ instrument: 'asx:RIO', startMs: DAY_0 + day * DAY }),
      ]);
      await store.upsertBars(bars);
      await store.refresh('derived');
      await store.refresh('correlation');
      expect(await store.correlation({})).toEqual([{ a: 'asx:BHP', b: 'asx:RIO', sampleSize: 2, correlation: null }]);
    });

    it('watchlists: order kept, versions checked, nobody sees another user’s', async () => {
      const anna = await store.user('anna');
      const berta = await store.user('berta');
      expect(await store.user('anna')).toEqual(anna);
      const symbols = ['binance_spot:BTCUSDT', 'asx:BHP', 'fx:EUR/USD'];
      const saved = await store.saveWatchlist(anna.id, { name: 'Main', symbols });
      if (saved.outcome !== 'saved') throw new Error(saved.outcome);
      const first: Watchlist = saved.value;
      expect(first).toEqual({ id: first.id, name: 'Main', symbols, version: 1 });
      expect(await store.saveWatchlist(anna.id, { name: 'Main', symbols: [] })).toEqual({ outcome: 'name_taken' });

      const changed = { ...first, symbols: symbols.toReversed() };
      const second = await store.saveWatchlist(anna.id, changed);
      expect(second).toEqual({ outcome: 'saved', value: { ...changed, version: 2 } });
      expect(await store.saveWatchlist(anna.id, changed)).toEqual({
        outcome: 'conflict',
        current: { ...changed, version: 2 },
      });
      expect(await store.watchlists(anna.id)).toEqual([{ ...changed, version: 2 }]);

      expect(await store.watchlists(berta.id)).toEqual([]);
      expect(await store.saveWatchlist(berta.id, { ...changed, version: 2 })).toEqual({
        outcome: 'conflict',
        current: undefined,
      });
      expect(await store.deleteWatchlist(berta.id, first.id)).toBe(false);
      expect(await store.deleteWatchlist(anna.id, first.id)).toBe(true);
      expect(await store.deleteWatchlist(anna.id, first.id)).toBe(false);
      expect(await store.watchlists(anna.id)).toEqual([]);
    });

    it('of writers that saw the same version, one wins', async () => {
      const { id: userId } = await store.user('anna');
      const saved = await store.saveLayout(userId, { name: 'Desk', body: { panels: [] } });
      if (saved.outcome !== 'saved') throw new Error(saved.outcome);
      const writers = Array.from({ length: 6 }, (_, i) =>
        store.saveLayout(userId, { ...saved.value, body: { panels: [i] } }),
      );
      const outcomes = (await Promise.all(writers)).map(({ outcome }) => outcome).sort();
      expect(outcomes).toEqual(['conflict', 'conflict', 'conflict', 'conflict', 'conflict', 'saved']);
      const [layout] = await store.layouts(userId);
      expect(layout?.version).toBe(2);
    });

    it('ER-3 hostile names, symbols and ids are refused or kept as they are, never run', async () => {
      const { id } = await store.user(`x'; DROP TABLE users; --`);
      const name = `"; DELETE FROM layouts WHERE 'a'='a`;
      const body = { note: `$1 ' " \\ ; --`, nested: { emoji: '📈' } };
      const saved = await store.saveLayout(id, { name, body });
      expect(saved).toMatchObject({ outcome: 'saved', value: { name, body } });
      expect(await store.layouts(id)).toMatchObject([{ name, body }]);
      const codes = [
        store.saveWatchlist(id, { name: 'a', symbols: [`asx:BHP'; --`] }),
        store.saveWatchlist(id, { name: 'a', symbols: ['asx:BHP', 'asx:BHP'] }),
        store.saveWatchlist(id, { name: '', symbols: [] }),
        store.saveWatchlist(id, { name: 'nul \u0000', symbols: [] }),
        store.saveLayout(id, { name: 'big', body: { text: 'x'.repeat(300_000) } }),
        store.saveLayout(id, { name: 'nul', body: { text: '\u0000' } }),
        store.saveLayout(`' OR 1=1 --`, { name: 'a', body: {} }),
        store.saveLayout(NOBODY, { name: 'a', body: {} }),
      ].map(async (attempt) => {
        try {
          return (await attempt).outcome;
        } catch (error) {
          return error instanceof EdgetapeError ? error.code : String(error);
        }
      });
      expect(await Promise.all(codes)).toEqual([
        'bad_request',
        'bad_request',
        'bad_request',
        'bad_request',
        'too_large',
        'bad_request',
        'not_found',
        'not_found',
      ]);
      expect(await store.watchlists(`' OR 1=1 --`)).toEqual([]);
      expect(await store.deleteLayout(id, `' OR 1=1 --`)).toBe(false);
      expect(await store.layouts(id)).toHaveLength(1);
    });

    it('the audit trail is numbered without gaps and chained', async () => {
      const entries = Array.from({ length: 12 }, (_, i) => ({
        actor: 'anna',
        action: 'layout.save',
        subject: `layout/${i % 2}`,
        detail: { i },
      }));
      await Promise.all(entries.map((entry, i) => store.appendAudit(DAY_0 + i, entry)));
      const all = await store.audit({});
      expect(all.map(({ id }) => id)).toEqual(entries.map((_, i) => i + 1));
      expect(new Set(all.map(({ detail }) => detail['i']))).toEqual(new Set(entries.map((_, i) => i)));
      expect(await store.audit({ subject: 'layout/1', limit: 2 })).toHaveLength(2);
      expect((await store.audit({ afterId: 10 })).map(({ id }) => id)).toEqual([11, 12]);
      expect(await store.verifyAudit()).toBeUndefined();
    });
  });
}

function pearson(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const sum = (f: (i: number) => number): number => x.reduce((total, _, i) => total + f(i), 0);
  const covariance = sum((i) => ((x[i] ?? 0) - mx) * ((y[i] ?? 0) - my));
  return covariance / Math.sqrt(sum((i) => ((x[i] ?? 0) - mx) ** 2) * sum((i) => ((y[i] ?? 0) - my) ** 2));
}
