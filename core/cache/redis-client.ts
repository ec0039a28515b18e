/** Connections to Redis as ioredis makes them, with the cache's scripts as commands. */
import { Cluster, Redis } from 'ioredis';
import { INVALIDATE_SCRIPT, WRITE_SCRIPT } from './redis-scripts.ts';
import type { RedisTarget } from './redis-target.ts';

export interface RedisScripts {
  edgetapeWrite(key: string, version: string, value: string, ttlMs: number, fill: '0' | '1'): Promise<number>;
  edgetapeInvalidate(key: string, version: string, markMs: number): Promise<number>;
}

export type RedisClient = (Redis | Cluster) & RedisScripts;

/** A client that queues nothing while Redis is away: its commands reject at once, and it comes back by itself. */
export function connectRedis(target: RedisTarget, timeoutMs: number): RedisClient {
  const scripts = {
    edgetapeWrite: { lua: WRITE_SCRIPT, numberOfKeys: 1 },
    edgetapeInvalidate: { lua: INVALIDATE_SCRIPT, numberOfKeys: 1 },
  };
  const common = {
    ...(target.username === '' ? {} : { username: target.username }),
    ...(target.password === '' ? {} : { password: target.password }),
    ...(target.tls ? { tls: {} } : {}),
    commandTimeout: timeoutMs,
    connectTimeout: 2_000,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  };
  const retryStrategy = (times: number): number => Math.min(50 * times, 1_000);
  if (target.mode === 'cluster') {
    return new Cluster(target.nodes, {
      redisOptions: common,
      clusterRetryStrategy: retryStrategy,
      enableOfflineQueue: false,
      scripts,
    }) as Cluster & RedisScripts;
  }
  const place =
    target.mode === 'sentinel'
      ? {
          sentinels: target.nodes,
          name: target.masterName,
          sentinelRetryStrategy: retryStrategy,
          enableTLSForSentinelMode: target.tls,
        }
      : { host: target.nodes[0]?.host ?? '127.0.0.1', port: target.nodes[0]?.port ?? 6_379 };
  return new Redis({
    ...common,
    ...place,
    db: target.db,
    retryStrategy,
    enableOfflineQueue: false,
    scripts,
  }) as Redis & RedisScripts;
}
