/** Ranges of arrival numbers for collectors that share a log (SPEC TK-1). */
import { isFenced } from '../log/assigned-tasks.ts';
import type { Log } from '../log/log.ts';
import { ARRIVALS_PER_RANGE } from '#shared/ticks.ts';
import { utf8Decode, utf8Encode } from '#shared/text.ts';

/** So many fit below 2^53. */
const MOST_RANGES = 2 ** 13;
const STORE = 'arrival-ranges';

/** First number of the range of `name`, which is given one at its first time. Processes that ask at once get different ones. */
export async function firstArrivalOf(log: Log, name: string): Promise<number> {
  for (;;) {
    const known = await log.getState(STORE, name);
    if (known !== undefined) return Number(utf8Decode(known)) * ARRIVALS_PER_RANGE;
    try {
      // Whoever asks after us takes the id away, and our commit fails: nobody reads a list that is about to grow.
      await log.fence(STORE);
      const entries = await log.listState(STORE);
      if (entries.some(({ key }) => key === name)) continue;
      const range = entries.length;
      if (range >= MOST_RANGES) throw new Error('The log has had as many sources as there are arrival ranges.');
      const transaction = await log.transaction(STORE);
      transaction.putState(STORE, name, utf8Encode(String(range)));
      await transaction.commit();
    } catch (error) {
      if (!isFenced(error)) throw error;
    }
  }
}
