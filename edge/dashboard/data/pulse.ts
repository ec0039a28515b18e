/** A slow beat for what changes by itself, such as ages: one timer for the whole page. */
import type { Clock } from '#shared/clock.ts';

export type Beat = (nowMs: number) => void;

export class Pulse {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #beats = new Set<Beat>();
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, periodMs: number) {
    this.#clock = clock;
    this.#periodMs = periodMs;
  }

  /** Calls at once and then on every beat, until the returned function is called. */
  add(beat: Beat): () => void {
    this.#beats.add(beat);
    beat(this.#clock.nowMs());
    this.#cancel ??= this.#clock.schedule(this.#periodMs, () => this.#tick());
    return () => {
      this.#beats.delete(beat);
      if (this.#beats.size > 0) return;
      this.#cancel?.();
      this.#cancel = undefined;
    };
  }

  #tick(): void {
    this.#cancel = this.#clock.schedule(this.#periodMs, () => this.#tick());
    if (typeof document !== 'undefined' && document.hidden) return;
    const nowMs = this.#clock.nowMs();
    for (const beat of this.#beats) beat(nowMs);
  }
}
