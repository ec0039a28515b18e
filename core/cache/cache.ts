/**
 * The cache port: hot state beside the stores. It may forget anything at any time; it never gives an older value than one that it
 * was told about.
 *
 * Adapters promise:
 * - An entry has a version, a number that rises with every change of what it stands for. A lower version never replaces a higher
 *   one, in whatever order the writes arrive.
 * - `invalidate` leaves a mark, so that a reader who loaded the old value before it cannot put it back behind it.
 * - No call rejects because the cache is away or slow: a read is then a miss, a write does nothing, and both are counted as errors
 *   and shown by `health` (SPEC ST-4). Nothing is queued for a cache that is away, except the names of what must be invalidated.
 */
import type { CacheKey } from './keys.ts';

export interface CacheEntry {
  value: string;
  version: number;
}

/** Outcome of a write. `older`: a newer version, or the mark of an invalidation, stands there. `away`: the cache was not reached. */
export type CacheWrite = 'stored' | 'older' | 'away';

export interface CacheHealth {
  state: 'up' | 'down';
  detail: string;
}

/** Sums since the start. Reads are `hits + misses`; an error of a read is a miss too. */
export interface CacheCounters {
  hits: number;
  misses: number;
  stored: number;
  /** Writes refused because something newer stood there. */
  older: number;
  invalidated: number;
  errors: number;
}

export interface HotCache {
  get(key: CacheKey): Promise<CacheEntry | undefined>;
  /** In the order of the keys. */
  getMany(keys: readonly CacheKey[]): Promise<(CacheEntry | undefined)[]>;
  /** Writes what is known to be true: from the log, or after a write to a store. Stored unless a higher version stands there. */
  put(key: CacheKey, value: string, version: number): Promise<CacheWrite>;
  /** Writes what was read from a store. Stored unless a higher version or a mark without version stands there. */
  fill(key: CacheKey, value: string, version: number): Promise<CacheWrite>;
  /**
   * Drops the entry. With `version`, only forms below it are dropped, and none below it comes in while the mark stands; without,
   * no `fill` comes in while the mark stands. Marks stand for `MARK_MS`.
   */
  invalidate(key: CacheKey, version?: number): Promise<void>;
  health(): CacheHealth;
  counters(): CacheCounters;
  close(): Promise<void>;
}

/** How long a mark stands. A read from a store that took longer than this must not be filled in. */
export const MARK_MS = 5_000;

export function emptyCounters(): CacheCounters {
  return { hits: 0, misses: 0, stored: 0, older: 0, invalidated: 0, errors: 0 };
}

/** Share of the reads that were answered by the cache; NaN before the first one. */
export function hitRatio(counters: CacheCounters): number {
  return counters.hits / (counters.hits + counters.misses);
}
