import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { MARK_MS } from './cache.ts';
import { priceKey, referenceKey, type CacheKey } from './keys.ts';
import { LruHotCache } from './lru.ts';
import { ReadThrough, type Loaded, type ReadThroughCodec } from './read-through.ts';

const codec: ReadThroughCodec<number> = {
  encode: String,
  decode: (text) => (/^\d+$/.test(text) ? Number(text) : undefined),
};
const key = referenceKey('asx:BHP');

function setup(): { clock: ManualClock; cache: LruHotCache; reads: ReadThrough } {
  const clock = new ManualClock();
  const cache = new LruHotCache({ clock });
  return { clock, cache, reads: new ReadThrough({ cache, clock }) };
}

async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

/** A store whose reads end when the test says so. */
class SlowStore {
  value = 0;
  version = 0;
  reads = 0;
  open = 0;
  mostOpen = 0;
  readonly #waiting: (() => void)[] = [];

  change(): void {
    this.version++;
    this.value = this.version * 10;
  }

  async load(): Promise<Loaded<number>> {
    this.reads++;
    this.mostOpen = Math.max(this.mostOpen, ++this.open);
    // What is read is what stands there when the read begins, however late its answer is.
    const found = { value: this.value, version: this.version };
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.open--;
    return found;
  }

  /** Ends one read: the oldest, or the newest. */
  answer(newest: boolean): void {
    (newest ? this.#waiting.pop() : this.#waiting.shift())?.();
  }

  answerAll(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

describe('cache-aside', () => {
  it('a thousand readers of one key cost one read of the store', async () => {
    const { reads } = setup();
    const store = new SlowStore();
    store.change();
    const calls = Array.from({ length: 1_000 }, () => reads.get(key, codec, () => store.load()));
    await settle();
    expect(reads.inFlight).toBe(1);
    store.answerAll();
    const results = await Promise.all(calls);
    expect(new Set(results.map((result) => result?.value))).toEqual(new Set([10]));
    expect(store.reads).toBe(1);
    expect(reads.counters()).toMatchObject({ loads: 1, shared: 999 });
    expect((await reads.get(key, codec, () => store.load()))?.from).toBe('cache');
    expect(store.reads).toBe(1);
    expect(reads.inFlight).toBe(0);
  });

  it('an error goes to all who wait, is not kept, and the next reader tries again', async () => {
    const { reads } = setup();
    let tries = 0;
    const load = async (): Promise<Loaded<number>> => {
      tries++;
      throw new Error('away');
    };
    const calls = [1, 2, 3].map(() => reads.get(key, codec, load));
    expect((await Promise.allSettled(calls)).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(tries).toBe(1);
    await expect(reads.get(key, codec, load)).rejects.toThrow('away');
    expect(tries).toBe(2);
    expect(reads.counters().loadErrors).toBe(2);
  });

  it('what the store does not have is not kept', async () => {
    const { reads } = setup();
    expect(await reads.get(key, codec, async () => undefined)).toBeUndefined();
    expect((await reads.get(key, codec, async () => ({ value: 1, version: 1 })))?.from).toBe('store');
  });

  it('text that cannot be read, of an older release say, is a miss and is replaced', async () => {
    const { cache, reads } = setup();
    await cache.put(key, 'not a number', 1);
    expect(await reads.get(key, codec, async () => ({ value: 5, version: 1 }))).toMatchObject({
      value: 5,
      from: 'store',
    });
    expect(await reads.get(key, codec, async () => undefined)).toMatchObject({ value: 5, from: 'cache' });
    expect(reads.counters().undecodable).toBe(1);
  });

  it('a read that took longer than marks stand is given to its caller and not kept', async () => {
    const { clock, cache, reads } = setup();
    const store = new SlowStore();
    store.change();
    const call = reads.get(key, codec, () => store.load());
    await settle();
    clock.advance(MARK_MS);
    store.answerAll();
    expect((await call)?.value).toBe(10);
    expect(await cache.get(key)).toBeUndefined();
    expect(reads.counters().notKept).toBe(1);
  });

  it('a read that was under way when its key was dropped is not kept, even if the cache forgot the mark', async () => {
    const { cache, reads } = setup();
    const store = new SlowStore();
    store.change();
    const call = reads.get(key, codec, () => store.load());
    await settle();
    store.change();
    await reads.invalidate(key);
    await cache.close();
    store.answerAll();
    expect((await call)?.value).toBe(10);
    expect(await cache.get(key)).toBeUndefined();
  });

  it('ST-4 never gives an older value than one already announced, whatever comes in whatever order (property)', async () => {
    type Step = 'read' | 'change' | 'announce' | 'answer-oldest' | 'answer-newest' | 'second' | 'wait';
    const steps = fc.array(
      fc.constantFrom<Step>('read', 'read', 'change', 'announce', 'answer-oldest', 'answer-newest', 'second', 'wait'),
      { maxLength: 60, size: 'max' },
    );
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), fc.boolean(), async (list, versioned, brief) => {
        const { clock, reads, cache } = setup();
        const ttlMs = brief ? priceKey('asx:BHP').ttlMs : key.ttlMs;
        const at: CacheKey = { ...key, ttlMs };
        // Another process over the same cache, which hears of changes through the cache only.
        const second = new ReadThrough({ cache, clock });
        const store = new SlowStore();
        const wrong: string[] = [];
        let announced = 0;
        const pending: Promise<void>[] = [];
        const readBy = (reader: ReadThrough): void => {
          const floor = announced;
          const startedMs = clock.nowMs();
          const call = reader
            .get(at, codec, () => store.load())
            .then((result) => {
              const version = result?.version ?? -1;
              if (result?.from === 'cache' && version < floor) wrong.push(`cache gave ${version}, announced ${floor}`);
              if (result?.from === 'store' && reader === reads && version < floor)
                wrong.push(`joined ${version} < ${floor}`);
              if (result !== undefined && result.value !== result.version * 10) wrong.push('value of another version');
              if (clock.nowMs() < startedMs) wrong.push('time ran back');
            });
          pending.push(call);
        };
        for (const step of list) {
          if (step === 'read') readBy(reads);
          else if (step === 'second') readBy(second);
          else if (step === 'change') store.change();
          else if (step === 'wait') clock.advance(1_000);
          else if (step === 'announce') {
            const version = store.version;
            await reads.invalidate(at, versioned ? version : undefined);
            announced = version;
          } else store.answer(step === 'answer-newest');
          await settle();
        }
        while (store.open > 0) {
          store.answerAll();
          await settle();
        }
        await Promise.all(pending);
        expect(wrong).toEqual([]);
        expect(reads.inFlight + second.inFlight).toBe(0);
      }),
      { numRuns: 300, seed: 20_261_121 },
    );
  });

  it('is fresh for its time and not a millisecond longer than the cache says (property)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 4_000 }), { maxLength: 40, size: 'max' }), async (pauses) => {
        const { clock, reads } = setup();
        const at = priceKey('asx:BHP');
        let keptMs = Number.NEGATIVE_INFINITY;
        let loads = 0;
        for (const pause of pauses) {
          clock.advance(pause);
          const result = await reads.get(at, codec, async () => ({ value: ++loads, version: loads }));
          const ageMs = clock.nowMs() - keptMs;
          expect(result?.from).toBe(ageMs <= at.ttlMs ? 'cache' : 'store');
          if (result?.from === 'store') keptMs = clock.nowMs();
        }
      }),
      { numRuns: 200, seed: 20_261_122 },
    );
  });
});
