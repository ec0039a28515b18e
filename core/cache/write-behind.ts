/**
 * Write-behind, for what comes in masses and is safe elsewhere (ticks stand in the log): taken at once, written in batches behind.
 * Bounded: when the buffer is full, `add` says so, and the caller waits or goes another way; nothing is dropped in silence.
 */
import type { Clock } from '#shared/clock.ts';

export interface WriteBehindOptions<T> {
  clock: Clock;
  /** Writes a batch; must be idempotent, because a failed batch is written again. */
  write: (batch: readonly T[]) => Promise<void>;
  maxBatch: number;
  maxBuffered: number;
  /** A batch is written when it is full or its first item is this old. */
  maxDelayMs: number;
  /** Pause after a failed write; doubles with each, up to `maxRetryMs`. */
  retryMs: number;
  maxRetryMs: number;
  onError?: (error: unknown) => void;
}

export interface WriteBehindCounters {
  added: number;
  written: number;
  /** Items not taken because the buffer was full. */
  refused: number;
  errors: number;
  buffered: number;
}

export class WriteBehind<T> {
  readonly #options: WriteBehindOptions<T>;
  readonly #buffer: T[] = [];
  #cancelTimer: (() => void) | undefined;
  #writing: Promise<void> | undefined;
  #retryMs: number;
  #added = 0;
  #written = 0;
  #refused = 0;
  #errors = 0;
  #closing = false;
  #wakeRetry: (() => void) | undefined;

  constructor(options: WriteBehindOptions<T>) {
    this.#options = options;
    this.#retryMs = options.retryMs;
  }

  /** false: the buffer is full or closed, and the item was not taken. */
  add(item: T): boolean {
    if (this.#closing || this.#buffer.length >= this.#options.maxBuffered) {
      this.#refused++;
      return false;
    }
    this.#buffer.push(item);
    this.#added++;
    if (this.#buffer.length >= this.#options.maxBatch) this.#start();
    else this.#schedule();
    return true;
  }

  /** Resolves when everything taken so far is written. Waits through failures of the store. */
  async flush(): Promise<void> {
    const target = this.#added;
    while (this.#written < target && !this.#closing) {
      this.#start();
      await this.#writing;
    }
  }

  /**
   * Takes nothing more and writes what is there, with one last try for each batch. Rejects when that fails; what is left is
   * counted in `buffered`, and the log has it.
   */
  async close(): Promise<void> {
    this.#closing = true;
    this.#cancelTimer?.();
    this.#wakeRetry?.();
    await this.#writing;
    while (this.#buffer.length > 0) await this.#writeBatch();
  }

  counters(): WriteBehindCounters {
    return {
      added: this.#added,
      written: this.#written,
      refused: this.#refused,
      errors: this.#errors,
      buffered: this.#buffer.length,
    };
  }

  #schedule(): void {
    if (this.#cancelTimer !== undefined || this.#writing !== undefined) return;
    this.#cancelTimer = this.#options.clock.schedule(this.#options.maxDelayMs, () => {
      this.#cancelTimer = undefined;
      this.#start();
    });
  }

  #start(): void {
    if (this.#writing !== undefined || this.#buffer.length === 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#writing = this.#drain().finally(() => {
      this.#writing = undefined;
      if (this.#closing || this.#buffer.length === 0) return;
      if (this.#buffer.length >= this.#options.maxBatch) this.#start();
      else this.#schedule();
    });
  }

  /** Writes batches until less than a full one is left. */
  async #drain(): Promise<void> {
    do {
      try {
        await this.#writeBatch();
        this.#retryMs = this.#options.retryMs;
      } catch (error) {
        this.#options.onError?.(error);
        if (this.#closing) return;
        await this.#pause(this.#retryMs);
        this.#retryMs = Math.min(this.#retryMs * 2, this.#options.maxRetryMs);
        if (this.#closing) return;
      }
    } while (this.#buffer.length >= this.#options.maxBatch);
  }

  async #writeBatch(): Promise<void> {
    const batch = this.#buffer.slice(0, this.#options.maxBatch);
    try {
      await this.#options.write(batch);
    } catch (error) {
      this.#errors++;
      throw error;
    }
    this.#buffer.splice(0, batch.length);
    this.#written += batch.length;
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.schedule(delayMs, done);
      const wake = (): void => {
        cancel();
        done();
      };
      this.#wakeRetry = wake;
      function done(): void {
        resolve();
      }
    });
  }
}
