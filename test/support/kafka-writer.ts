/**
 * A process that commits transaction after transaction until it is killed: `kafka-writer.ts BROKER PREFIX`.
 * Transaction n appends the number n to partitions 0 and 1 of `trades`, sets the group's offset and the state to n, all at once, and
 * says `n` when its commit resolved. It goes on from the state that it finds.
 */
import { systemClock } from '../../core/ops/system-clock.ts';
import { openKafkaLog } from '../../core/log/kafka.ts';

const [broker = '', prefix = ''] = process.argv.slice(2);
const log = await openKafkaLog({ brokers: [broker], clientId: 'writer', clock: systemClock(), prefix });
await log.fence('writer');
const state = await log.getState('count', 'n');
for (let n = state === undefined ? 1 : numberIn(state) + 1; ; n++) {
  const transaction = await log.transaction('writer');
  transaction.append('trades', 0, bytesOf(n));
  transaction.append('trades', 1, bytesOf(n));
  transaction.commitOffset('readers', 'trades', 0, n);
  transaction.putState('count', 'n', bytesOf(n));
  await transaction.commit();
  process.stdout.write(`${n}\n`);
}

function bytesOf(n: number): Uint8Array {
  return new TextEncoder().encode(String(n));
}

function numberIn(bytes: Uint8Array): number {
  return Number(new TextDecoder().decode(bytes));
}
