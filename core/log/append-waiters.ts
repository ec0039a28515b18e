/** Readers that wait for the end of a partition to move: woken by the writer of the same process, no polling. */
interface Waiter {
  offset: number;
  wake: () => void;
}

export class AppendWaiters {
  readonly #waiting = new Map<number, Set<Waiter>>();

  /** Resolves when `notify(partitionId, end)` says that `offset` is below the end, or when the signal aborts. */
  wait(partitionId: number, offset: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const waiters = this.#waiting.get(partitionId) ?? new Set<Waiter>();
      this.#waiting.set(partitionId, waiters);
      const wake = (): void => {
        waiters.delete(waiter);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const waiter = { offset, wake };
      waiters.add(waiter);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  notify(partitionId: number, end: number): void {
    const waiters = this.#waiting.get(partitionId);
    if (waiters === undefined) return;
    for (const waiter of waiters) if (waiter.offset < end) waiter.wake();
  }

  wakeAll(): void {
    for (const waiters of this.#waiting.values()) for (const waiter of waiters) waiter.wake();
  }
}
