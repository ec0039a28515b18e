/**
 * Write-through, for what a user must never see old: orders, balances. The store is written first and decides; the cache follows
 * with the version that the store gave.
 */
import type { HotCache } from './cache.ts';
import type { CacheKey } from './keys.ts';
import type { Loaded } from './read-through.ts';

export interface WriteThroughOptions<T> {
  cache: HotCache;
  encode: (value: T) => string;
}

/**
 * Drops the entry, writes the store, then keeps what the store says. Rejects with what `write` rejects with; the entry is gone then,
 * because a write that failed may still have taken place.
 */
export async function writeThrough<T>(
  options: WriteThroughOptions<T>,
  key: CacheKey,
  write: () => Promise<Loaded<T>>,
): Promise<Loaded<T>> {
  const { cache, encode } = options;
  await cache.invalidate(key);
  const written = await write();
  await cache.put(key, encode(written.value), written.version);
  return written;
}
