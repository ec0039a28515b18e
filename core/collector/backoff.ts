/** Waiting times between attempts to connect: exponential with full jitter, so that many clients do not come back at once. */
export interface BackoffLimits {
  baseMs: number;
  maxMs: number;
}

/**
 * Wait before attempt `attempt` (0 = the first one after a loss), ms: uniform between a quarter of the bound and the bound,
 * which doubles with every attempt.
 * @param random uniform in [0, 1)
 */
export function backoffMs(attempt: number, { baseMs, maxMs }: BackoffLimits, random: () => number): number {
  const bound = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.round(bound * (0.25 + 0.75 * random()));
}
