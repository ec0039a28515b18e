/**
 * The cache on Redis: one server, Sentinel or Cluster, by the address. When Redis is away every read is a miss and nothing waits.
 *
 * What could not be written or invalidated is remembered by name: until it is invalidated, this process reads it as a miss. Other
 * processes may read the old form until then, at most for its time to live.
 */
import { Cluster, type Redis } from 'ioredis';
import type { Clock } from '#shared/clock.ts';
import type { Logger } from '../ops/logger.ts';
import { Guard } from '../stores/resilience.ts';
import {
  MARK_MS,
  emptyCounters,
  type CacheCounters,
  type CacheEntry,
  type CacheHealth,
  type CacheWrite,
  type HotCache,
} from './cache.ts';
import type { CacheKey } from './keys.ts';
import { connectRedis, type RedisClient } from './redis-client.ts';
import { readEntry } from './redis-scripts.ts';
import type { RedisTarget } from './redis-target.ts';

export interface RedisCacheOptions {
  target: RedisTarget;
  clock: Clock;
  logger: Logger;
  /** Stands before every key. */
  prefix?: string;
  /** How long a command may take. */
  timeoutMs?: number;
  /** Names to invalidate that are kept while Redis is away; beyond that the whole prefix is cleared when it is back. */
  maxPending?: number;
  /** How often a repair is tried. */
  repairMs?: number;
}

/** The version that an invalidation is for; undefined drops whatever is there. */
type Pending = number | undefined;

export class RedisHotCache implements HotCache {
  readonly #client: RedisClient;
  readonly #guard: Guard;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #prefix: string;
  readonly #maxPending: number;
  readonly #repairMs: number;
  readonly #counters = emptyCounters();
  readonly #pending = new Map<string, Pending>();
  #clearAll = false;
  #repairing: Promise<void> | undefined;
  #cancelRepair: (() => void) | undefined;
  #ready = false;
  #closed = false;
  #lastError = 'not connected yet';

  constructor(options: RedisCacheOptions) {
    const { clock, logger, timeoutMs = 250 } = options;
    this.#clock = clock;
    this.#logger = logger;
    this.#prefix = options.prefix ?? 'edgetape:';
    this.#maxPending = options.maxPending ?? 10_000;
    this.#repairMs = options.repairMs ?? 250;
    this.#guard = new Guard({
      name: 'redis',
      clock,
      timeoutMs,
      concurrent: 10_000,
      queued: 0,
      breakerThreshold: 0.5,
      breakerWindow: 20,
      breakerMinimum: 5,
      retryAfterMs: 250,
      maxRetryAfterMs: 2_000,
    });
    this.#client = connectRedis(options.target, timeoutMs);
    this.#client.on('error', (error: Error) => (this.#lastError = faultOf(error)));
    this.#client.on('ready', () => this.#onReady());
    this.#client.on('close', () => this.#onClose());
  }

  /** Resolves when Redis takes commands; rejects when it does not within `timeoutMs`. For the start and for tests. */
  async connected(timeoutMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#ready) resolve();
    this.#client.once('ready', resolve);
    const cancel = this.#clock.schedule(timeoutMs, () =>
      reject(new Error(`Redis does not answer: ${this.#lastError}`)),
    );
    try {
      await promise;
    } finally {
      cancel();
      this.#client.off('ready', resolve);
    }
  }

  async get(key: CacheKey): Promise<CacheEntry | undefined> {
    const entry = await this.#read(key);
    if (entry === undefined) this.#counters.misses++;
    else this.#counters.hits++;
    return entry;
  }

  async getMany(keys: readonly CacheKey[]): Promise<(CacheEntry | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  async put(key: CacheKey, value: string, version: number): Promise<CacheWrite> {
    const outcome = await this.#write(key, value, version, '0');
    const pending = this.#pending.get(key.name);
    if (outcome === 'away') this.#remember(key.name, version);
    else if (pending === undefined ? outcome === 'stored' : pending <= version) this.#pending.delete(key.name);
    return outcome;
  }

  async fill(key: CacheKey, value: string, version: number): Promise<CacheWrite> {
    if (this.#clearAll || this.#pending.has(key.name)) return 'away';
    return this.#write(key, value, version, '1');
  }

  async invalidate(key: CacheKey, version?: number): Promise<void> {
    this.#counters.invalidated++;
    if (!(await this.#drop(key.name, version))) this.#remember(key.name, version);
  }

  health(): CacheHealth {
    const waiting = this.#clearAll ? 'everything' : `${this.#pending.size} names`;
    const repair = this.#clearAll || this.#pending.size > 0 ? `, ${waiting} to invalidate` : '';
    if (!this.#ready) return { state: 'down', detail: `Redis is away (${this.#lastError})${repair}` };
    if (this.#guard.state() !== 'closed')
      return { state: 'down', detail: `Redis does not answer in time (${this.#lastError})${repair}` };
    return { state: 'up', detail: `connected${repair}` };
  }

  counters(): CacheCounters {
    return { ...this.#counters };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRepair?.();
    await this.#repairing;
    this.#client.disconnect();
  }

  async #read(key: CacheKey): Promise<CacheEntry | undefined> {
    if (this.#clearAll || this.#pending.has(key.name)) return undefined;
    const text = await this.#try(() => this.#client.get(this.#prefix + key.name));
    // A write may have failed while the answer was under way.
    if (typeof text !== 'string' || this.#pending.has(key.name)) return undefined;
    return readEntry(text);
  }

  async #write(key: CacheKey, value: string, version: number, fill: '0' | '1'): Promise<CacheWrite> {
    const name = this.#prefix + key.name;
    const stored = await this.#try(() => this.#client.edgetapeWrite(name, `${version}`, value, key.ttlMs, fill));
    if (stored === undefined) return 'away';
    if (stored === 1) this.#counters.stored++;
    else this.#counters.older++;
    return stored === 1 ? 'stored' : 'older';
  }

  async #drop(name: string, version: Pending): Promise<boolean> {
    const text = version === undefined ? '' : `${version}`;
    return (await this.#try(() => this.#client.edgetapeInvalidate(this.#prefix + name, text, MARK_MS))) !== undefined;
  }

  /** The command's answer; undefined when Redis is away, slow, or refuses. GET answers null where there is nothing. */
  async #try<T>(command: () => Promise<T>): Promise<T | undefined> {
    if (!this.#ready) {
      this.#counters.errors++;
      return undefined;
    }
    try {
      return await this.#guard.run(command);
    } catch (error) {
      this.#counters.errors++;
      this.#lastError = faultOf(error);
      return undefined;
    }
  }

  #remember(name: string, version: Pending): void {
    if (this.#clearAll) return;
    if (!this.#pending.has(name) && this.#pending.size >= this.#maxPending) {
      this.#clearAll = true;
      this.#pending.clear();
      this.#logger.warn('Too much changed while Redis was away: its cache is cleared when it is back', {
        names: this.#maxPending,
      });
    } else {
      const known = this.#pending.get(name);
      const both = this.#pending.has(name) ? strongest(known, version) : version;
      this.#pending.set(name, both);
    }
    this.#repairLater();
  }

  #onReady(): void {
    this.#ready = true;
    this.#logger.info('Redis is there');
    this.#startRepair();
  }

  #onClose(): void {
    if (this.#ready && !this.#closed) this.#logger.warn('Redis is away: reads go to the stores');
    this.#ready = false;
  }

  #repairLater(): void {
    if (this.#cancelRepair !== undefined || this.#closed) return;
    this.#cancelRepair = this.#clock.schedule(this.#repairMs, () => {
      this.#cancelRepair = undefined;
      this.#startRepair();
    });
  }

  #startRepair(): void {
    if (this.#closed || this.#repairing !== undefined) return;
    this.#repairing = this.#repair().finally(() => {
      this.#repairing = undefined;
      if (this.#clearAll || this.#pending.size > 0) this.#repairLater();
    });
  }

  async #repair(): Promise<void> {
    if (!this.#ready) return;
    if (this.#clearAll) {
      const cleared = await this.#clear();
      if (!cleared) return;
      this.#clearAll = false;
    }
    for (const [name, version] of this.#pending) {
      if (this.#closed || !(await this.#drop(name, version))) return;
      if (strongest(this.#pending.get(name), version) === version) this.#pending.delete(name);
    }
  }

  /** Removes every key with the prefix, node by node. */
  async #clear(): Promise<boolean> {
    const nodes = this.#client instanceof Cluster ? this.#client.nodes('master') : [this.#client as Redis];
    for (const node of nodes) {
      let cursor = '0';
      do {
        const from = cursor;
        const page = await this.#try(() => node.scan(from, 'MATCH', `${globEscape(this.#prefix)}*`, 'COUNT', 1_000));
        if (page === undefined || this.#closed) return false;
        const keys = page[1];
        const gone = await this.#try(() => Promise.all(keys.map((key) => node.unlink(key))));
        if (gone === undefined) return false;
        cursor = page[0];
      } while (cursor !== '0');
    }
    return true;
  }
}

/** The invalidation that covers both: without a version it covers all. */
function strongest(a: Pending, b: Pending): Pending {
  return a === undefined || b === undefined ? undefined : Math.max(a, b);
}

function globEscape(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&');
}

/** What went wrong, without addresses. */
function faultOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error';
  const code = (error as Error & { code?: unknown }).code;
  return typeof code === 'string' ? code : (error.message.split('\n', 1)[0] ?? error.name);
}
