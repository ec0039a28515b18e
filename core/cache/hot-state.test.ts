import { describe, expect, it } from 'vitest';
import type { Bar, QuoteState, TradeEvent } from '#shared/bars.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { InstrumentRow, MarketStore } from '../stores/stores.ts';
import { barCodec, barsCodec, priceCodec } from './codecs.ts';
import { HotState } from './hot-state.ts';
import { barKey, barVersion, historyKey, orderKey, priceKey, referenceKey } from './keys.ts';
import { LruHotCache } from './lru.ts';
import { ReadThrough } from './read-through.ts';
import { warmUp } from './warm-up.ts';
import { writeThrough } from './write-through.ts';

const bar: Bar = {
  instrument: 'asx:BHP',
  timeframe: '1m',
  startMs: 1_394_398_800_000,
  priceScale: 2,
  sizeScale: 0,
  open: 3_623,
  high: 3_640,
  low: 3_600,
  close: 3_610,
  volume: 2n ** 70n,
  buyVolume: 1n,
  sellVolume: 0n,
  pv: 2n ** 90n,
  tradeCount: 3,
  state: 'provisional',
  revision: 0,
};
const trade: TradeEvent = {
  instrument: 'asx:BHP',
  priceScale: 2,
  sizeScale: 0,
  eventMs: 1_000,
  price: 3_610,
  size: 5,
  side: 1,
  tradeId: '',
  conditions: '',
  action: 0,
};
const quote: QuoteState = {
  instrument: 'asx:BHP',
  priceScale: 2,
  sizeScale: 0,
  eventMs: 1_500,
  bidPrice: 3_609,
  bidSize: Number.NaN,
  askPrice: 3_611,
  askSize: 7,
};

function setup(): { clock: ManualClock; cache: LruHotCache; reads: ReadThrough; hot: HotState } {
  const clock = new ManualClock();
  const cache = new LruHotCache({ clock });
  const reads = new ReadThrough({ cache, clock });
  return { clock, cache, reads, hot: new HotState({ cache, reads, clock }) };
}

describe('codecs of the cache', () => {
  it('MD-1 give back bars and prices exactly, without prices and past 2^53 too', () => {
    const bare = { ...bar, open: Number.NaN, high: Number.NaN, low: Number.NaN, close: Number.NaN };
    for (const each of [bar, bare]) expect(barCodec.decode(barCodec.encode(each))).toEqual(each);
    expect(barsCodec.decode(barsCodec.encode([bar, bare]))).toEqual([bar, bare]);
    for (const price of [
      { trade, quote },
      { trade, quote: undefined },
      { trade: undefined, quote },
    ]) {
      expect(priceCodec.decode(priceCodec.encode(price))).toEqual(price);
    }
  });

  it('take nothing that is not theirs', () => {
    const broken = [
      '',
      'x',
      'null',
      '[]',
      '{}',
      '[1]',
      '{"instrument":"a:B"}',
      '{"trade":{},"quote":1}',
      '"text"',
      '7',
    ];
    for (const text of broken) expect(barCodec.decode(text), text).toBeUndefined();
    for (const text of ['', 'x', 'null', '{}', '[1]', '[null]', '7'])
      expect(barsCodec.decode(text), text).toBeUndefined();
    for (const text of ['', 'x', 'null', '{"trade":{},"quote":1}', '7'])
      expect(priceCodec.decode(text)).toBeUndefined();
    const encoded = JSON.parse(barCodec.encode(bar)) as Record<string, unknown>;
    for (const change of [{ volume: '1e5' }, { open: 1.5 }, { state: 'x' }, { timeframe: '2m' }, { revision: null }]) {
      expect(barCodec.decode(JSON.stringify({ ...encoded, ...change }))).toBeUndefined();
    }
  });
});

describe('hot state', () => {
  it('CF-2 writes the newest form of each bar and price once a turn', async () => {
    const { clock, cache, hot } = setup();
    for (let i = 1; i <= 100; i++) {
      hot.bar({ ...bar, tradeCount: i });
      hot.trade({ ...trade, eventMs: i, price: i });
    }
    hot.quote(quote);
    expect(cache.counters().stored).toBe(0);
    clock.advance(50);
    await hot.flush();
    expect(cache.counters().stored).toBe(2);
    const key = barKey('asx:BHP', '1m', bar.startMs);
    expect(barCodec.decode((await cache.get(key))?.value ?? '')?.tradeCount).toBe(100);
    const price = priceCodec.decode((await cache.get(priceKey('asx:BHP')))?.value ?? '');
    expect(price?.trade?.price).toBe(100);
    expect(price?.quote).toEqual(quote);
  });

  it('a late trade does not become the last price', async () => {
    const { cache, hot } = setup();
    hot.trade({ ...trade, eventMs: 2_000, price: 2 });
    hot.trade({ ...trade, eventMs: 1_000, price: 1 });
    await hot.close();
    const price = priceCodec.decode((await cache.get(priceKey('asx:BHP')))?.value ?? '');
    expect(price?.trade?.price).toBe(2);
  });

  it('WN-7 a revision drops the tile of history that holds the bar, and no other', async () => {
    const { cache, reads, hot } = setup();
    const tile = historyKey('asx:BHP', '1m', bar.startMs);
    const other = historyKey('asx:BHP', '5m', bar.startMs);
    const load = async (): Promise<{ value: Bar[]; version: number }> => ({ value: [bar], version: 1 });
    await reads.get(tile, barsCodec, load);
    await reads.get(other, barsCodec, load);
    hot.bar({ ...bar, tradeCount: 4 });
    await hot.flush();
    expect(await cache.get(tile)).toBeDefined();
    hot.bar({ ...bar, state: 'revised', revision: 2 });
    await hot.flush();
    expect(await cache.get(tile)).toBeUndefined();
    expect(await cache.get(other)).toBeDefined();
    const stored = await cache.get(barKey('asx:BHP', '1m', bar.startMs));
    expect(stored?.version).toBe(barVersion({ revision: 2, tradeCount: 3 }));
  });

  it('what comes in while a turn is being written is written in the next', async () => {
    const { clock, cache, hot } = setup();
    hot.bar(bar);
    clock.advance(50);
    hot.bar({ ...bar, state: 'final', revision: 1 });
    await hot.close();
    const stored = await cache.get(barKey('asx:BHP', '1m', bar.startMs));
    expect(barCodec.decode(stored?.value ?? '')?.state).toBe('final');
  });
});

describe('write-through', () => {
  const key = orderKey('anna', '1');
  const encode = (value: { status: string }): string => JSON.stringify(value);

  it('keeps what the store says', async () => {
    const { cache } = setup();
    await writeThrough({ cache, encode }, key, async () => ({ value: { status: 'new' }, version: 1 }));
    expect(await cache.get(key)).toEqual({ value: '{"status":"new"}', version: 1 });
  });

  it('a write that failed leaves no old answer', async () => {
    const { cache } = setup();
    await cache.put(key, '{"status":"new"}', 1);
    const write = (): Promise<never> => Promise.reject(new Error('timeout'));
    await expect(writeThrough({ cache, encode }, key, write)).rejects.toThrow('timeout');
    expect(await cache.get(key)).toBeUndefined();
    expect(await cache.fill(key, '{"status":"new"}', 1)).toBe('older');
  });

  it('of two writers the later version stays, whichever ends last', async () => {
    const { cache } = setup();
    const first = Promise.withResolvers<void>();
    const slow = writeThrough({ cache, encode }, key, async () => {
      await first.promise;
      return { value: { status: 'accepted' }, version: 2 };
    });
    await writeThrough({ cache, encode }, key, async () => ({ value: { status: 'filled' }, version: 3 }));
    first.resolve();
    await slow;
    expect((await cache.get(key))?.value).toBe('{"status":"filled"}');
  });
});

describe('warm-up', () => {
  const row = (symbol: string, trades: number): InstrumentRow => ({
    venue: 'asx',
    symbol,
    priceScale: 2,
    sizeScale: 0,
    firstEventMs: 0,
    lastEventMs: 1_000,
    trades,
    quotes: 0,
  });
  const store: Pick<MarketStore, 'instruments' | 'bars'> = {
    instruments: async () => [row('A', 5), row('BHP', 50), row('C', 10)],
    async *bars({ instrument = '', timeframe }) {
      yield [
        { ...bar, instrument, timeframe, state: 'final', revision: 1 },
        { ...bar, instrument, timeframe, startMs: bar.startMs - 60_000 },
      ];
    },
  };

  it('brings in the busiest instruments and their newest bars', async () => {
    const { cache } = setup();
    const report = await warmUp({ cache, store, timeframes: ['1m', '1d'], maxInstruments: 2 });
    expect(report).toEqual({ instruments: 2, bars: 8 });
    expect(await cache.get(referenceKey('asx:BHP'))).toBeDefined();
    expect(await cache.get(referenceKey('asx:A'))).toBeUndefined();
    expect(await cache.get(barKey('asx:C', '1d', bar.startMs))).toBeDefined();
  });

  it('ST-3 does not put an older form over one that came in live meanwhile, and stops when told', async () => {
    const { cache } = setup();
    const key = barKey('asx:BHP', '1m', bar.startMs);
    await cache.put(key, 'live', barVersion({ revision: 2, tradeCount: 1 }));
    await warmUp({ cache, store, timeframes: ['1m'] });
    expect((await cache.get(key))?.value).toBe('live');
    expect(await warmUp({ cache, store, signal: AbortSignal.abort() })).toEqual({ instruments: 0, bars: 0 });
  });
});
