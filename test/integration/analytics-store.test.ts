/** The analytics database through what happens to databases: kill -9, two migrators at once, changed files, tampering. */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPostgresFailure, openPostgres, sqlState } from '../../core/stores/postgres.ts';
import { MigrationError } from '../../core/stores/migrate.ts';
import { openEmbeddedAnalytics, openPostgresAnalytics } from '../../core/stores/timescale/analytics-store.ts';
import { migratePostgres, readMigrationSet, type MigrationSet } from '../../core/stores/timescale/migrations.ts';
import { bar } from '../contract/analytics.ts';
import { REPO } from '../support/data.ts';
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { rng } from '../support/rng.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgetape-test-analytics-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WRITER = `
import { openEmbeddedAnalytics } from '${pathToFileURL(`${REPO}core/stores/timescale/analytics-store.ts`).href}';
const store = await openEmbeddedAnalytics(process.argv[2]);
await store.migrate();
const first = (await store.audit({ limit: 10000 })).length;
for (let i = first; ; i++) {
  const { id } = await store.appendAudit(1700000000000 + i, { actor: 'writer', action: 'write', subject: 's', detail: { i } });
  console.log(id);
}`;

/** Runs a writer until it has said it kept `count` more records, then kills it. Resolves with the last it said. */
async function writeUntilKilled(data: string, count: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-', data], {
    cwd: REPO,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(WRITER);
  let last = 0;
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    if (++seen === count) child.kill('SIGKILL');
  }
  return last;
}

describe('analytics on PGlite', () => {
  it('ST-4 what was acknowledged is there after kill -9, five times over', { timeout: 120_000 }, async () => {
    const seed = 41;
    const random = rng(seed);
    const data = join(folder, 'killed');
    for (let round = 0; round < 5; round++) {
      const last = await writeUntilKilled(data, 1 + Math.floor(random() * 60));
      expect(last).toBeGreaterThan(0);
      const copy = join(folder, `killed-${round}`);
      cpSync(data, copy, { recursive: true });
      const store = await openEmbeddedAnalytics(copy);
      const kept = await store.audit({ limit: 10_000 });
      expect(kept.length, `round ${round}, seed ${seed}`).toBeGreaterThanOrEqual(last);
      expect(kept.map(({ detail }) => detail['i'])).toEqual(kept.map((_, i) => i));
      expect(await store.verifyAudit()).toBeUndefined();
      await store.close();
    }
  });

  it('drops partitions that are old as a whole, and makes them again for what comes back', async () => {
    const store = await openEmbeddedAnalytics(join(folder, 'retained'));
    await store.migrate();
    const starts = [Date.UTC(2022, 0, 31), Date.UTC(2022, 1, 1), Date.UTC(2022, 2, 1)];
    await store.upsertBars(starts.map((startMs) => bar({ startMs })));
    expect(await store.retain(Date.UTC(2022, 1, 28))).toEqual(['bars_2022_01']);
    expect(await store.bar('asx:BHP', '1d', Date.UTC(2022, 0, 31))).toBeUndefined();
    expect(await store.bar('asx:BHP', '1d', Date.UTC(2022, 1, 1))).toBeDefined();
    expect(await store.upsertBars([bar({ startMs: Date.UTC(2022, 0, 30) })])).toBe(1);
    expect(await store.bar('asx:BHP', '1d', Date.UTC(2022, 0, 30))).toBeDefined();
    await store.close();
  });
});

describe.skipIf(postgresMissing !== undefined)('analytics on a PostgreSQL server', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(async () => {
    await server.stop();
  }, 60_000);

  function changed(set: MigrationSet, version: number, sql: string): MigrationSet {
    const swap = (files: MigrationSet['native']): MigrationSet['native'] =>
      files.map((file) => (file.version === version ? { ...file, sql, checksum: `${file.checksum}-changed` } : file));
    return { timescale: swap(set.timescale), native: swap(set.native) };
  }

  it('ST-1 two migrators at once: each file is applied once', async () => {
    const url = await server.database();
    const clients = [1, 2, 3].map(() => openPostgres({ url, maxConnections: 2 }));
    const outcomes = await Promise.all(clients.map((sql) => migratePostgres(sql)));
    expect(outcomes.flatMap(({ applied }) => applied)).toEqual([
      '0001_tables.sql',
      '0002_bars.sql',
      '0003_aggregates.sql',
    ]);
    expect(new Set(outcomes.map(({ version }) => version))).toEqual(new Set([3]));
    for (const sql of clients) await sql.end();
  });

  it('ST-1 a dry run names the files and applies none', async () => {
    const sql = openPostgres({ url: await server.database() });
    const set = await readMigrationSet();
    expect((await migratePostgres(sql, { set, dryRun: true })).applied).toHaveLength(3);
    const [found] = await sql`SELECT to_regclass('users') AS users`;
    expect(found).toEqual({ users: null });
    await sql.end();
  });

  it('ST-1 a changed file and a newer database are refused, and nothing is applied', async () => {
    const sql = openPostgres({ url: await server.database() });
    const set = await readMigrationSet();
    await migratePostgres(sql, { set });
    await expect(migratePostgres(sql, { set: changed(set, 2, 'SELECT 1;') })).rejects.toMatchObject({
      code: 'changed_file',
    });
    const older: MigrationSet = { timescale: set.timescale.slice(0, 2), native: set.native.slice(0, 2) };
    await expect(migratePostgres(sql, { set: older })).rejects.toBeInstanceOf(MigrationError);
    await expect(migratePostgres(sql, { set: older })).rejects.toMatchObject({ code: 'newer_store' });
    expect((await migratePostgres(sql, { set })).applied).toEqual([]);
    await sql.end();
  });

  it('ST-1 a file that fails in the middle leaves nothing of itself, and is applied when it is mended', async () => {
    const sql = openPostgres({ url: await server.database() });
    const set = await readMigrationSet();
    const broken = changed(set, 3, 'CREATE TABLE half (a integer);\nSELECT no_such_function();\n');
    await expect(migratePostgres(sql, { set: broken })).rejects.toSatisfy((error) => sqlState(error) === '42883');
    const [found] = await sql`SELECT to_regclass('half') AS half`;
    expect(found).toEqual({ half: null });
    expect((await migratePostgres(sql, { set })).applied).toEqual(['0003_aggregates.sql']);
    await sql.end();
  });

  it('the audit trail refuses changes, and shows those that were made by force', async () => {
    const url = await server.database();
    const store = openPostgresAnalytics({ url });
    await store.migrate();
    for (let i = 0; i < 5; i++)
      await store.appendAudit(1_700_000_000_000 + i, { actor: 'a', action: 'b', subject: 'c', detail: { i } });
    const admin = postgres(url, { max: 1, onnotice: () => undefined });
    const attempts = [
      `UPDATE audit_trail SET actor = 'x' WHERE id = 3`,
      'DELETE FROM audit_trail WHERE id = 3',
      'TRUNCATE audit_trail',
    ];
    for (const attempt of attempts) await expect(admin.unsafe(attempt)).rejects.toMatchObject({ code: '42501' });
    expect(await store.verifyAudit()).toBeUndefined();
    await admin.unsafe('ALTER TABLE audit_trail DISABLE TRIGGER ALL');
    await admin.unsafe(`UPDATE audit_trail SET actor = 'x' WHERE id = 3`);
    expect(await store.verifyAudit()).toBe(3);
    await admin.unsafe(`UPDATE audit_trail SET actor = 'a' WHERE id = 3`);
    expect(await store.verifyAudit()).toBeUndefined();
    await admin.unsafe('DELETE FROM audit_trail WHERE id = 2');
    expect(await store.verifyAudit()).toBe(3);
    await admin.end();
    await store.close();
  });

  it('ST-4 a violated constraint does not speak against the server, its absence does', async () => {
    const url = await server.database();
    const sql = postgres(url, { max: 1 });
    const errorOf = (query: Promise<unknown>): Promise<unknown> =>
      query.then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(isPostgresFailure(await errorOf(sql.unsafe('SELECT 1/0')))).toBe(false);
    expect(isPostgresFailure(await errorOf(sql.unsafe('SELECT * FROM nothing')))).toBe(false);
    await sql.unsafe(`SET statement_timeout = 50`);
    expect(isPostgresFailure(await errorOf(sql.unsafe('SELECT pg_sleep(5)')))).toBe(true);
    await sql.end();
    const away = openPostgres({ url: 'postgres://nobody@127.0.0.1:1/none', connectTimeoutMs: 1_000 });
    expect(isPostgresFailure(await errorOf(away.unsafe('SELECT 1')))).toBe(true);
    await away.end();
  });

  it('orders and positions: the constraints hold', async () => {
    const url = await server.database();
    const store = openPostgresAnalytics({ url });
    await store.migrate();
    const { id } = await store.user('anna');
    const admin = postgres(url, { max: 1 });
    const order = (fields: Record<string, string | null>): Promise<string> => {
      const row = {
        user_id: id,
        client_order_id: `c${Math.floor(Number(fields['quantity'] ?? 1) * 1000)}`,
        symbol: 'asx:BHP',
        side: 'buy',
        type: 'limit',
        quantity: '1',
        limit_price: '36.1',
        status: 'new',
        ...fields,
      };
      return admin`INSERT INTO orders ${admin(row)}`.then(
        () => 'kept',
        (error: unknown) => sqlState(error) ?? String(error),
      );
    };
    const check = '23514';
    expect(await order({ quantity: '0.1' })).toBe('kept');
    expect(await order({ quantity: '0.1' })).toBe('23505');
    expect(await order({ quantity: '0.2', limit_price: null })).toBe(check);
    expect(await order({ quantity: '0.3', type: 'market' })).toBe(check);
    expect(await order({ quantity: '-1' })).toBe(check);
    expect(await order({ quantity: '0.4', filled_quantity: '0.5', filled_value: '1' })).toBe(check);
    expect(await order({ quantity: '0.5', status: 'filled' })).toBe(check);
    expect(await order({ quantity: '0.6', symbol: 'BHP' })).toBe(check);
    expect(await order({ quantity: '0.7', side: 'hold' })).toBe(check);
    // 23503 before PostgreSQL 18, 23001 since.
    await expect(admin`DELETE FROM users WHERE id = ${id}`).rejects.toSatisfy((error) =>
      /^(23503|23001)$/.test(sqlState(error) ?? ''),
    );
    const position = { user_id: id, symbol: 'asx:BHP', quantity: '0', cost: '5' };
    await expect(admin`INSERT INTO positions ${admin(position)}`).rejects.toMatchObject({ code: check });
    await admin.end();
    await store.close();
  });
});
