/** Hot cache: the in-process adapter and Redis beside it, and the share of a mixed load that the cache answers. */
import { HotState } from '../../core/cache/hot-state.ts';
import { barsCodec } from '../../core/cache/codecs.ts';
import { hitRatio, type HotCache } from '../../core/cache/cache.ts';
import { barKey, historyKey, priceKey, referenceKey } from '../../core/cache/keys.ts';
import { LruHotCache } from '../../core/cache/lru.ts';
import { ReadThrough } from '../../core/cache/read-through.ts';
import { RedisHotCache } from '../../core/cache/redis.ts';
import { readRedisTarget } from '../../core/cache/redis-target.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { bar } from '../contract/analytics.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { rng } from '../support/rng.ts';

const VALUE = 'x'.repeat(300);

export async function run(): Promise<void> {
  console.log(
    'method: 300-character values, 1,000 keys; one call after the other, then 100 at once; medians of 5 rounds',
  );
  await measure('in process (lru-cache)', new LruHotCache({ clock: systemClock() }));
  if (redisMissing === undefined) {
    const server = await startRedis();
    const read = readRedisTarget(server.address);
    if ('fault' in read) throw new Error(read.fault);
    const cache = new RedisHotCache({
      target: read.target,
      clock: systemClock({ background: true }),
      logger: silentLogger,
      timeoutMs: 5_000,
    });
    await cache.connected(10_000);
    await measure('Redis, loopback', cache);
    await cache.close();
    await server.stop();
  }
  await mixedLoad();
}

async function measure(name: string, cache: HotCache): Promise<void> {
  const keys = Array.from({ length: 1_000 }, (_, i) => referenceKey(`asx:S${i}`));
  let version = 0;
  const puts: number[] = [];
  const gets: number[] = [];
  const many: number[] = [];
  const waits: number[] = [];
  for (let round = 0; round < 5; round++) {
    version++;
    puts.push(await perSecond(keys.length, () => Promise.all(keys.map((key) => cache.put(key, VALUE, version)))));
    gets.push(
      await perSecond(keys.length, async () => {
        for (const key of keys) {
          const startMs = performance.now();
          await cache.get(key);
          waits.push(performance.now() - startMs);
        }
      }),
    );
    many.push(
      await perSecond(keys.length * 10, async () => {
        for (let i = 0; i < 100; i++) await cache.getMany(keys.slice((i % 10) * 100, (i % 10) * 100 + 100));
      }),
    );
  }
  waits.sort((a, b) => a - b);
  const at = (share: number): string => `${((waits[Math.floor(waits.length * share)] ?? 0) * 1_000).toFixed(0)} µs`;
  console.log(
    `${name}: put ${rate(puts)}/s, get one by one ${rate(gets)}/s (p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(0.9999)}), ` +
      `get 100 at once ${rate(many)}/s`,
  );
}

async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (count / (performance.now() - startMs)) * 1_000;
}

function rate(values: number[]): string {
  const median = values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return Math.round(median).toLocaleString('en');
}

/** An hour of a market in simulated time: 500 instruments trading by Zipf's law, 500 reads a second over them by the same law. */
async function mixedLoad(): Promise<void> {
  const clock = new ManualClock(1_700_000_000_000);
  const cache = new LruHotCache({ clock });
  const reads = new ReadThrough({ cache, clock });
  const hot = new HotState({ cache, reads, clock });
  const random = rng(1);
  const symbols = Array.from({ length: 500 }, (_, i) => `asx:S${i}`);
  const weights = symbols.map((_, i) => 1 / (i + 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const pick = (): string => {
    let left = random() * total;
    let at = 0;
    while (at < weights.length - 1 && (left -= weights[at] ?? 0) > 0) at++;
    return symbols[at] ?? '';
  };
  const number = { encode: String, decode: Number };
  const load = async (): Promise<{ value: number; version: number }> => ({ value: 1, version: clock.nowMs() });
  for (let second = 0; second < 3_600; second++) {
    for (let i = 0; i < 300; i++) {
      const instrument = pick();
      const trade = { instrument, priceScale: 2, sizeScale: 0, eventMs: clock.nowMs(), price: 1, size: 1, side: 0 };
      hot.trade({ ...trade, tradeId: '', conditions: '', action: 0 });
      const startMs = Math.floor(clock.nowMs() / 60_000) * 60_000;
      hot.bar(bar({ instrument, timeframe: '1m', startMs, state: 'provisional', revision: 0, tradeCount: second }));
      if (second % 60 === 2) {
        hot.bar(bar({ instrument, timeframe: '1m', startMs: startMs - 60_000, tradeCount: 3_600 }));
      }
    }
    clock.advance(1_000);
    await hot.flush();
    for (let i = 0; i < 500; i++) {
      const instrument = pick();
      const kind = random();
      const nowMs = clock.nowMs();
      if (kind < 0.5) await reads.get(priceKey(instrument), number, load);
      else if (kind < 0.7) await reads.get(barKey(instrument, '1m', Math.floor(nowMs / 60_000) * 60_000), number, load);
      else if (kind < 0.95) {
        const dayAgoMs = nowMs - Math.floor(random() * 2) * 86_400_000;
        await reads.get(historyKey(instrument, random() < 0.5 ? '1d' : '5m', dayAgoMs), barsCodec, async () => ({
          value: [],
          version: nowMs,
        }));
      } else await reads.get(referenceKey(instrument), number, load);
    }
  }
  const counters = cache.counters();
  console.log(
    `mixed load, 1 h simulated, 500 instruments, ${(counters.hits + counters.misses).toLocaleString('en')} reads ` +
      `(50 % last price, 20 % open bar, 25 % history, 5 % reference): ${(hitRatio(counters) * 100).toFixed(2)} % from the cache`,
  );
}
