/** The cache while Redis is killed, frozen, flushed, or back with what it held before. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RedisHotCache } from '../../core/cache/redis.ts';
import { referenceKey, priceKey, type CacheKey } from '../../core/cache/keys.ts';
import { readRedisTarget } from '../../core/cache/redis-target.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { redisMissing, startRedis, type TestRedis } from '../support/redis.ts';

const key = referenceKey('asx:BHP');
const other = referenceKey('asx:RIO');
const WAIT = { timeout: 10_000, interval: 20 };

describe.skipIf(redisMissing !== undefined)('Redis away', () => {
  let server: TestRedis;
  let caches: RedisHotCache[] = [];

  beforeEach(async () => {
    // Kept on disk at once, so that a restart brings the old values back.
    server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
  });
  afterEach(async () => {
    server.thaw();
    await Promise.all(caches.map((cache) => cache.close()));
    caches = [];
    await server.stop();
  });

  async function open(options: { prefix?: string; maxPending?: number } = {}): Promise<RedisHotCache> {
    const read = readRedisTarget(server.address);
    if ('fault' in read) throw new Error(read.fault);
    const cache = new RedisHotCache({
      target: read.target,
      clock: systemClock(),
      logger: silentLogger,
      timeoutMs: 150,
      repairMs: 20,
      ...options,
    });
    caches.push(cache);
    await cache.connected(10_000);
    return cache;
  }

  const isUp = (cache: RedisHotCache): Promise<void> =>
    vi.waitFor(() => expect(cache.health()).toEqual({ state: 'up', detail: 'connected' }), WAIT);
  const isDown = (cache: RedisHotCache): Promise<void> =>
    vi.waitFor(() => expect(cache.health().state).toBe('down'), WAIT);

  it('ST-4 killed: every read is a miss at once, nothing is queued, and it says so; back: it goes on', async () => {
    const cache = await open();
    await cache.put(key, 'one', 1);
    await server.kill();
    await isDown(cache);
    const beforeMs = performance.now();
    const reads = await Promise.all(Array.from({ length: 5_000 }, () => cache.get(key)));
    expect(reads.every((entry) => entry === undefined)).toBe(true);
    expect(performance.now() - beforeMs).toBeLessThan(2_000);
    expect(await cache.put(key, 'two', 2)).toBe('away');
    expect(await cache.fill(other, 'x', 1)).toBe('away');
    expect(cache.counters()).toMatchObject({ hits: 0, misses: 5_000 });
    expect(cache.counters().errors).toBeGreaterThan(5_000);
    expect(cache.health().detail).toContain('to invalidate');
    await server.start();
    await isUp(cache);
    expect(await cache.put(key, 'three', 3)).toBe('stored');
    expect((await cache.get(key))?.value).toBe('three');
  });

  it('ST-4 what changed while Redis was away is never read old afterwards, though Redis still holds it', async () => {
    const cache = await open();
    await cache.put(key, 'old', 1);
    await cache.put(other, 'still true', 1);
    await server.kill();
    await isDown(cache);
    await cache.invalidate(key, 2);
    await server.start();
    // From the first moment on, before and after the repair.
    await vi.waitFor(async () => {
      expect(await cache.get(key)).toBeUndefined();
      expect((await cache.get(other))?.value).toBe('still true');
    }, WAIT);
    await isUp(cache);
    expect(await cache.get(key)).toBeUndefined();
    const second = await open();
    expect(await second.get(key)).toBeUndefined();
    expect((await second.get(other))?.value).toBe('still true');
  });

  it('ST-4 too many changes to remember: what stands under the prefix is cleared, and nothing else', async () => {
    const cache = await open({ prefix: 'ours:', maxPending: 3 });
    const neighbour = await open({ prefix: 'theirs:' });
    const keys: CacheKey[] = Array.from({ length: 2_500 }, (_, i) => referenceKey(`asx:S${i}`));
    await Promise.all(keys.map((each) => cache.put(each, 'old', 1)));
    await neighbour.put(key, 'kept', 1);
    await server.kill();
    await isDown(cache);
    for (const each of keys.slice(0, 5)) await cache.invalidate(each, 2);
    expect(cache.health().detail).toContain('everything to invalidate');
    await server.start();
    await isUp(cache);
    expect((await cache.getMany(keys)).every((entry) => entry === undefined)).toBe(true);
    await isUp(neighbour);
    expect((await neighbour.get(key))?.value).toBe('kept');
  });

  it('ST-4 frozen: reads are misses within the deadline, then at once; thawed: it is used again', async () => {
    const cache = await open();
    await cache.put(key, 'one', 1);
    server.freeze();
    const firstMs = performance.now();
    expect(await cache.get(key)).toBeUndefined();
    expect(performance.now() - firstMs).toBeLessThan(1_500);
    const unsure = await cache.put(other, 'maybe', 1);
    expect(unsure).toBe('away');
    await Promise.all(Array.from({ length: 30 }, () => cache.get(key)));
    await isDown(cache);
    const againMs = performance.now();
    await Promise.all(Array.from({ length: 1_000 }, () => cache.get(key)));
    expect(performance.now() - againMs).toBeLessThan(1_000);
    server.thaw();
    await vi.waitFor(async () => expect((await cache.get(key))?.value).toBe('one'), WAIT);
    await isUp(cache);
    expect(await cache.put(other, 'sure', 2)).toBe('stored');
    expect((await cache.get(other))?.value).toBe('sure');
  });

  it('ST-4 flushed: a miss, then filled again', async () => {
    const cache = await open();
    await cache.put(priceKey('asx:BHP'), 'one', 1);
    execFileSync('redis-cli', ['-p', `${server.port}`, 'flushall']);
    execFileSync('redis-cli', ['-p', `${server.port}`, 'script', 'flush']);
    expect(await cache.get(priceKey('asx:BHP'))).toBeUndefined();
    expect(await cache.fill(priceKey('asx:BHP'), 'two', 2)).toBe('stored');
    expect(cache.counters().errors).toBe(0);
    expect(cache.health().state).toBe('up');
  });

  it('refused commands (no memory, no permission) are misses and counted', async () => {
    const cache = await open();
    await cache.put(key, 'one', 1);
    execFileSync('redis-cli', ['-p', `${server.port}`, 'config', 'set', 'maxmemory', '1']);
    expect(await cache.put(key, 'two', 2)).toBe('away');
    expect(await cache.get(key)).toBeUndefined();
    expect(cache.counters().errors).toBeGreaterThan(0);
    execFileSync('redis-cli', ['-p', `${server.port}`, 'config', 'set', 'maxmemory', '0']);
    await isUp(cache);
    expect(await cache.get(key)).toBeUndefined();
    expect(await cache.put(key, 'two', 2)).toBe('stored');
  });
});
