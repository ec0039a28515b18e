/** Analytics store: writing bars, reading a year of days, and refreshing what is derived, on PGlite and on a PostgreSQL server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bar } from '#shared/bars.ts';
import {
  openEmbeddedAnalytics,
  openPostgresAnalytics,
  type PostgresAnalyticsStore,
} from '../../core/stores/timescale/analytics-store.ts';
import { bar } from '../contract/analytics.ts';
import { postgresMissing, startPostgres } from '../support/postgres.ts';
import { rng } from '../support/rng.ts';

const DAY = 86_400_000;
const START = Date.UTC(2024, 0, 1);
const INSTRUMENTS = 100;
const DAYS = 365;

export async function run(): Promise<void> {
  console.log(
    `method: ${INSTRUMENTS} instruments × ${DAYS} daily and hourly bars and one day of 1m bars (${INSTRUMENTS * 1_440} rows), batches of 5,000; ` +
      'queries 200 times',
  );
  const folder = mkdtempSync(join(tmpdir(), 'edgetape-bench-analytics-'));
  let startMs = performance.now();
  let store = await openEmbeddedAnalytics(folder);
  console.log(`PGlite: first opened in ${ms(startMs)}`);
  startMs = performance.now();
  await store.migrate();
  console.log(`PGlite: migrated in ${ms(startMs)}`);
  await measure('PGlite', store);
  await store.close();
  startMs = performance.now();
  store = await openEmbeddedAnalytics(folder);
  console.log(
    `PGlite: opened again in ${ms(startMs)}, ${Math.round(process.memoryUsage.rss() / 2 ** 20)} MiB resident`,
  );
  await store.close();
  rmSync(folder, { recursive: true, force: true });

  if (postgresMissing !== undefined) return;
  const server = await startPostgres();
  const remote = openPostgresAnalytics({ url: await server.database() });
  await remote.migrate();
  await measure(`PostgreSQL ${server.version}`, remote);
  await remote.close();
  await server.stop();
}

async function measure(name: string, store: PostgresAnalyticsStore): Promise<void> {
  const random = rng(3);
  const instruments = Array.from({ length: INSTRUMENTS }, (_, i) => `asx:S${i}`);
  const days = instruments.flatMap((instrument) =>
    Array.from({ length: DAYS }, (_, day) => {
      const price = 10_000 + Math.floor(random() * 1_000);
      return bar({ instrument, startMs: START + day * DAY, open: price, high: price, low: price, close: price });
    }),
  );
  const hours = days.map((day): Bar => ({ ...day, timeframe: '1h' }));
  const minutes = instruments.flatMap((instrument) =>
    Array.from({ length: 1_440 }, (_, i) => bar({ instrument, timeframe: '1m', startMs: START + i * 60_000 })),
  );
  console.log(`${name}: insert ${await write(store, [...days, ...hours, ...minutes])} bars/s`);
  console.log(`${name}: the same again, nothing new ${await write(store, minutes)} bars/s`);
  for (const part of ['derived', 'correlation'] as const) {
    const startMs = performance.now();
    await store.refresh(part);
    console.log(`${name}: refresh ${part} ${ms(startMs)}`);
  }
  const range = { fromMs: START, toMs: START + DAYS * DAY };
  await query(`${name}: ${DAYS} daily bars of one`, () => store.dailyBars({ instruments: ['asx:S7'], ...range }));
  await query(`${name}: ${DAYS} returns of one`, () => store.dailyReturns({ instruments: ['asx:S7'], ...range }));
  await query(`${name}: volume of all over a month`, () =>
    store.volumeBySymbol({ fromMs: START, toMs: START + 30 * DAY }),
  );
  await query(`${name}: correlation of ten over the year`, () =>
    store.correlation({ instruments: instruments.slice(0, 10), ...range }),
  );
}

async function write(store: PostgresAnalyticsStore, bars: readonly Bar[]): Promise<string> {
  const startMs = performance.now();
  for (let at = 0; at < bars.length; at += 5_000) await store.upsertBars(bars.slice(at, at + 5_000));
  return Math.round((bars.length / (performance.now() - startMs)) * 1_000).toLocaleString('en');
}

async function query(name: string, work: () => Promise<unknown>): Promise<void> {
  const waits: number[] = [];
  for (let i = 0; i < 200; i++) {
    const startMs = performance.now();
    await work();
    waits.push(performance.now() - startMs);
  }
  waits.sort((a, b) => a - b);
  const at = (i: number): string => (waits[i] ?? 0).toFixed(1);
  console.log(`${name}: p50 ${at(100)} ms, p99 ${at(198)} ms, max ${at(199)} ms`);
}

function ms(startMs: number): string {
  return `${Math.round(performance.now() - startMs)} ms`;
}
