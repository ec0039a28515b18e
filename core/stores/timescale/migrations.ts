/**
 * The files of sql/timescale for the database at hand. They are written for TimescaleDB; a file of the same name in `native/` takes
 * the place of one for a database without the extension. What a database was first made with it keeps, so that an extension that
 * comes later changes nothing under the data.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import {
  MigrationError,
  migrate,
  readMigrations,
  type AppliedMigration,
  type MigrationFile,
  type MigrationTarget,
} from '../migrate.ts';
import { sqlState, type PostgresSql } from '../postgres.ts';
import type { ReservedSql } from 'postgres';

export type Flavour = 'timescale' | 'native';

export const SQL_FOLDER = new URL('../../../sql/timescale/', import.meta.url);

/** Any number that nothing else of ours takes. */
const LOCK_KEY = '7203385529470';
const LOCK_TIMEOUT_MS = 60_000;

export type MigrationSet = Record<Flavour, MigrationFile[]>;

export async function readMigrationSet(folder: URL = SQL_FOLDER): Promise<MigrationSet> {
  const timescale = await readMigrations(folder);
  const nativeFolder = new URL('native/', folder);
  const native = [...timescale];
  for (const name of await readdir(nativeFolder)) {
    const at = timescale.findIndex((file) => file.name === name);
    const replaced = timescale[at];
    if (replaced === undefined)
      throw new MigrationError('bad_files', `native/${name} takes the place of no file of sql/timescale.`);
    const sql = await readFile(new URL(name, nativeFolder), 'utf8');
    native[at] = { ...replaced, sql, checksum: createHash('sha256').update(sql).digest('hex') };
  }
  return { timescale, native };
}

/** What was applied decides; where nothing tells, what the server can do. */
export function chooseFlavour(set: MigrationSet, applied: readonly AppliedMigration[], canTimescale: boolean): Flavour {
  for (const done of applied) {
    const timescale = set.timescale[done.version - 1]?.checksum;
    const native = set.native[done.version - 1]?.checksum;
    if (timescale === native) continue;
    if (done.checksum === native) return 'native';
    if (done.checksum === timescale) return 'timescale';
  }
  return canTimescale ? 'timescale' : 'native';
}

/** Whether the extension is there with the features that need the Timescale licence (compression, continuous aggregates). */
export async function hasTimescale(sql: PostgresSql): Promise<boolean> {
  const [row] = await sql<{ usable: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb')
      AND coalesce(current_setting('shared_preload_libraries', TRUE), '') ~ '\\mtimescaledb\\M'
      AND coalesce(current_setting('timescaledb.license', TRUE), 'timescale') = 'timescale' AS usable`;
  return row?.usable === true;
}

/**
 * Each file and its record are one transaction: it is applied as a whole, or not at all. The connection is one for the whole run;
 * `release` gives it back.
 */
export async function postgresTarget(sql: PostgresSql): Promise<MigrationTarget & { release(): void }> {
  const connection: ReservedSql = await sql.reserve();
  let inTransaction = false;
  const begin = async (): Promise<void> => {
    if (inTransaction) return;
    await connection.unsafe('BEGIN');
    // Long statements are in the nature of a migration.
    await connection.unsafe('SET LOCAL statement_timeout = 0');
    inTransaction = true;
  };
  return {
    async lock() {
      try {
        await connection.unsafe(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
        await connection.unsafe('SET statement_timeout = 0');
        await connection.unsafe(`SELECT pg_advisory_lock(${LOCK_KEY})`);
      } catch (error) {
        if (sqlState(error) !== '55P03') throw error;
        throw new MigrationError(
          'locked',
          'Another process is migrating the database and has not finished. Try again.',
        );
      } finally {
        await connection.unsafe('RESET lock_timeout');
        await connection.unsafe('RESET statement_timeout');
      }
      return async () => {
        if (inTransaction) await connection.unsafe('ROLLBACK');
        inTransaction = false;
        await connection.unsafe(`SELECT pg_advisory_unlock(${LOCK_KEY})`);
      };
    },
    async prepare() {
      await connection.unsafe(`
        CREATE TABLE IF NOT EXISTS schema_migrations (
          version integer PRIMARY KEY,
          name text NOT NULL,
          checksum text NOT NULL,
          applied_at timestamptz NOT NULL DEFAULT now()
        )`);
    },
    async applied() {
      return connection<AppliedMigration[]>`SELECT version, name, checksum FROM schema_migrations ORDER BY version`;
    },
    async apply(statement) {
      await begin();
      await connection.unsafe(statement);
    },
    async record({ version, name, checksum }) {
      await begin();
      await connection`INSERT INTO schema_migrations (version, name, checksum) VALUES (${version}, ${name}, ${checksum})`;
      await connection.unsafe('COMMIT');
      inTransaction = false;
    },
    release: () => connection.release(),
  };
}

export interface MigrationOutcome {
  applied: string[];
  version: number;
  flavour: Flavour;
}

/** Brings the database up to the files. Rejects with a MigrationError where the two disagree (SPEC ST-1). */
export async function migratePostgres(
  sql: PostgresSql,
  options: { dryRun?: boolean; set?: MigrationSet } = {},
): Promise<MigrationOutcome> {
  const set = options.set ?? (await readMigrationSet());
  const canTimescale = await hasTimescale(sql);
  const target = await postgresTarget(sql);
  let flavour: Flavour = 'native';
  try {
    // The flavour is chosen under the lock: another process may be making the database at this moment.
    const unlock = await target.lock();
    try {
      await target.prepare();
      flavour = chooseFlavour(set, await target.applied(), canTimescale);
      const held: MigrationTarget = { ...target, lock: async () => async () => undefined };
      return { ...(await migrate(held, set[flavour], options.dryRun)), flavour };
    } finally {
      await unlock();
    }
  } finally {
    target.release();
  }
}
