/** The analytics contract on PGlite and on a PostgreSQL server, and that both hold the same rows. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bar } from '#shared/bars.ts';
import {
  openEmbeddedAnalytics,
  openPostgresAnalytics,
  type PostgresAnalyticsStore,
} from '../../core/stores/timescale/analytics-store.ts';
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { migrateStandIn } from '../support/timescale-stand-in.ts';
import { rng } from '../support/rng.ts';
import { analyticsContract, bar } from './analytics.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgetape-test-pglite-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let folders = 0;
/** A copy of one migrated database: making one takes PGlite seconds. */
async function openCopy(): Promise<PostgresAnalyticsStore> {
  const copy = join(folder, `${folders++}`);
  cpSync(join(folder, 'template'), copy, { recursive: true });
  return openEmbeddedAnalytics(copy);
}

describe('embedded', () => {
  beforeAll(async () => {
    const template = await openEmbeddedAnalytics(join(folder, 'template'));
    await template.migrate();
    await template.close();
  }, 60_000);
  analyticsContract('PGlite in the process', { open: openCopy });
});

describe.skipIf(postgresMissing !== undefined)('server', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(async () => {
    await server.stop();
  }, 60_000);
  const openServer = async (): Promise<PostgresAnalyticsStore> => {
    const store = openPostgresAnalytics({ url: await server.database() });
    await store.migrate();
    return store;
  };
  analyticsContract('PostgreSQL server', { open: openServer });

  /** The SQL of the TimescaleDB flavour on a server without the extension: its functions stand in, its policies do nothing. */
  const openStandIn = async (): Promise<PostgresAnalyticsStore> => {
    const url = await server.database();
    await migrateStandIn(url);
    const store = openPostgresAnalytics({ url });
    await store.migrate();
    expect(await store.flavour()).toBe('timescale');
    return store;
  };
  analyticsContract('SQL for TimescaleDB, on functions that stand in for it', { open: openStandIn });

  it('the same bars give the same rows on PGlite, on the server, and from the SQL for TimescaleDB', async () => {
    const stores = [await openCopy(), await openServer(), await openStandIn()];
    try {
      const answers = await Promise.all(
        stores.map(async (store) => {
          await store.upsertBars(someBars(11));
          await store.refresh('derived');
          await store.refresh('correlation');
          return {
            days: await store.dailyBars({}),
            volumes: await store.volumeBySymbol({}),
            returns: await store.dailyReturns({}),
            correlation: await store.correlation({}),
          };
        }),
      );
      expect(answers[0]?.days.length).toBeGreaterThan(200);
      expect(answers[0]?.correlation.length).toBe(28);
      expect(answers[1]).toEqual(answers[0]);
      expect(answers[2]).toEqual(answers[0]);
    } finally {
      for (const store of stores) await store.close();
    }
  });
});

/** Daily and hourly bars of eight instruments over forty days, some missing, by a seeded walk. */
function someBars(seed: number): Bar[] {
  const random = rng(seed);
  const bars: Bar[] = [];
  for (const symbol of ['BHP', 'bhp', 'RIO', 'A.X', 'A-X', 'A_X', 'Z/Y', 'ZZ']) {
    let price = 10_000 + Math.floor(random() * 50_000);
    for (let day = 0; day < 40; day++) {
      price = Math.max(100, price + Math.floor((random() - 0.5) * 1_000));
      if (random() < 0.1) continue;
      const startMs = Date.UTC(2024, 6, 20) + day * 86_400_000;
      const prices = { open: price, high: price + 50, low: price - 50, close: price + Math.floor(random() * 50) };
      const volume = BigInt(Math.floor(random() * 1e15));
      const shared = {
        instrument: `asx:${symbol}`,
        priceScale: 3,
        sizeScale: 6,
        startMs,
        volume,
        buyVolume: volume / 2n,
      };
      const pv = volume * BigInt(price);
      bars.push(bar({ ...shared, ...prices, pv, sellVolume: volume / 3n }));
      bars.push(bar({ ...shared, ...prices, pv, sellVolume: volume / 3n, timeframe: '1h' }));
    }
  }
  return bars;
}
