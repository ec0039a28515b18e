/** One task a unit, started and stopped as units come and go. */
import type { Clock } from '#shared/clock.ts';
import type { Logger } from '../ops/logger.ts';
import type { Assignment } from './assignment.ts';
import { LogError } from './log-error.ts';

export interface UnitTask {
  /** Runs until stopped or dropped. Rejects with a LogError `fenced` when another process took the unit. */
  run(): Promise<void>;
  /** Finishes and keeps what there is. */
  stop(): void;
  /** Ends at once, keeps nothing: another process goes on from what was committed. */
  drop(): void;
}

export interface AssignedTasksOptions {
  assignment: Assignment;
  units: number;
  /** A fresh task, which takes the unit's transactional id before it reads anything. */
  start(unit: number): UnitTask;
  /** The unit has gone. */
  ended?(unit: number): void;
  signal: AbortSignal;
  clock: Clock;
  logger: Logger;
}

/** How long a unit rests after somebody took it from us, before the group is asked whether it is still ours, ms. */
const REST_MS = 1_000;

interface Held {
  task: UnitTask | undefined;
  /** Stops the work on the unit, with what is in it kept or not. */
  end(keep: boolean): void;
  ended: Promise<void>;
}

/** Resolves when `signal` has aborted and everything is given up in good order; rejects with the first failure of a task. */
export async function runAssigned(options: AssignedTasksOptions): Promise<void> {
  const { assignment, units, clock, logger } = options;
  const failed = new AbortController();
  let failure: { error: unknown } | undefined;
  const held = new Map<number, Held>();
  const signal = AbortSignal.any([options.signal, failed.signal]);

  const hold = (unit: number): Held => {
    let over = false;
    let wake = (): void => {};
    const entry: Held = {
      task: undefined,
      end(keep) {
        over = true;
        if (keep) entry.task?.stop();
        else entry.task?.drop();
        wake();
      },
      ended: Promise.resolve(),
    };
    const rest = (): Promise<void> =>
      new Promise((resolve) => {
        const cancel = clock.schedule(REST_MS, resolve);
        wake = () => {
          cancel();
          resolve();
        };
      });
    const work = async (): Promise<void> => {
      while (!over) {
        entry.task = options.start(unit);
        try {
          await entry.task.run();
          return;
        } catch (error) {
          if (!isFenced(error)) throw error;
        }
        logger.info('unit given up: another process took it, or the broker ended its transaction', { unit });
        entry.task = undefined;
        do if (!over) await rest();
        while (!over && !(await assignment.confirmed()));
      }
    };
    entry.ended = work().catch((error: unknown) => {
      if (over && !options.signal.aborted) {
        logger.warn('unit did not end in good order', { unit, error: String(error) });
        return;
      }
      failure ??= { error };
      failed.abort();
    });
    return entry;
  };

  const release = async (unit: number, keep: boolean): Promise<void> => {
    const entry = held.get(unit);
    held.delete(unit);
    entry?.end(keep);
    await entry?.ended;
    options.ended?.(unit);
  };

  await assignment.run(
    units,
    {
      take(unit) {
        held.set(unit, hold(unit));
      },
      revoke: (unit) => release(unit, true),
      lost: (unit) => void release(unit, false),
    },
    signal,
  );
  if (failure !== undefined) throw failure.error;
}

export function isFenced(error: unknown): boolean {
  return error instanceof LogError && error.code === 'fenced';
}
