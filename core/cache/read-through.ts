/** Cache-aside: the cache first, then the store, at most one read of the store per key at a time (single flight). */
import type { Clock } from '#shared/clock.ts';
import { MARK_MS, type HotCache } from './cache.ts';
import type { CacheKey } from './keys.ts';

export interface Loaded<T> {
  value: T;
  /** Rises with every change of the value in its store. */
  version: number;
}

export interface ReadThroughCodec<T> {
  encode(value: T): string;
  /** undefined when the text is not one of these, from an older release say: the store is asked then. */
  decode(text: string): T | undefined;
}

export interface ReadResult<T> extends Loaded<T> {
  from: 'cache' | 'store';
}

/** Sums since the start. `shared`: reads that were answered by a read of the store that was under way already. */
export interface ReadThroughCounters {
  loads: number;
  loadErrors: number;
  shared: number;
  undecodable: number;
  /** Loads that were not kept, because something changed or the load took too long. */
  notKept: number;
}

interface Flight {
  promise: Promise<Loaded<unknown> | undefined>;
  /** Whether what it read may be kept: not once the key was invalidated under it. */
  keep: boolean;
}

export class ReadThrough {
  readonly #cache: HotCache;
  readonly #clock: Clock;
  readonly #flights = new Map<string, Flight>();
  readonly #counters: ReadThroughCounters = { loads: 0, loadErrors: 0, shared: 0, undecodable: 0, notKept: 0 };

  constructor(deps: { cache: HotCache; clock: Clock }) {
    this.#cache = deps.cache;
    this.#clock = deps.clock;
  }

  /** The value of `key`; undefined when the store has none. Rejects with what `load` rejects with; errors are not kept. */
  async get<T>(
    key: CacheKey,
    codec: ReadThroughCodec<T>,
    load: () => Promise<Loaded<T> | undefined>,
  ): Promise<ReadResult<T> | undefined> {
    const entry = await this.#cache.get(key);
    if (entry !== undefined) {
      const value = codec.decode(entry.value);
      if (value !== undefined) return { value, version: entry.version, from: 'cache' };
      this.#counters.undecodable++;
    }
    const loaded = (await this.#join(key, codec, load)) as Loaded<T> | undefined;
    return loaded === undefined ? undefined : { ...loaded, from: 'store' };
  }

  /** Drops the entry; what a read of the store that is under way brings is given to its callers but not kept. */
  async invalidate(key: CacheKey, version?: number): Promise<void> {
    const flight = this.#flights.get(key.name);
    if (flight !== undefined) {
      flight.keep = false;
      this.#flights.delete(key.name);
    }
    await this.#cache.invalidate(key, version);
  }

  /** Reads of the store under way. */
  get inFlight(): number {
    return this.#flights.size;
  }

  counters(): ReadThroughCounters {
    return { ...this.#counters };
  }

  #join<T>(
    key: CacheKey,
    codec: ReadThroughCodec<T>,
    load: () => Promise<Loaded<T> | undefined>,
  ): Promise<Loaded<unknown> | undefined> {
    const known = this.#flights.get(key.name);
    if (known !== undefined) {
      this.#counters.shared++;
      return known.promise;
    }
    const { promise, resolve, reject } = Promise.withResolvers<Loaded<unknown> | undefined>();
    const flight: Flight = { promise, keep: true };
    this.#flights.set(key.name, flight);
    void this.#load(key, codec, load, flight)
      .then(resolve, reject)
      .finally(() => {
        if (this.#flights.get(key.name) === flight) this.#flights.delete(key.name);
      });
    return promise;
  }

  async #load<T>(
    key: CacheKey,
    codec: ReadThroughCodec<T>,
    load: () => Promise<Loaded<T> | undefined>,
    flight: Flight,
  ): Promise<Loaded<T> | undefined> {
    this.#counters.loads++;
    const startedMs = this.#clock.nowMs();
    let loaded: Loaded<T> | undefined;
    try {
      loaded = await load();
    } catch (error) {
      this.#counters.loadErrors++;
      throw error;
    }
    if (loaded === undefined) return undefined;
    const inTime = this.#clock.nowMs() - startedMs < MARK_MS;
    const kept =
      flight.keep && inTime && (await this.#cache.fill(key, codec.encode(loaded.value), loaded.version)) === 'stored';
    if (!kept) this.#counters.notKept++;
    return loaded;
  }
}
