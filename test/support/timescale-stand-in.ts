/**
 * A PostgreSQL server that understands the SQL written for TimescaleDB without having it: functions and aggregates of the same names
 * stand in, continuous aggregates become views, policies do nothing. It shows that the statements are right and give the same rows;
 * it shows nothing of chunks, compression or refreshing.
 */
import postgres from 'postgres';
import { migratePostgres, readMigrationSet } from '../../core/stores/timescale/migrations.ts';

const STAND_IN = `
CREATE FUNCTION create_hypertable(regclass, name, chunk_time_interval interval, create_default_indexes boolean)
RETURNS void LANGUAGE sql AS $$ SELECT $$;
CREATE FUNCTION add_compression_policy(regclass, compress_after interval) RETURNS void LANGUAGE sql AS $$ SELECT $$;
CREATE FUNCTION add_retention_policy(regclass, drop_after interval) RETURNS void LANGUAGE sql AS $$ SELECT $$;
CREATE FUNCTION add_continuous_aggregate_policy(
  regclass, start_offset interval, end_offset interval, schedule_interval interval
) RETURNS void LANGUAGE sql AS $$ SELECT $$;
CREATE PROCEDURE refresh_continuous_aggregate(regclass, timestamptz, timestamptz) LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE FUNCTION time_bucket(interval, timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE
AS $$ SELECT date_bin($1, $2, timestamptz '2000-01-01 00:00:00+00') $$;
CREATE TYPE timed AS (value numeric, at timestamptz);
CREATE FUNCTION timed_value(timed) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$ SELECT $1.value $$;
CREATE FUNCTION earlier(timed, numeric, timestamptz) RETURNS timed LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE WHEN $1.at IS NULL OR $3 < $1.at THEN ROW($2, $3)::timed ELSE $1 END $$;
CREATE FUNCTION later(timed, numeric, timestamptz) RETURNS timed LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE WHEN $1.at IS NULL OR $3 > $1.at THEN ROW($2, $3)::timed ELSE $1 END $$;
CREATE AGGREGATE first(numeric, timestamptz) (SFUNC = earlier, STYPE = timed, FINALFUNC = timed_value);
CREATE AGGREGATE last(numeric, timestamptz) (SFUNC = later, STYPE = timed, FINALFUNC = timed_value);
`;

/** Applies the files as they are but for what only the extension can parse, under their own checksums. */
export async function migrateStandIn(url: string): Promise<void> {
  const sql = postgres(url, { max: 2, onnotice: () => undefined });
  try {
    await sql.unsafe(STAND_IN);
    const { timescale } = await readMigrationSet();
    const files = timescale.map((file) => ({
      ...file,
      sql: file.sql
        .replace('CREATE EXTENSION IF NOT EXISTS timescaledb;', '')
        .replace(/ALTER TABLE bars SET \([^;]*\);/, '')
        .replaceAll(/CREATE MATERIALIZED VIEW (\w+)\nWITH \(timescaledb[^)]*\) AS/g, 'CREATE VIEW $1 AS')
        .replaceAll('WITH NO DATA', ''),
    }));
    await migratePostgres(sql, { set: { timescale: files, native: files } });
  } finally {
    await sql.end();
  }
}
