import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { silentLogger } from '../ops/logger.ts';
import { runAssigned, type UnitTask } from './assigned-tasks.ts';
import { aborted, type Assignment, type AssignmentHandler } from './assignment.ts';
import { LogError } from './log-error.ts';

/** A group of one whose decisions the test makes. */
function group(): Assignment & { handler: () => AssignmentHandler; confirms: boolean } {
  let handler: AssignmentHandler | undefined;
  const self = {
    confirms: true,
    handler: () => handler as AssignmentHandler,
    async run(_: number, given: AssignmentHandler, signal: AbortSignal) {
      handler = given;
      await aborted(signal);
      await Promise.all([0, 1].map((unit) => given.revoke(unit)));
    },
    confirmed: async () => self.confirms,
    held: () => [],
  };
  return self;
}

function tasks() {
  const journal: string[] = [];
  const rejects = new Map<number, (error: unknown) => void>();
  const start = (unit: number): UnitTask => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    rejects.set(unit, reject);
    return {
      async run() {
        journal.push(`run ${unit}`);
        await promise;
        journal.push(`end ${unit}`);
      },
      stop: () => (journal.push(`stop ${unit}`), resolve()),
      drop: () => (journal.push(`drop ${unit}`), resolve()),
    };
  };
  return { journal, start, fail: (unit: number, error: unknown) => rejects.get(unit)?.(error) };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

function begin() {
  const clock = new ManualClock();
  const assignment = group();
  const stop = new AbortController();
  const work = tasks();
  const done = runAssigned({
    assignment,
    units: 2,
    start: work.start,
    signal: stop.signal,
    clock,
    logger: silentLogger,
  });
  return { clock, assignment, stop, done, ...work };
}

it('LG-4 a unit is let go only when its task has ended; a lost one is dropped', async () => {
  const { assignment, stop, done, journal } = begin();
  assignment.handler().take(0);
  assignment.handler().take(1);
  await assignment.handler().revoke(0);
  expect(journal).toEqual(['run 0', 'run 1', 'stop 0', 'end 0']);
  assignment.handler().lost(1);
  await turns();
  expect(journal.slice(4)).toEqual(['drop 1', 'end 1']);
  stop.abort();
  await done;
});

it('LG-4 a fenced task gives its unit up, the others go on, and it is taken up again only when the group says it is ours', async () => {
  const { assignment, clock, stop, done, journal, fail } = begin();
  assignment.handler().take(0);
  assignment.handler().take(1);
  await turns();
  assignment.confirms = false;
  fail(0, new LogError('fenced', 'taken'));
  await turns();
  clock.advance(1_000);
  await turns();
  expect(journal).toEqual(['run 0', 'run 1']);
  assignment.confirms = true;
  clock.advance(1_000);
  await turns();
  expect(journal).toEqual(['run 0', 'run 1', 'run 0']);
  stop.abort();
  await done;
  expect(journal.slice(3).sort()).toEqual(['end 0', 'end 1', 'stop 0', 'stop 1']);
});

it('a task that fails ends the others in good order, and its error comes out', async () => {
  const { assignment, done, journal, fail } = begin();
  assignment.handler().take(0);
  assignment.handler().take(1);
  await turns();
  fail(1, new Error('disk full'));
  await expect(done).rejects.toThrow('disk full');
  expect(journal).toContain('end 0');
});
