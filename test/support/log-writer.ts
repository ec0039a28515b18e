/**
 * A process that appends to a log until it is killed. Arguments: file, seed, number of the first transaction.
 * Each transaction's content follows from the seed and its number; the number is printed when its commit has resolved.
 */
import { fileURLToPath } from 'node:url';
import { openSqliteLog } from '../../core/log/sqlite.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { rng } from './rng.ts';

export const KILL_TOPIC = 'ticks';
export const KILL_PARTITIONS = 4;

/** What transaction `number` appends: partition and value of each record. */
export function transactionContent(seed: number, number: number): { partition: number; value: string }[] {
  const random = rng(seed * 1_000_003 + number);
  return Array.from({ length: Math.floor(random() * 6) }, (_, i) => ({
    partition: Math.floor(random() * KILL_PARTITIONS),
    value: `${number}.${i}.${'x'.repeat(Math.floor(random() * 20_000))}`,
  }));
}

async function write(path: string, seed: number, first: number): Promise<never> {
  const log = await openSqliteLog({ path, clock: systemClock() });
  await log.ensureTopics([{ name: KILL_TOPIC, partitions: KILL_PARTITIONS }]);
  for (let number = first; ; number++) {
    const transaction = await log.transaction('writer');
    for (const { partition, value } of transactionContent(seed, number))
      transaction.append(KILL_TOPIC, partition, Buffer.from(value));
    transaction.commitOffset('group', KILL_TOPIC, 0, number + 1);
    transaction.putState('writer', 'last', Buffer.from(String(number)));
    await transaction.commit();
    process.stdout.write(`${number}\n`);
  }
}

const [script = '', path = '', seed = '', first = ''] = process.argv.slice(1);
if (script === fileURLToPath(import.meta.url)) await write(path, Number(seed), Number(first));
