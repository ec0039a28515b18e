import type { Clock } from '#shared/clock.ts';

/** A terminal, npm and the launcher may each pass on one Ctrl-C: signals this close together are one. */
const SAME_MS = 400;

export interface StopSource {
  on(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP', listener: () => void): unknown;
}

/** Aborts at the first signal; calls `force` at the next one. */
export function stopSignal(source: StopSource, clock: Clock, force: () => void): AbortSignal {
  const controller = new AbortController();
  let firstMs = Number.POSITIVE_INFINITY;
  const heard = (): void => {
    if (!controller.signal.aborted) {
      firstMs = clock.nowMs();
      controller.abort();
    } else if (clock.nowMs() - firstMs > SAME_MS) force();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) source.on(signal, heard);
  return controller.signal;
}
