/** Plays recorded time at a multiple of its speed. */
import type { Clock } from '#shared/clock.ts';

/** Recorded speed times the number, or as fast as it goes. */
export type PlaySpeed = number | 'max';

/** A silence of the tape (a closed market, a wrong time) is cut to this long on the clock. */
const MAX_PAUSE_MS = 60_000;
/** Rows that fall due within so long go together. */
const GRAIN_MS = 10;

export class Pacer {
  readonly #speed: number;
  readonly #clock: Clock;
  readonly #maxPauseMs: number;
  #anchorTapeMs: number | undefined;
  #anchorClockMs = 0;

  constructor(speed: PlaySpeed, clock: Clock, maxPauseMs = MAX_PAUSE_MS) {
    this.#speed = speed === 'max' ? Number.POSITIVE_INFINITY : speed;
    this.#clock = clock;
    this.#maxPauseMs = maxPauseMs;
  }

  /** Time of the tape that is due now, ms; before the first row is known, none of it. */
  dueMs(): number {
    if (this.#speed === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
    if (this.#anchorTapeMs === undefined) return Number.NEGATIVE_INFINITY;
    return this.#anchorTapeMs + (this.#clock.nowMs() - this.#anchorClockMs) * this.#speed;
  }

  /** Resolves when the row of `tapeMs` is due, or when `signal` aborts. */
  async until(tapeMs: number, signal: AbortSignal): Promise<void> {
    if (this.#anchorTapeMs === undefined) {
      this.#anchorTapeMs = tapeMs;
      this.#anchorClockMs = this.#clock.nowMs();
    }
    const due = this.dueMs();
    if (tapeMs <= due) return;
    const pauseMs = (tapeMs - due) / this.#speed;
    if (pauseMs > this.#maxPauseMs) {
      this.#anchorTapeMs = tapeMs;
      this.#anchorClockMs = this.#clock.nowMs() + this.#maxPauseMs;
    }
    await sleep(this.#clock, Math.max(GRAIN_MS, Math.min(pauseMs, this.#maxPauseMs)), signal);
  }
}

/** Resolves after `delayMs` of the clock, at once when `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.schedule(delayMs, done);
    signal.addEventListener('abort', done, { once: true });
  });
}
