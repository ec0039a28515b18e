/** A log goes into one built-in store: a sink with another folder would go on where this one was, and have none of what was before. */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { utf8Decode, utf8Encode } from '#shared/text.ts';
import type { Log } from '../log/log.ts';

const STORE = 'sink-store';
const KEY = 'built-in';

/** Rejects with a sentence when the log goes into the built-in store of another folder. */
export async function insistOnOwnStore(log: Log, folder: string): Promise<void> {
  const path = join(folder, 'store-id');
  if (!existsSync(path)) writeFileSync(path, `${randomUUID()}\n`);
  const id = readFileSync(path, 'utf8').trim();
  await log.fence(STORE);
  const known = await log.getState(STORE, KEY);
  if (known === undefined) {
    const transaction = await log.transaction(STORE);
    transaction.putState(STORE, KEY, utf8Encode(id));
    await transaction.commit();
  } else if (utf8Decode(known) !== id)
    throw new Error(
      `This log goes into the built-in store of another data folder than ${folder}. Name that one with --data-dir, or keep market data on a ClickHouse server (--clickhouse-url), which any number of sinks can fill.`,
    );
}
