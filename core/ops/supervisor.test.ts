import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { Service } from '../service.ts';
import { silentLogger } from './logger.ts';
import { createSupervisor, ServiceFailed } from './supervisor.ts';

function service(name: string, journal: string[]): Service & { fail(error: Error): void } {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return {
    name,
    run: () => promise,
    async drain() {
      journal.push(name);
      resolve();
    },
    fail: reject,
  };
}

it('drains in the stated order, and goes on when a part does not end', async () => {
  const clock = new ManualClock();
  const supervisor = createSupervisor({ clock, logger: silentLogger });
  const journal: string[] = [];
  const done = supervisor.drain(
    [
      { name: 'collector', drain: async () => void journal.push('collector') },
      { name: 'windows', drain: () => new Promise(() => {}) },
      { name: 'sink', drain: async () => Promise.reject(new Error('no disk')) },
      { name: 'query', drain: async () => void journal.push('query') },
    ],
    5_000,
  );
  for (let i = 0; i < 10; i++) await Promise.resolve();
  expect(journal).toEqual(['collector']);
  clock.advance(5_000);
  expect(await done).toEqual(['windows', 'sink']);
  expect(journal).toEqual(['collector', 'query']);
});

it('tells the first failure, and work that waits for others ends with it', async () => {
  const supervisor = createSupervisor({ clock: new ManualClock(), logger: silentLogger });
  const windows = service('windows', []);
  const ended = supervisor.start(windows);
  const waiting = supervisor.unlessFailed(new Promise(() => {}));
  windows.fail(new Error('state is from a newer version'));
  await expect(waiting).rejects.toThrow(ServiceFailed);
  await expect(waiting).rejects.toThrow('windows cannot go on: state is from a newer version');
  await ended;
  expect((await supervisor.failed).service).toBe('windows');
  expect(supervisor.failure()?.service).toBe('windows');
});

it('a service that ends when it was drained is no failure', async () => {
  const supervisor = createSupervisor({ clock: new ManualClock(), logger: silentLogger });
  const journal: string[] = [];
  const sink = service('sink', journal);
  const ended = supervisor.start(sink);
  await supervisor.drain([{ name: 'sink', drain: () => sink.drain() }], 1_000);
  await ended;
  expect(supervisor.failure()).toBeUndefined();
});
