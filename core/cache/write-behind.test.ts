import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { rng } from '../../test/support/rng.ts';
import { WriteBehind } from './write-behind.ts';

async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await Promise.resolve();
}

function setup(change: { maxBuffered?: number; failures?: number } = {}): {
  clock: ManualClock;
  batches: number[][];
  behind: WriteBehind<number>;
  fail: (times: number) => void;
} {
  const clock = new ManualClock();
  const batches: number[][] = [];
  let failures = change.failures ?? 0;
  const behind = new WriteBehind<number>({
    clock,
    maxBatch: 4,
    maxBuffered: change.maxBuffered ?? 100,
    maxDelayMs: 50,
    retryMs: 100,
    maxRetryMs: 400,
    async write(batch) {
      await Promise.resolve();
      if (failures-- > 0) throw new Error('away');
      batches.push([...batch]);
    },
  });
  return { clock, batches, behind, fail: (times) => (failures = times) };
}

describe('write-behind', () => {
  it('writes full batches at once and the rest after the delay, in order', async () => {
    const { clock, batches, behind } = setup();
    for (let i = 0; i < 10; i++) expect(behind.add(i)).toBe(true);
    await settle();
    expect(batches).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    clock.advance(49);
    await settle();
    expect(batches).toHaveLength(2);
    clock.advance(1);
    await settle();
    expect(batches[2]).toEqual([8, 9]);
    expect(behind.counters()).toEqual({ added: 10, written: 10, refused: 0, errors: 0, buffered: 0 });
    expect(clock.pending).toBe(0);
  });

  it('says when it is full, and takes more when there is room again', async () => {
    const { clock, behind, fail } = setup({ maxBuffered: 6 });
    fail(1);
    const taken = Array.from({ length: 9 }, (_, i) => behind.add(i));
    expect(taken).toEqual([true, true, true, true, true, true, false, false, false]);
    await settle();
    expect(behind.counters()).toMatchObject({ refused: 3, errors: 1, buffered: 6 });
    clock.advance(100);
    await settle();
    expect(behind.add(9)).toBe(true);
  });

  it('tries again with growing pauses; nothing is lost, doubled or out of order', async () => {
    const { clock, batches, behind } = setup({ failures: 5 });
    for (let i = 0; i < 7; i++) behind.add(i);
    const flushed = behind.flush();
    for (const pauseMs of [100, 200, 400, 400, 400]) {
      await settle();
      expect(batches).toEqual([]);
      clock.advance(pauseMs - 1);
      await settle();
      expect(batches).toEqual([]);
      clock.advance(1);
    }
    await flushed;
    expect(batches.flat()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(behind.counters().errors).toBe(5);
  });

  it('closing writes what is there; a store that is away then is said', async () => {
    const first = setup();
    for (let i = 0; i < 6; i++) first.behind.add(i);
    await first.behind.close();
    expect(first.batches.flat()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(first.behind.add(6)).toBe(false);

    const second = setup({ failures: 1_000 });
    for (let i = 0; i < 6; i++) second.behind.add(i);
    await settle();
    await expect(second.behind.close()).rejects.toThrow('away');
    expect(second.behind.counters()).toMatchObject({ buffered: 6, written: 0 });
    expect(second.clock.pending).toBe(0);
  });

  it('under random additions, failures and time, everything taken is written once and in order', async () => {
    const seed = 77;
    const random = rng(seed);
    const { clock, batches, behind, fail } = setup({ maxBuffered: 20 });
    const taken: number[] = [];
    for (let i = 0; i < 2_000; i++) {
      if (behind.add(i)) taken.push(i);
      if (random() < 0.05) fail(Math.floor(random() * 4));
      if (random() < 0.3) clock.advance(Math.floor(random() * 200));
      if (random() < 0.5) await settle();
    }
    fail(0);
    await behind.close();
    expect(batches.flat(), `seed ${seed}`).toEqual(taken);
    expect(batches.every((batch) => batch.length <= 4)).toBe(true);
  });
});
