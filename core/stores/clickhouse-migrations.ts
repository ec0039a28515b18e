/** ClickHouse as a migration target. */
import type { Clock } from '#shared/clock.ts';
import { quote, type ClickHouseEngine } from './clickhouse-engine.ts';
import { MigrationError, type AppliedMigration, type MigrationTarget } from './migrate.ts';

const LOCK_TABLE = 'schema_migration_lock';
const LOCK_ATTEMPTS = 30;
const LOCK_RETRY_MS = 1_000;
/** ClickHouse: TABLE_ALREADY_EXISTS. */
const TABLE_EXISTS = '57';

export function clickHouseMigrations(engine: ClickHouseEngine, clock: Clock): MigrationTarget {
  return {
    lock: () => (engine.embedded ? Promise.resolve(async () => {}) : lockServer(engine, clock)),
    prepare: () =>
      engine.command(
        `CREATE TABLE IF NOT EXISTS schema_migrations (version UInt32, name String, checksum String, applied DateTime64(3, 'UTC')) ENGINE = ReplacingMergeTree ORDER BY version`,
      ),
    applied: () =>
      engine.rows<AppliedMigration>('SELECT version, name, checksum FROM schema_migrations FINAL ORDER BY version'),
    apply: (statement) => engine.command(statement),
    record: ({ version, name, checksum }) =>
      engine.command(
        `INSERT INTO schema_migrations SELECT ${version}, ${quote(name)}, ${quote(checksum)}, fromUnixTimestamp64Milli(${clock.nowMs()}, 'UTC')`,
      ),
  };
}

/** A table that only one can create is the lock: ClickHouse has no other. The in-process engine has one user by nature. */
async function lockServer(engine: ClickHouseEngine, clock: Clock): Promise<() => Promise<void>> {
  for (let attempt = 1; ; attempt++) {
    try {
      await engine.command(`CREATE TABLE ${LOCK_TABLE} (nothing UInt8) ENGINE = Memory`);
      return () => engine.command(`DROP TABLE ${LOCK_TABLE}`);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === TABLE_EXISTS)) throw error;
      if (attempt === LOCK_ATTEMPTS) {
        throw new MigrationError(
          'locked',
          `Somebody else has been migrating the store for ${(LOCK_ATTEMPTS * LOCK_RETRY_MS) / 1_000} s. If no other process is at it, run DROP TABLE ${LOCK_TABLE} and try again.`,
        );
      }
    }
    await new Promise<void>((resolve) => {
      clock.schedule(LOCK_RETRY_MS, resolve);
    });
  }
}
