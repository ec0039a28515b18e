/** Epochs of the relay's sequences: each start takes one that no earlier start had (SPEC SQ-1). */

export interface EpochStore {
  /** The last epoch taken; undefined before the first. */
  load(): Promise<number | undefined>;
  /** Resolves when it is kept. */
  save(epoch: number): Promise<void>;
}

/**
 * Takes the next epoch: seconds since 1970, or one more than the last where the clock stood still or went back. Derived from
 * the clock, so that a store that was wiped does not hand out an epoch that a screen somewhere still holds.
 */
export async function nextEpoch(store: EpochStore, nowMs: number): Promise<number> {
  const epoch = Math.max(Math.floor(nowMs / 1_000), ((await store.load()) ?? 0) + 1);
  await store.save(epoch);
  return epoch;
}
