/**
 * Runs services and takes them down in a stated order (DESIGN §5). One that fails takes the others down with it, in the same
 * order, so that what they hold is kept.
 */
import type { Clock } from '#shared/clock.ts';
import type { Service } from '../service.ts';
import type { Logger } from './logger.ts';

export interface Failure {
  service: string;
  error: unknown;
}

/** One step of going down. */
export interface DrainStep {
  name: string;
  drain(): Promise<unknown>;
}

export interface Supervisor {
  /** Runs it until it ends. The promise resolves when it has, and never rejects: failures come out of `failed`. */
  start(service: Service): Promise<void>;
  /** Resolves with the first failure of a service, else never. */
  readonly failed: Promise<Failure>;
  failure(): Failure | undefined;
  /** The work's result, or the failure of a service if that comes first. */
  unlessFailed<T>(work: Promise<T>): Promise<T>;
  /** Takes the steps one after the other, each at most `stepTimeoutMs` long. Resolves with the names of those that did not end well. */
  drain(steps: readonly DrainStep[], stepTimeoutMs: number): Promise<string[]>;
}

/** A service of the process ended with an error; the cause is that error. */
export class ServiceFailed extends Error {
  readonly service: string;

  constructor(failure: Failure) {
    super(
      `${failure.service} cannot go on: ${failure.error instanceof Error ? failure.error.message : String(failure.error)}`,
      {
        cause: failure.error,
      },
    );
    this.name = 'ServiceFailed';
    this.service = failure.service;
  }
}

export function createSupervisor(deps: { clock: Clock; logger: Logger }): Supervisor {
  const { clock, logger } = deps;
  const { promise: failed, resolve: fail } = Promise.withResolvers<Failure>();
  let first: Failure | undefined;

  return {
    failed,
    failure: () => first,
    async start(service) {
      try {
        await service.run();
        logger.debug('service ended', { service: service.name });
      } catch (error) {
        first ??= { service: service.name, error };
        const message = error instanceof Error ? error.message : String(error);
        logger.error('service failed', { service: service.name, error: message });
        if (error instanceof Error) logger.debug('where it failed', { service: service.name, stack: error.stack });
        fail({ service: service.name, error });
      }
    },
    unlessFailed(work) {
      const failure = failed.then((reason): never => {
        throw new ServiceFailed(reason);
      });
      return Promise.race([work, failure]);
    },
    async drain(steps, stepTimeoutMs) {
      const unfinished: string[] = [];
      for (const step of steps) {
        const { name } = step;
        const startedMs = clock.nowMs();
        const outcome = await bounded(() => step.drain(), stepTimeoutMs, clock);
        if (outcome !== undefined) {
          unfinished.push(name);
          logger.warn('did not drain', { part: name, reason: outcome });
        }
        logger.debug('drained', { part: name, tookMs: clock.nowMs() - startedMs });
      }
      return unfinished;
    },
  };
}

/** undefined when the work ended in time, else why not. */
async function bounded(work: () => Promise<unknown>, timeoutMs: number, clock: Clock): Promise<string | undefined> {
  const late = Promise.withResolvers<string>();
  const cancel = clock.schedule(timeoutMs, () => late.resolve(`not done after ${timeoutMs} ms`));
  const done = (async () => {
    try {
      await work();
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  })();
  try {
    return await Promise.race([done, late.promise]);
  } finally {
    cancel();
  }
}
