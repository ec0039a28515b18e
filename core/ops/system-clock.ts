import type { Clock } from '#shared/clock.ts';

/** The machine's clock. Timers do not keep the process alive by themselves when `background` is set. */
export function systemClock(options: { background?: boolean } = {}): Clock {
  return {
    nowMs: () => Date.now(),
    schedule(delayMs, callback) {
      const timer = setTimeout(callback, delayMs);
      if (options.background === true) timer.unref();
      return () => clearTimeout(timer);
    },
  };
}
