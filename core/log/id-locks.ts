/** First come, first served locks by name: one holder of a transactional id at a time. */
export class IdLocks {
  readonly #tails = new Map<string, Promise<void>>();

  /** Resolves with the function that gives the lock back, once everyone who asked before has done so. */
  async acquire(id: string): Promise<() => void> {
    const before = this.#tails.get(id);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tails.set(id, promise);
    await before;
    return () => {
      if (this.#tails.get(id) === promise) this.#tails.delete(id);
      resolve();
    };
  }
}
