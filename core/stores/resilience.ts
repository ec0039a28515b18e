/**
 * What stands between the product and a store that may be slow or away: a deadline, a bound on concurrent calls (bulkhead) and a
 * circuit breaker. Breaker and bulkhead are cockatiel's; time comes from the injected clock.
 *
 * A call ends in one of: the task's result, the task's own error, or a `GuardError`.
 */
import {
  BulkheadRejectedError,
  CircuitState,
  CountBreaker,
  bulkhead,
  circuitBreaker,
  handleWhen,
  type BulkheadPolicy,
  type CircuitBreakerPolicy,
  type IBackoff,
} from 'cockatiel';
import type { Clock } from '#shared/clock.ts';
import { EdgetapeError } from '#shared/errors.ts';

/** open: not tried, the store failed lately; timeout: no answer in time; full: too many calls at once. */
export type GuardFault = 'open' | 'timeout' | 'full';

export class GuardError extends EdgetapeError {
  readonly fault: GuardFault;

  constructor(fault: GuardFault, message: string) {
    super('unavailable', message);
    this.name = 'GuardError';
    this.fault = fault;
  }
}

export interface GuardOptions {
  /** Stands in messages and metrics: `clickhouse`, `postgres`, `redis`. */
  name: string;
  clock: Clock;
  /** From the call to its end, time in the queue included. */
  timeoutMs: number;
  /** Calls at once, and calls that wait for one of them. */
  concurrent: number;
  queued: number;
  /** Of the last `breakerWindow` calls (20), more than this share (0.5) failed, and at least `breakerMinimum` (5) were made. */
  breakerThreshold?: number;
  breakerWindow?: number;
  breakerMinimum?: number;
  /** How long the breaker stays open at first (1 s); it doubles with each failed trial, up to `maxRetryAfterMs` (30 s). */
  retryAfterMs?: number;
  maxRetryAfterMs?: number;
  /** A task that goes on this long after its deadline loses its place in the bulkhead (5 × timeoutMs). */
  abandonAfterMs?: number;
  /** Whether an error speaks against the store. A refused row does not; by default every error does that is not the caller's. */
  isFailure?: (error: unknown) => boolean;
  onStateChange?: (state: BreakerState) => void;
}

export type BreakerState = 'closed' | 'open' | 'half_open';

/** Sums since the start. */
export interface GuardCounters {
  calls: number;
  succeeded: number;
  /** Errors of the task itself. */
  failed: number;
  timeouts: number;
  /** Not tried because the breaker was open. */
  refused: number;
  full: number;
  /** Tasks that did not end long after their deadline. */
  abandoned: number;
}

const CALLERS_FAULT: ReadonlySet<string> = new Set([
  'bad_request',
  'bad_range',
  'bad_cursor',
  'not_found',
  'unknown_symbol',
]);

export class Guard {
  readonly #options: GuardOptions;
  readonly #bulkhead: BulkheadPolicy;
  readonly #breaker: CircuitBreakerPolicy;
  readonly #counters: GuardCounters = {
    calls: 0,
    succeeded: 0,
    failed: 0,
    timeouts: 0,
    refused: 0,
    full: 0,
    abandoned: 0,
  };
  #triesAtMs = 0;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#bulkhead = bulkhead(options.concurrent, options.queued);
    const counted = handleWhen((error) => this.#speaksAgainstStore(error));
    this.#breaker = circuitBreaker(counted, {
      breaker: new CountBreaker({
        threshold: options.breakerThreshold ?? 0.5,
        size: options.breakerWindow ?? 20,
        minimumNumberOfCalls: options.breakerMinimum ?? 5,
      }),
      halfOpenAfter: { next: () => this.#pause(1) },
    });
    this.#breaker.onStateChange(() => options.onStateChange?.(this.state()));
  }

  /** Runs the task. Its signal aborts at the deadline and when the caller's does; it should then end soon. */
  async run<T>(task: (signal: AbortSignal) => Promise<T>, caller?: AbortSignal): Promise<T> {
    caller?.throwIfAborted();
    const { name, clock, timeoutMs } = this.#options;
    this.#counters.calls++;
    if (this.#breaker.state === CircuitState.Open && clock.nowMs() < this.#triesAtMs) throw this.#refuse();
    const control = new AbortController();
    const { promise: ended, reject: end } = Promise.withResolvers<never>();
    ended.catch(() => undefined);
    const stop = (error: unknown): void => {
      end(error);
      control.abort(error);
    };
    const cancel = clock.schedule(timeoutMs, () => {
      this.#counters.timeouts++;
      stop(new GuardError('timeout', `${name} did not answer within ${timeoutMs} ms`));
    });
    const onCallerAbort = (): void => stop(new CallerAbort(caller?.reason));
    caller?.addEventListener('abort', onCallerAbort, { once: true });
    try {
      const result = await Promise.race([this.#guarded(task, control.signal, ended), ended]);
      this.#counters.succeeded++;
      return result;
    } catch (error) {
      throw this.#translate(error);
    } finally {
      cancel();
      caller?.removeEventListener('abort', onCallerAbort);
    }
  }

  state(): BreakerState {
    if (this.#breaker.state === CircuitState.Closed) return 'closed';
    return this.#breaker.state === CircuitState.HalfOpen ? 'half_open' : 'open';
  }

  /** Calls that run, and calls that wait. */
  load(): { running: number; waiting: number } {
    return {
      running: this.#options.concurrent - this.#bulkhead.executionSlots,
      waiting: this.#options.queued - this.#bulkhead.queueSlots,
    };
  }

  counters(): GuardCounters {
    return { ...this.#counters };
  }

  #guarded<T>(task: (signal: AbortSignal) => Promise<T>, signal: AbortSignal, ended: Promise<never>): Promise<T> {
    return this.#bulkhead.execute(async () => {
      signal.throwIfAborted();
      let work: Promise<T> | undefined;
      try {
        return await this.#breaker.execute(() => {
          work = task(signal);
          return Promise.race([work, ended]);
        });
      } catch (error) {
        if (signal.aborted && work !== undefined) await this.#settled(work);
        throw error;
      }
    }, signal);
  }

  /** Holds the place in the bulkhead while the task really runs, but not for ever. */
  async #settled(work: Promise<unknown>): Promise<void> {
    const { clock, timeoutMs, abandonAfterMs = timeoutMs * 5 } = this.#options;
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const cancel = clock.schedule(abandonAfterMs, () => {
      this.#counters.abandoned++;
      resolve();
    });
    await Promise.race([
      work.then(
        () => undefined,
        () => undefined,
      ),
      over,
    ]);
    cancel();
  }

  /** cockatiel compares its own clock with `duration`: the getter answers by ours instead. */
  #pause(attempt: number): IBackoff<unknown> {
    const { clock, retryAfterMs = 1_000, maxRetryAfterMs = 30_000 } = this.#options;
    this.#triesAtMs = clock.nowMs() + Math.min(retryAfterMs * 2 ** (attempt - 1), maxRetryAfterMs);
    const due = (): boolean => clock.nowMs() >= this.#triesAtMs;
    return {
      get duration(): number {
        return due() ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
      },
      next: () => this.#pause(attempt + 1),
    };
  }

  /** A trial that its caller broke off has shown nothing: the breaker opens again. */
  #speaksAgainstStore(error: unknown): boolean {
    if (error instanceof CallerAbort) return this.#breaker.state === CircuitState.HalfOpen;
    if (error instanceof GuardError) return error.fault === 'timeout';
    if (error instanceof EdgetapeError && CALLERS_FAULT.has(error.code)) return false;
    return this.#options.isFailure?.(error) ?? true;
  }

  #translate(error: unknown): unknown {
    if (error instanceof GuardError) return error;
    if (error instanceof CallerAbort) return error.reason;
    if (error instanceof BulkheadRejectedError) {
      this.#counters.full++;
      return new GuardError('full', `Too many calls to ${this.#options.name} at once`);
    }
    if (isBrokenCircuit(error)) return this.#refuse();
    this.#counters.failed++;
    return error;
  }

  #refuse(): GuardError {
    this.#counters.refused++;
    return new GuardError('open', `${this.#options.name} is away; it is tried again shortly`);
  }
}

class CallerAbort extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super('The caller broke off');
    this.name = 'CallerAbort';
    this.reason = reason;
  }
}

function isBrokenCircuit(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'isBrokenCircuitError' in error;
}

/**
 * The store with the named calls under the guard. Calls that give an async iterable cannot be named: their work is done while they
 * are read.
 */
export function guardCalls<T extends object>(store: T, guard: Guard, names: readonly AsyncMethod<T>[]): T {
  const guarded = new Set<PropertyKey>(names);
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      const call = (...args: unknown[]): unknown => Reflect.apply(member, target, args);
      if (!guarded.has(name)) return call;
      return (...args: unknown[]) => guard.run(async () => call(...args));
    },
  });
}

/** Names of the methods that return a promise. */
type AsyncMethod<T> = {
  [K in keyof T]: T[K] extends (...args: never[]) => Promise<unknown> ? K : never;
}[keyof T];
