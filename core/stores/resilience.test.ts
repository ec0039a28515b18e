import { describe, expect, it } from 'vitest';
import { EdgetapeError } from '#shared/errors.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { Guard, GuardError, guardCalls, type BreakerState, type GuardOptions } from './resilience.ts';

function setup(options: Partial<GuardOptions> = {}): { clock: ManualClock; guard: Guard; states: BreakerState[] } {
  const clock = new ManualClock();
  const states: BreakerState[] = [];
  const guard = new Guard({
    name: 'store',
    clock,
    timeoutMs: 100,
    concurrent: 4,
    queued: 2,
    onStateChange: (state) => states.push(state),
    ...options,
  });
  return { clock, guard, states };
}

const ok = async (): Promise<string> => 'ok';
const fail = async (): Promise<string> => {
  throw new Error('broken');
};
const never = (): Promise<string> => new Promise(() => undefined);

/** Lets everything that is due in promises happen; no time passes. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

async function faultOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'none';
  } catch (error) {
    return error instanceof GuardError ? error.fault : String(error instanceof Error ? error.message : error);
  }
}

describe('guard', () => {
  it('passes results and errors through', async () => {
    const { clock, guard } = setup();
    expect(await guard.run(ok)).toBe('ok');
    expect(await faultOf(guard.run(fail))).toBe('broken');
    expect(guard.counters()).toMatchObject({ calls: 2, succeeded: 1, failed: 1 });
    expect(guard.load()).toEqual({ running: 0, waiting: 0 });
    expect(clock.pending).toBe(0);
  });

  it('ER-1 gives up at the deadline with a retryable code, and tells the task', async () => {
    const { clock, guard } = setup();
    let signal: AbortSignal | undefined;
    const call = guard.run((given) => {
      signal = given;
      return never();
    });
    const fault = faultOf(call);
    await settle();
    clock.advance(99);
    expect(signal?.aborted).toBe(false);
    clock.advance(1);
    expect(await fault).toBe('timeout');
    expect(signal?.aborted).toBe(true);
    await expect(call).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('opens after enough failures, refuses without trying, tries once when the pause is over', async () => {
    const { clock, guard, states } = setup();
    for (let i = 0; i < 5; i++) await faultOf(guard.run(fail));
    expect(guard.state()).toBe('open');
    let tried = 0;
    const probe = async (): Promise<string> => {
      tried++;
      return 'back';
    };
    expect(await faultOf(guard.run(probe))).toBe('open');
    clock.advance(999);
    expect(await faultOf(guard.run(probe))).toBe('open');
    expect(tried).toBe(0);
    clock.advance(1);
    expect(await guard.run(probe)).toBe('back');
    expect(guard.state()).toBe('closed');
    expect(states).toEqual(['open', 'half_open', 'closed']);
    expect(guard.counters()).toMatchObject({ refused: 2, failed: 5 });
  });

  it('waits twice as long after each failed trial, up to the limit', async () => {
    const { clock, guard } = setup({ retryAfterMs: 100, maxRetryAfterMs: 300 });
    for (let i = 0; i < 5; i++) await faultOf(guard.run(fail));
    for (const pauseMs of [100, 200, 300, 300]) {
      clock.advance(pauseMs - 1);
      expect(await faultOf(guard.run(ok))).toBe('open');
      clock.advance(1);
      expect(await faultOf(guard.run(fail))).toBe('broken');
    }
    clock.advance(300);
    expect(await guard.run(ok)).toBe('ok');
    for (let i = 0; i < 20; i++) await faultOf(guard.run(fail));
    clock.advance(100);
    expect(await guard.run(ok)).toBe('ok');
  });

  it('of calls that come during the trial one is tried, the others follow its outcome', async () => {
    const { clock, guard } = setup({ concurrent: 10 });
    for (let i = 0; i < 5; i++) await faultOf(guard.run(fail));
    clock.advance(1_000);
    const { promise, resolve } = Promise.withResolvers<string>();
    let tried = 0;
    const probe = (): Promise<string> => {
      tried++;
      return promise;
    };
    const calls = [1, 2, 3].map(() => guard.run(probe));
    await settle();
    expect(tried).toBe(1);
    resolve('back');
    expect(await Promise.all(calls)).toEqual(['back', 'back', 'back']);
  });

  it('slow calls open it too: a store that hangs is asked no more', async () => {
    const { clock, guard } = setup({ concurrent: 5 });
    const faults = [1, 2, 3, 4, 5].map(() => faultOf(guard.run(never)));
    await settle();
    clock.advance(100);
    expect(await Promise.all(faults)).toEqual(['timeout', 'timeout', 'timeout', 'timeout', 'timeout']);
    await settle();
    expect(guard.state()).toBe('open');
  });

  it('what the caller did wrong, broke off, or the store rightly refused does not open it', async () => {
    const { guard } = setup({ isFailure: (error) => !(error instanceof RangeError) });
    for (let i = 0; i < 30; i++) {
      await faultOf(guard.run(() => Promise.reject(new EdgetapeError('bad_range', 'no'))));
      await faultOf(guard.run(() => Promise.reject(new RangeError('constraint'))));
      const control = new AbortController();
      const call = faultOf(guard.run(never, control.signal));
      control.abort(new Error('gone'));
      expect(await call).toBe('gone');
      await settle();
      // The places of calls that hang are given up after a while only; these end at once.
      if (guard.load().running > 0) break;
    }
    expect(guard.state()).toBe('closed');
  });

  it('a trial that its caller broke off does not close it', async () => {
    const { clock, guard } = setup();
    for (let i = 0; i < 5; i++) await faultOf(guard.run(fail));
    clock.advance(1_000);
    const control = new AbortController();
    const trial = faultOf(guard.run(never, control.signal));
    await settle();
    expect(guard.state()).toBe('half_open');
    control.abort(new Error('gone'));
    expect(await trial).toBe('gone');
    await settle();
    expect(guard.state()).toBe('open');
  });

  it('bounds what runs and what waits; the rest is turned away without blame', async () => {
    const { guard } = setup({ concurrent: 2, queued: 1 });
    const { promise, resolve } = Promise.withResolvers<string>();
    let running = 0;
    let most = 0;
    const task = async (): Promise<string> => {
      most = Math.max(most, ++running);
      try {
        return await promise;
      } finally {
        running--;
      }
    };
    const calls = [1, 2, 3].map(() => guard.run(task));
    await settle();
    expect(guard.load()).toEqual({ running: 2, waiting: 1 });
    expect(await faultOf(guard.run(task))).toBe('full');
    resolve('ok');
    expect(await Promise.all(calls)).toEqual(['ok', 'ok', 'ok']);
    expect(most).toBe(2);
    expect(guard.state()).toBe('closed');
    expect(guard.counters().full).toBe(1);
  });

  it('a call that waits is given up at its deadline and never started', async () => {
    const { clock, guard } = setup({ concurrent: 1, queued: 1 });
    const { promise, resolve } = Promise.withResolvers<string>();
    const first = faultOf(guard.run(() => promise));
    let started = false;
    const second = faultOf(
      guard.run(async () => {
        started = true;
        return 'x';
      }),
    );
    await settle();
    clock.advance(100);
    expect([await first, await second]).toEqual(['timeout', 'timeout']);
    resolve('late');
    await settle();
    expect(started).toBe(false);
    expect(guard.load()).toEqual({ running: 0, waiting: 0 });
    expect(await guard.run(ok)).toBe('ok');
  });

  it('a task that hangs keeps its place while it may still use the store, and loses it after a while', async () => {
    const { clock, guard } = setup({ concurrent: 1, queued: 0, abandonAfterMs: 400 });
    const call = faultOf(guard.run(never));
    await settle();
    clock.advance(100);
    expect(await call).toBe('timeout');
    await settle();
    expect(await faultOf(guard.run(ok))).toBe('full');
    clock.advance(400);
    await settle();
    expect(await guard.run(ok)).toBe('ok');
    expect(guard.counters().abandoned).toBe(1);
  });
});

describe('guarded store', () => {
  class Store {
    #reads = 0;

    async read(what: string): Promise<string> {
      this.#reads++;
      if (what === 'bad') throw new Error('broken');
      return `${what} ${this.#reads}`;
    }

    name(): string {
      return 'store';
    }
  }

  it('runs the named calls under the guard, with their own this, and leaves the others', async () => {
    const { guard } = setup();
    const store = guardCalls(new Store(), guard, ['read']);
    expect(await store.read('a')).toBe('a 1');
    expect(store.name()).toBe('store');
    for (let i = 0; i < 9; i++) await faultOf(store.read('bad'));
    expect(await faultOf(store.read('a'))).toBe('open');
    expect(store.name()).toBe('store');
  });
});
