import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteLog } from '../../core/log/sqlite.ts';
import { KILL_PARTITIONS, KILL_TOPIC, transactionContent } from '../support/log-writer.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { rng } from '../support/rng.ts';
import { bytes, logContract, texts } from './log-contract.ts';

const clock = new ManualClock();

logContract('SQLite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'edgetape-log-'));
  return {
    durable: true,
    open: () => openSqliteLog({ path: join(folder, 'log.db'), clock }),
    destroy: () => rm(folder, { recursive: true }),
  };
});

describe('SQLite file', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edgetape-log-'));
    path = join(folder, 'log.db');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('LG-4 belongs to one process at a time, and says so', async () => {
    const log = await openSqliteLog({ path, clock });
    await expect(openSqliteLog({ path, clock })).rejects.toMatchObject({
      code: 'in_use',
      message: expect.stringContaining('Stop that process'),
    });
    await log.close();
    await (await openSqliteLog({ path, clock })).close();
  });

  it('LG-8 refuses a file of a newer version, of another program, and one that is no database', async () => {
    await (await openSqliteLog({ path, clock })).close();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version = 99');
    db.close();
    await expect(openSqliteLog({ path, clock })).rejects.toMatchObject({ code: 'newer_schema' });
    const other = new DatabaseSync(join(folder, 'other.db'));
    other.exec('CREATE TABLE t (x)');
    other.close();
    await expect(openSqliteLog({ path: join(folder, 'other.db'), clock })).rejects.toMatchObject({ code: 'not_a_log' });
    await writeFile(join(folder, 'text.db'), 'not a database, but long enough to be looked at '.repeat(100));
    await expect(openSqliteLog({ path: join(folder, 'text.db'), clock })).rejects.toMatchObject({ code: 'not_a_log' });
  });

  it('LG-5 commits what is waiting when it is closed, and refuses everything after', async () => {
    const log = await openSqliteLog({ path, clock });
    await log.ensureTopics([{ name: 't', partitions: 1 }]);
    const transaction = await log.transaction('w');
    transaction.append('t', 0, bytes('a'));
    const committed = transaction.commit();
    const waiting = log.wait('t', 0, 9, new AbortController().signal);
    await log.close();
    await committed;
    await waiting;
    await expect(log.read('t', 0, 0, { maxRecords: 1, maxBytes: 1 })).rejects.toMatchObject({ code: 'closed' });
    const again = await openSqliteLog({ path, clock });
    expect(texts(await again.read('t', 0, 0, { maxRecords: 9, maxBytes: 9 }))).toEqual(['a']);
    await again.close();
  });

  it('LG-4 LG-5 has whole transactions only, and every acknowledged one, after kill -9 at random moments', async () => {
    const seed = Number(process.env['EDGETAPE_SEED'] ?? 20_140_310);
    const random = rng(seed);
    let next = 0;
    for (let round = 0; round < 8; round++) {
      const acknowledged = await writeUntilKilled(path, seed, next, 1 + Math.floor(random() * 60));
      next = await checkWhole(path, seed, acknowledged);
    }
    expect(next, `seed ${seed}`).toBeGreaterThan(8);
  });
});

const WRITER = fileURLToPath(new URL('../support/log-writer.ts', import.meta.url));

/** Runs the writer and kills it when it has acknowledged so many transactions. The number of the last acknowledged one. */
async function writeUntilKilled(path: string, seed: number, first: number, acknowledgements: number): Promise<number> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', WRITER, path, `${seed}`, `${first}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let last = first - 1;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (last - first + 1 >= acknowledgements) child.kill('SIGKILL');
  }
  return last;
}

/** Compares the log with what the transactions up to its own last one hold. The number of the next transaction. */
async function checkWhole(path: string, seed: number, acknowledged: number): Promise<number> {
  const log = await openSqliteLog({ path, clock });
  const state = await log.getState('writer', 'last');
  const last = state === undefined ? -1 : Number(new TextDecoder().decode(state));
  expect(last, `seed ${seed}: acknowledged, but gone`).toBeGreaterThanOrEqual(acknowledged);
  expect(await log.committed('group', KILL_TOPIC, 0)).toBe(last + 1);
  const expected: string[][] = Array.from({ length: KILL_PARTITIONS }, () => []);
  for (let number = 0; number <= last; number++)
    for (const { partition, value } of transactionContent(seed, number)) expected[partition]?.push(value);
  for (let partition = 0; partition < KILL_PARTITIONS; partition++) {
    const records = await log.read(KILL_TOPIC, partition, 0, { maxRecords: 1_000_000, maxBytes: 1_000_000_000 });
    expect(records.map(({ offset }) => offset)).toEqual(records.map((_, i) => i));
    expect(texts(records), `seed ${seed}, partition ${partition}`).toEqual(expected[partition]);
  }
  await log.close();
  return last + 1;
}
