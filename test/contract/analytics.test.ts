/** The analytics contract on PGlite and on a PostgreSQL server, and that both hold the same rows. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { openEmbeddedAnalytics, openPostgresAnalytics } from '../../core/stores/timescale/analytics-store.ts';
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { analyticsContract } from './analytics.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgetape-test-pglite-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let folders = 0;
analyticsContract('PGlite in the process', {
  async open() {
    const store = await openEmbeddedAnalytics(join(folder, `${folders++}`));
    await store.migrate();
    return store;
  },
});

describe.skipIf(postgresMissing !== undefined)('server', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(async () => {
    await server.stop();
  });
  analyticsContract('PostgreSQL server', {
    async open() {
      const store = openPostgresAnalytics({ url: await server.database() });
      await store.migrate();
      return store;
    },
  });
});
