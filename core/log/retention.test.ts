import * as fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { MemoryLog } from '../../test/support/memory-log.ts';
import { silentLogger } from '../ops/logger.ts';
import { createRetention } from './retention-service.ts';
import { applyRetention, firstAtOrAfter } from './retention.ts';

async function filled(gaps: readonly number[]): Promise<{ log: MemoryLog; times: number[] }> {
  const clock = new ManualClock(1_000);
  const log = new MemoryLog(clock);
  await log.ensureTopics([
    { name: 'a', partitions: 1 },
    { name: 'b', partitions: 1 },
  ]);
  const times: number[] = [];
  for (const gap of gaps) {
    clock.advance(gap);
    times.push(clock.nowMs());
    const transaction = await log.transaction('t');
    transaction.append('a', 0, new Uint8Array(1));
    transaction.append('b', 0, new Uint8Array(1));
    await transaction.commit();
  }
  return { log, times };
}

it('LG-1 finds the first record of a time', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 5 })),
      fc.nat({ max: 100 }),
      fc.nat({ max: 5 }),
      async (gaps, at, dropped) => {
        const { log, times } = await filled(gaps);
        await log.truncate('a', 0, dropped);
        const { start } = await log.bounds('a', 0);
        const index = times.findIndex((time) => time >= 1_000 + at);
        expect(await firstAtOrAfter(log, 'a', 0, 1_000 + at)).toBe(Math.max(start, index < 0 ? times.length : index));
      },
    ),
  );
});

it('LG-7 drops what is old, but nothing that a group has still to read', async () => {
  const { log } = await filled([10, 10, 10, 10, 10]);
  const transaction = await log.transaction('t');
  transaction.commitOffset('sink', 'a', 0, 4);
  transaction.commitOffset('windows', 'a', 0, 2);
  await transaction.commit();
  const options = { beforeMs: () => 1_035, groups: { a: ['sink', 'windows'] } };
  expect(await applyRetention(log, options)).toBe(2 + 3);
  expect(await log.bounds('a', 0)).toEqual({ start: 2, end: 5 });
  expect(await log.bounds('b', 0)).toEqual({ start: 3, end: 5 });
  expect(await applyRetention(log, options)).toBe(0);
  expect(await applyRetention(log, { beforeMs: () => 0, groups: {} })).toBe(0);
});

it('LG-11 keeps a topic that has no age, and lets the others go every interval until it is drained', async () => {
  const { log } = await filled([10, 10, 10]);
  const clock = new ManualClock(10_000);
  const service = createRetention({
    log,
    clock,
    logger: silentLogger,
    retentionMs: (topic) => (topic === 'a' ? 100 : undefined),
    groups: {},
    intervalMs: 1_000,
  });
  const running = service.run();
  await vi.waitFor(async () => expect((await log.bounds('a', 0)).start).toBe(3));
  expect(await log.bounds('b', 0)).toEqual({ start: 0, end: 3 });
  const transaction = await log.transaction('t');
  transaction.append('a', 0, new Uint8Array(1));
  await transaction.commit();
  clock.advance(1_000);
  await vi.waitFor(async () => expect((await log.bounds('a', 0)).end).toBe(4));
  await service.drain();
  await running;
});
