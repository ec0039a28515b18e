/** The platform's clock and chance: the one place of the edge's objects that asks for them. */
import type { Clock } from '#shared/clock.ts';

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  schedule(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

export function random(): number {
  return Math.random();
}
