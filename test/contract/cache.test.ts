/** The cache contract in the process and on Redis: one server, Sentinel, Cluster. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HotCache } from '../../core/cache/cache.ts';
import { LruHotCache } from '../../core/cache/lru.ts';
import { priceKey } from '../../core/cache/keys.ts';
import { RedisHotCache } from '../../core/cache/redis.ts';
import { readRedisTarget } from '../../core/cache/redis-target.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { redisMissing, startRedis, startSentinel, type TestRedis } from '../support/redis.ts';
import { cacheContract } from './cache.ts';

let clock: ManualClock;
cacheContract('LRU in the process', {
  async open() {
    clock = new ManualClock();
    return new LruHotCache({ clock });
  },
  async pass(ms) {
    clock.advance(ms);
  },
});

let prefixes = 0;
async function openRedis(address: string, options: { timeoutMs?: number } = {}): Promise<RedisHotCache> {
  const read = readRedisTarget(address);
  if ('fault' in read) throw new Error(read.fault);
  const cache = new RedisHotCache({
    target: read.target,
    clock: systemClock(),
    logger: silentLogger,
    prefix: `test${prefixes++}:`,
    timeoutMs: options.timeoutMs ?? 5_000,
  });
  await cache.connected(10_000);
  return cache;
}

/** Redis keeps its own time, so some of it has to pass. */
function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe.skipIf(redisMissing !== undefined)('Redis', () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
  }, 60_000);
  afterAll(async () => {
    await server.stop();
  }, 60_000);
  cacheContract('Redis, one server', { open: () => openRedis(server.address), pass });

  it('keeps each kind as long as it says', async () => {
    const cache = await openRedis(server.address);
    await cache.put(priceKey('asx:TTL'), 'x', 1);
    const keys = execFileSync('redis-cli', ['-p', `${server.port}`, 'keys', '*price:{asx:TTL}'], { encoding: 'utf8' });
    const ttl = Number(execFileSync('redis-cli', ['-p', `${server.port}`, 'pttl', keys.trim()], { encoding: 'utf8' }));
    expect(ttl).toBeGreaterThan(3_000);
    expect(ttl).toBeLessThanOrEqual(5_000);
    await cache.close();
  });
});

describe.skipIf(redisMissing !== undefined)('Redis behind Sentinel', () => {
  let server: TestRedis;
  let sentinel: TestRedis;
  beforeAll(async () => {
    server = await startRedis();
    sentinel = await startSentinel(server.port);
  }, 60_000);
  afterAll(async () => {
    await sentinel.stop();
    await server.stop();
  }, 60_000);
  cacheContract('Redis, Sentinel', {
    open: (): Promise<HotCache> => openRedis(`redis+sentinel://127.0.0.1:${sentinel.port}/edgetape`),
    pass,
  });
});

describe.skipIf(redisMissing !== undefined)('Redis Cluster', () => {
  let nodes: TestRedis[] = [];
  beforeAll(async () => {
    const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
    nodes = await Promise.all([1, 2, 3].map(() => startRedis(settings)));
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
    execFileSync('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-replicas', '0', '--cluster-yes']);
  }, 60_000);
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  });
  cacheContract('Redis, Cluster of three', {
    open: () => openRedis(`redis+cluster://127.0.0.1:${nodes[0]?.port},127.0.0.1:${nodes[1]?.port}`),
    pass,
  });
});
