/** What every hot cache does, whatever stands behind it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hitRatio, type HotCache } from '../../core/cache/cache.ts';
import { barKey, priceKey, referenceKey, type CacheKey } from '../../core/cache/keys.ts';
import { rng } from '../support/rng.ts';

export interface CacheHarness {
  /** A new, empty cache. */
  open(): Promise<HotCache>;
  /** Lets at least this much time pass for the cache. */
  pass(ms: number): Promise<void>;
}

const key = priceKey('asx:BHP');
const brief = (ttlMs: number): CacheKey => ({ ...key, ttlMs });

export function cacheContract(name: string, harness: CacheHarness): void {
  describe(`cache: ${name}`, () => {
    let cache: HotCache;
    beforeEach(async () => {
      cache = await harness.open();
    }, 60_000);
    afterEach(async () => {
      await cache.close();
    });

    it('gives back what was put, text of any kind, and counts', async () => {
      expect(await cache.get(key)).toBeUndefined();
      const values = ['', '{"a":1}', '7|8|9', '!', '#', '1#', 'a\nb\u0000c', '📈 Ünï', 'x'.repeat(100_000)];
      for (const [version, value] of values.entries()) {
        expect(await cache.put(key, value, version)).toBe('stored');
        expect(await cache.get(key)).toEqual({ value, version });
      }
      const counters = cache.counters();
      expect(counters).toMatchObject({ hits: values.length, misses: 1, stored: values.length, errors: 0 });
      expect(hitRatio(counters)).toBeCloseTo(0.9);
      expect(cache.health().state).toBe('up');
    });

    it('gives many in the order of the keys', async () => {
      const keys = ['asx:BHP', 'asx:RIO', 'binance_spot:BTCUSDT'].map(referenceKey);
      await cache.put(keys[0] as CacheKey, 'a', 1);
      await cache.put(keys[2] as CacheKey, 'c', 1);
      const found = await cache.getMany([...keys, ...keys]);
      expect(found.map((entry) => entry?.value)).toEqual(['a', undefined, 'c', 'a', undefined, 'c']);
    });

    it('ST-3 the highest version stays, in whatever order the writes come', async () => {
      const seed = 5;
      const random = rng(seed);
      const highest = 2 ** 53 - 1;
      const versions = [0, 1, 2, 2 ** 32, 2 ** 32 + 1, 2 ** 52, highest - 1, highest];
      for (let round = 0; round < 10; round++) {
        const at = barKey('asx:BHP', '1m', round * 60_000);
        for (const version of versions.toSorted(() => random() - 0.5)) {
          if (random() < 0.5) await cache.put(at, `${version}`, version);
          else await cache.fill(at, `${version}`, version);
        }
        expect(await cache.get(at), `seed ${seed}`).toEqual({ value: `${highest}`, version: highest });
      }
      expect(await cache.put(barKey('asx:BHP', '1m', 0), 'old', 3)).toBe('older');
      expect(cache.counters().older).toBeGreaterThan(0);
    });

    it('the same version again replaces: of trades in one millisecond the last counts', async () => {
      await cache.put(key, 'first', 5);
      await cache.put(key, 'second', 5);
      expect((await cache.get(key))?.value).toBe('second');
    });

    it('an invalidation by version drops what is below it, and lets nothing below it in', async () => {
      await cache.put(key, 'one', 1);
      await cache.invalidate(key, 2);
      expect(await cache.get(key)).toBeUndefined();
      expect(await cache.fill(key, 'one', 1)).toBe('older');
      expect(await cache.put(key, 'one', 1)).toBe('older');
      expect(await cache.get(key)).toBeUndefined();
      expect(await cache.fill(key, 'two', 2)).toBe('stored');
      await cache.invalidate(key, 2);
      expect((await cache.get(key))?.value).toBe('two');
    });

    it('an invalidation without version lets no fill in, but a put', async () => {
      await cache.put(key, 'one', 1);
      await cache.invalidate(key);
      expect(await cache.get(key)).toBeUndefined();
      expect(await cache.fill(key, 'read before', 7)).toBe('older');
      expect(await cache.put(key, 'older than what was there', 0)).toBe('older');
      expect(await cache.put(key, 'two', 2)).toBe('stored');
      expect(await cache.fill(key, 'three', 3)).toBe('stored');
      expect((await cache.get(key))?.value).toBe('three');
    });

    it('marks add up: a version does not lift a mark without one', async () => {
      await cache.invalidate(key);
      await cache.invalidate(key, 4);
      expect(await cache.fill(key, 'five', 5)).toBe('older');
      expect(await cache.put(key, 'three', 3)).toBe('older');
      expect(await cache.put(key, 'four', 4)).toBe('stored');
    });

    it('an entry is gone after its time, and a write begins it anew', async () => {
      await cache.put(brief(120), 'one', 1);
      await harness.pass(60);
      await cache.put(brief(60_000), 'two', 2);
      await harness.pass(100);
      expect((await cache.get(key))?.value).toBe('two');
      const other = { ...referenceKey('asx:RIO'), ttlMs: 40 };
      await cache.put(other, 'gone soon', 9);
      await harness.pass(60);
      expect(await cache.get(other)).toBeUndefined();
      expect(await cache.put(other, 'new', 1)).toBe('stored');
    });
  });
}
