/** Where the relay's epoch is kept: in the log's state. */
import type { Log } from '../log/log.ts';
import type { EpochStore } from '../relay/epoch.ts';

export function epochStore(log: Log): EpochStore {
  return {
    async load() {
      const kept = await log.getState('relay', 'epoch');
      const epoch = kept === undefined ? Number.NaN : Number(Buffer.from(kept).toString());
      return Number.isSafeInteger(epoch) ? epoch : undefined;
    },
    async save(epoch) {
      const transaction = await log.transaction('relay-epoch');
      transaction.putState('relay', 'epoch', Buffer.from(String(epoch)));
      await transaction.commit();
    },
  };
}
