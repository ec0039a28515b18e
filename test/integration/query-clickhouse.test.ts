/** The REST API over the real store answers as it does over the plain store in memory that serves as its model. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openClickHouse } from '../../core/stores/clickhouse.ts';
import type { MarketStore } from '../../core/stores/stores.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { queryFixture, queryFixtureOver, T0, type QueryFixture } from '../support/query-app.ts';

const root = mkdtempSync(join(tmpdir(), 'edgetape-query-'));
let store: MarketStore;
let real: QueryFixture;
let model: QueryFixture;

beforeAll(async () => {
  store = await openClickHouse({ path: join(root, 'store'), clock: new ManualClock() });
  await store.migrate();
  real = await queryFixtureOver(store);
  model = await queryFixture();
}, 60_000);
afterAll(async () => {
  await store.close();
  rmSync(root, { recursive: true, force: true });
});

const PATHS = [
  '/v1/bars?symbol=asx:BHP',
  '/v1/bars?symbol=asx:BHP&order=desc&limit=3',
  `/v1/bars?symbol=asx:BHP&from=${T0 + 60_000}&to=${T0 + 240_000}`,
  '/v1/bars?symbol=asx:RIO&tf=1m',
  '/v1/bars?symbol=asx:RIO&tf=1d',
  '/v1/bars?symbol=asx:NONE',
  '/v1/trades?limit=7',
  '/v1/trades?symbol=asx:RIO',
  '/v1/trades?symbol=asx:BHP&order=desc&limit=5',
  `/v1/trades?from=${T0 + 2_000}&to=${T0 + 9_000}`,
  '/v1/quotes?limit=3',
  '/v1/quotes?symbol=asx:BHP&order=desc&limit=4',
  '/v1/profile?symbol=asx:BHP',
  '/v1/profile?symbol=asx:BHP&order=desc&limit=2',
  '/v1/stats?symbol=asx:BHP',
  '/v1/last?symbol=asx:BHP',
  '/v1/last',
];

async function answer(
  fixture: QueryFixture,
  path: string,
  accept: string,
): Promise<{ status: number; body: string; next: string | null }> {
  const response = await fixture.app.request(path, { headers: { accept } });
  return { status: response.status, body: await response.text(), next: response.headers.get('link') };
}

it.each(
  PATHS.flatMap(
    (path) =>
      [
        [path, 'application/json'],
        [path, 'text/csv'],
      ] as const,
  ),
)('QY-2 ST-3 %s as %s', async (path, accept) => {
  expect(await answer(real, path, accept)).toEqual(await answer(model, path, accept));
});

it.each(['bars?symbol=asx:BHP', 'trades?', 'quotes?symbol=asx:BHP', 'profile?symbol=asx:BHP'])(
  'QY-2 pages of %s hold every row once, in both directions',
  async (list) => {
    for (const order of ['asc', 'desc']) {
      const rows: string[] = [];
      let path: string | undefined = `/v1/${list}&order=${order}&limit=2`;
      while (path !== undefined) {
        const page = await answer(real, path, 'text/csv');
        rows.push(...page.body.trimEnd().split('\n').slice(1));
        path = /<([^>]+)>/.exec(page.next ?? '')?.[1];
      }
      const whole = await answer(model, `/v1/${list}&order=${order}&limit=300`, 'text/csv');
      expect(rows).toEqual(whole.body.trimEnd().split('\n').slice(1));
    }
  },
);

it('QY-1 lists the instruments', async () => {
  const symbols = async (fixture: QueryFixture): Promise<unknown[]> => {
    const body = (await (await fixture.app.request('/v1/symbols')).json()) as { symbols: Record<string, unknown>[] };
    return body.symbols.map(({ symbol, trades, quotes, firstEventMs, lastEventMs }) => ({
      symbol,
      trades,
      quotes,
      firstEventMs,
      lastEventMs,
    }));
  };
  expect(await symbols(real)).toEqual(await symbols(model));
});
