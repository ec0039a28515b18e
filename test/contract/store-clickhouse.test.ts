import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openEngine } from '../../core/stores/clickhouse-engine.ts';
import { openClickHouse } from '../../core/stores/clickhouse.ts';
import { tradeColumns } from '#shared/ticks.ts';
import { storeContract } from './store-contract.ts';

storeContract('ClickHouse in process', async () => {
  const path = await mkdtemp(join(tmpdir(), 'edgetape-store-'));
  return {
    async open() {
      const store = await openClickHouse({ path });
      await store.migrate();
      return store;
    },
    destroy: () => rm(path, { recursive: true }),
  };
});

it('ST-2 writes a batch whose token was noted but whose rows are not all there', async () => {
  const path = await mkdtemp(join(tmpdir(), 'edgetape-store-'));
  const batch = tradeColumns(10);
  batch.length = 10;
  batch.instruments.intern('asx:BHP');
  for (let i = 0; i < 10; i++) {
    batch.arrival[i] = i;
    batch.eventMs[i] = 1_394_398_800_000;
  }
  for (const lost of ['arrival >= 0', 'arrival < 4', '0']) {
    const store = await openClickHouse({ path });
    await store.migrate();
    await store.writeTrades([batch], `trades:0:${lost.length}-1`);
    await store.close();
    const engine = await openEngine({ path });
    await engine.command(`ALTER TABLE trades DELETE WHERE ${lost} SETTINGS mutations_sync = 2`);
    await engine.close();
    const again = await openClickHouse({ path });
    await again.writeTrades([batch], `trades:0:${lost.length}-1`);
    const [row] = await again.instruments();
    expect(row?.trades, `after the loss of ${lost}`).toBe(10);
    await again.close();
    const cleaner = await openEngine({ path });
    await cleaner.command('TRUNCATE TABLE trades');
    await cleaner.close();
  }
  await rm(path, { recursive: true });
});
