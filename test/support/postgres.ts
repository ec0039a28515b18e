/** A PostgreSQL server for tests, where the system has one: started once for a test file, a database of its own for each test. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'postgres';
import { postgres } from '../../infra/services/postgres.ts';
import { isRunning, stop, type Started } from '../../infra/services/service.ts';

/** undefined when PostgreSQL can be started here, else the sentence that says what is missing. */
export const postgresMissing = postgres.missing();
if (postgresMissing !== undefined) console.log(`skipped: tests against a PostgreSQL server. ${postgresMissing}`);

export interface TestPostgres {
  readonly version: string;
  /** Address of a new, empty database. */
  database(): Promise<string>;
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<TestPostgres> {
  const started: Started = await postgres.start(mkdtempSync(join(tmpdir(), 'edgetape-test-postgres-')), true);
  const kill = (): void => {
    if (isRunning(started)) process.kill(started.pid, 'SIGKILL');
  };
  process.once('exit', kill);
  await takesQueries(started.address);
  let databases = 0;
  return {
    version: started.version,
    async database() {
      const name = `test_${databases++}`;
      const admin = pg(started.address, { max: 1 });
      try {
        await admin`CREATE DATABASE ${admin(name)}`;
      } finally {
        await admin.end();
      }
      return started.address.replace(/\/[^/]*$/, `/${name}`);
    },
    async stop() {
      process.off('exit', kill);
      // A fast shutdown: it does not wait for clients that a failed test left behind.
      if (isRunning(started)) process.kill(started.pid, 'SIGINT');
      await stop(started);
    },
  };
}

/** The port is open before the database is: until then it answers that it is starting up. */
async function takesQueries(address: string): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  for (;;) {
    const sql = pg(address, { max: 1 });
    try {
      await sql`SELECT 1`;
      return;
    } catch (error) {
      const starting = error instanceof pg.PostgresError && error.code === '57P03';
      if (!starting || performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    } finally {
      await sql.end();
    }
  }
}
