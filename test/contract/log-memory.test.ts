import { ManualClock } from '../support/manual-clock.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { logContract } from './log-contract.ts';

logContract('in memory', async () => {
  const log = new MemoryLog(new ManualClock());
  return { durable: false, open: async () => log, destroy: async () => {} };
});
