/** The cache in this process, for the embedded default: least recently used, bounded by size. */
import { LRUCache } from 'lru-cache';
import type { Clock } from '#shared/clock.ts';
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

interface Slot {
  /** undefined: the mark of an invalidation. */
  value: string | undefined;
  version: number;
  /** No `fill` while it stands. */
  fenced: boolean;
}

export interface LruCacheOptions {
  clock: Clock;
  /** Bound on keys and values together, in UTF-16 units. */
  maxChars?: number;
}

/** A slot's own cost beside its text, in the same unit. */
const SLOT_CHARS = 64;

export class LruHotCache implements HotCache {
  readonly #slots: LRUCache<string, Slot>;
  readonly #counters = emptyCounters();

  constructor(options: LruCacheOptions) {
    const { clock, maxChars = 64 * 1_024 * 1_024 } = options;
    this.#slots = new LRUCache({
      maxSize: maxChars,
      sizeCalculation: (slot, key) => key.length + (slot.value?.length ?? 0) + SLOT_CHARS,
      // lru-cache takes a start time of 0 for "no time"; the offset keeps clocks that start at 0 away from it.
      perf: { now: () => clock.nowMs() + 1 },
      ttl: MARK_MS,
      ttlResolution: 0,
    });
  }

  async get(key: CacheKey): Promise<CacheEntry | undefined> {
    const slot = this.#slots.get(key.name);
    if (slot?.value === undefined) {
      this.#counters.misses++;
      return undefined;
    }
    this.#counters.hits++;
    return { value: slot.value, version: slot.version };
  }

  async getMany(keys: readonly CacheKey[]): Promise<(CacheEntry | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  async put(key: CacheKey, value: string, version: number): Promise<CacheWrite> {
    return this.#write(key, value, version, false);
  }

  async fill(key: CacheKey, value: string, version: number): Promise<CacheWrite> {
    return this.#write(key, value, version, true);
  }

  async invalidate(key: CacheKey, version?: number): Promise<void> {
    this.#counters.invalidated++;
    const found = this.#slots.peek(key.name);
    if (version !== undefined && found !== undefined && found.version >= version) return;
    const mark: Slot =
      version === undefined
        ? { value: undefined, version: found?.version ?? -1, fenced: true }
        : { value: undefined, version, fenced: found?.fenced === true && found.value === undefined };
    this.#slots.set(key.name, mark, { ttl: MARK_MS });
  }

  health(): CacheHealth {
    return { state: 'up', detail: `${this.#slots.size} entries in this process` };
  }

  counters(): CacheCounters {
    return { ...this.#counters };
  }

  async close(): Promise<void> {
    this.#slots.clear();
  }

  #write(key: CacheKey, value: string, version: number, isFill: boolean): CacheWrite {
    const found = this.#slots.peek(key.name);
    if (found !== undefined && (found.version > version || (isFill && found.fenced))) {
      this.#counters.older++;
      return 'older';
    }
    this.#slots.set(key.name, { value, version, fenced: false }, { ttl: key.ttlMs });
    this.#counters.stored++;
    return 'stored';
  }
}
