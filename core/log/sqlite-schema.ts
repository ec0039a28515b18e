/**
 * The SQLite file of the embedded log.
 *
 * A record's rowid is `partition id × 2^40 + offset`: records of a partition lie next to each other in one B-tree, in offset
 * order, without a second index. 2^40 records a partition and 4,095 partitions keep rowids below 2^53.
 */
import type { DatabaseSync } from 'node:sqlite';
import { LogError } from './log-error.ts';

/** "EDGE" as a big-endian integer: tells the file apart from any other SQLite database. */
const APPLICATION_ID = 0x45444745;
export const LOG_SCHEMA_VERSION = 1;
export const OFFSET_SPAN = 2 ** 40;
export const MAX_PARTITION_ID = 4_095;

const SCHEMA = `
CREATE TABLE topics (name TEXT PRIMARY KEY, partitions INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE partitions (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL REFERENCES topics, partition INTEGER NOT NULL,
  start_offset INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, partition)
) STRICT;
CREATE TABLE records (id INTEGER PRIMARY KEY, appended_ms INTEGER NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL) STRICT;
CREATE TABLE group_offsets (
  group_name TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
  PRIMARY KEY (group_name, topic, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE states (store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key)) STRICT;
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${LOG_SCHEMA_VERSION};
`;

/**
 * Takes the file for this process alone and brings its tables to the current version. The lock is the operating system's, so
 * it goes with the process however that dies.
 */
export function prepareLogFile(db: DatabaseSync, path: string): void {
  try {
    db.exec(
      'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;',
    );
    db.exec('BEGIN IMMEDIATE');
  } catch (error) {
    if (isBusy(error)) {
      throw new LogError(
        'in_use',
        `The log ${path} is in use by another process. Stop that process, or name another data directory.`,
        error,
      );
    }
    throw new LogError(
      'not_a_log',
      `The log ${path} cannot be opened. Restore it from a backup, or name another data directory.`,
      error,
    );
  }
  try {
    createOrCheck(db, path);
    db.exec('COMMIT');
  } catch (error) {
    db.exec('ROLLBACK');
    throw error;
  }
}

function createOrCheck(db: DatabaseSync, path: string): void {
  const applicationId = pragma(db, 'application_id');
  const version = pragma(db, 'user_version');
  if (applicationId === APPLICATION_ID) {
    if (version <= LOG_SCHEMA_VERSION) return;
    throw new LogError(
      'newer_schema',
      `The log ${path} was written by a newer Edgetape (schema ${version}, this one knows ${LOG_SCHEMA_VERSION}). Start that version, or name another data directory.`,
    );
  }
  const tables = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'];
  if (tables !== 0)
    throw new LogError(
      'not_a_log',
      `The file ${path} is a database, but not an Edgetape log. Name another data directory.`,
    );
  db.exec(SCHEMA);
}

function pragma(db: DatabaseSync, name: string): number {
  const value = db.prepare(`PRAGMA ${name}`).get()?.[name];
  return typeof value === 'number' ? value : 0;
}

function isBusy(error: unknown): boolean {
  return (
    error instanceof Error &&
    'errcode' in error &&
    (error.errcode === 5 || error.errcode === 6 || error.errcode === 261)
  );
}
