import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { encodeTrades } from '#shared/frame.ts';
import { tradeColumns } from '#shared/ticks.ts';
import { TOPICS } from '#shared/topics.ts';
import { openSqliteLog } from '../../core/log/sqlite.ts';
import { openClickHouse } from '../../core/stores/clickhouse.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { rng } from '../support/rng.ts';

const PROCESS = fileURLToPath(new URL('../support/sink-process.ts', import.meta.url));
const PARTITIONS = 3;
const FRAMES = 120;
const FRAME_TICKS = 50;
const BATCH_ROWS = 150;
const KILLS = 10;

async function fillLog(folder: string): Promise<void> {
  const log = await openSqliteLog({ path: join(folder, 'log.db'), clock: new ManualClock() });
  await log.ensureTopics([{ name: TOPICS.trades, partitions: PARTITIONS }]);
  const transaction = await log.transaction('test');
  for (let f = 0; f < FRAMES; f++) {
    const columns = tradeColumns(FRAME_TICKS);
    columns.length = FRAME_TICKS;
    columns.instruments.intern(`test:P${f % PARTITIONS}`);
    for (let i = 0; i < FRAME_TICKS; i++) columns.arrival[i] = f * FRAME_TICKS + i;
    transaction.append(TOPICS.trades, f % PARTITIONS, encodeTrades(columns));
  }
  await transaction.commit();
  await log.close();
}

/** Runs the sink; kills it `delayMs` after so many lines. Whether it came to its end. */
async function runSink(folder: string, killAtLine: number, delayMs: number): Promise<boolean> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', PROCESS, folder, `${PARTITIONS}`, `${BATCH_ROWS}`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let lines = 0;
  let done = false;
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'done') done = true;
    if (++lines === killAtLine) {
      if (delayMs === 0) child.kill('SIGKILL');
      else setTimeout(() => child.kill('SIGKILL'), delayMs);
    }
  }
  return done;
}

it('ST-2 ST-4 stores every trade once, whenever the process is killed', { timeout: 120_000 }, async () => {
  const seed = Number(process.env['EDGETAPE_SEED'] ?? 20_140_310);
  const random = rng(seed);
  const folder = await mkdtemp(join(tmpdir(), 'edgetape-sink-'));
  await fillLog(folder);
  for (let kill = 0; kill < KILLS; kill++)
    await runSink(folder, 1 + Math.floor(random() * 8), Math.floor(random() * 3) * Math.floor(random() * 6));
  expect(await runSink(folder, -1, 0)).toBe(true);
  const store = await openClickHouse({ path: join(folder, 'store') });
  const arrivals: number[] = [];
  for await (const batch of store.trades({})) arrivals.push(...batch.arrival.subarray(0, batch.length));
  await store.close();
  expect(arrivals, `seed ${seed}`).toEqual(Array.from({ length: FRAMES * FRAME_TICKS }, (_, i) => i));
  await rm(folder, { recursive: true });
});
