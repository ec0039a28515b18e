/**
 * Numbered SQL files, each applied once, in order, under a lock, with its checksum kept (SPEC ST-1).
 *
 * A store that has no transactions for its schema may die in the middle of a file: every statement of a file must therefore be one
 * that can be run again (CREATE … IF NOT EXISTS).
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';

export interface MigrationFile {
  /** The number in front of the name, from 1, without gaps. */
  version: number;
  name: string;
  sql: string;
  /** SHA-256 of the file, hex. */
  checksum: string;
}

export interface AppliedMigration {
  version: number;
  name: string;
  checksum: string;
}

/** What a store must be able to do to be migrated. */
export interface MigrationTarget {
  /** Only one holder at a time, over all processes that use the store. Resolves with the function that gives it back. */
  lock(): Promise<() => Promise<void>>;
  /** Makes the table of applied migrations where it is missing. */
  prepare(): Promise<void>;
  applied(): Promise<AppliedMigration[]>;
  apply(statement: string): Promise<void>;
  record(migration: AppliedMigration): Promise<void>;
}

export class MigrationError extends Error {
  readonly code: 'changed_file' | 'newer_store' | 'bad_files' | 'locked';

  constructor(code: MigrationError['code'], message: string) {
    super(message);
    this.name = 'MigrationError';
    this.code = code;
  }
}

const FILE_NAME = /^(\d{4})_[a-z0-9_]+\.sql$/;

export async function readMigrations(folder: URL): Promise<MigrationFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  const files: MigrationFile[] = [];
  for (const name of names) {
    const sql = await readFile(new URL(name, folder), 'utf8');
    const version = Number(FILE_NAME.exec(name)?.[1]);
    if (version !== files.length + 1) {
      throw new MigrationError(
        'bad_files',
        `Migration ${name} is out of place: files are numbered 0001_name.sql, 0002_name.sql, … without gaps.`,
      );
    }
    files.push({ version, name, sql, checksum: createHash('sha256').update(sql).digest('hex') });
  }
  return files;
}

/** The files that are still to be applied, in order. Throws a MigrationError where the store and the files disagree. */
export function planMigrations(files: readonly MigrationFile[], applied: readonly AppliedMigration[]): MigrationFile[] {
  for (const done of applied) {
    const file = files[done.version - 1];
    if (file === undefined) {
      throw new MigrationError(
        'newer_store',
        `The store has migration ${done.name}, which this version does not know. Start the newer version that wrote it.`,
      );
    }
    if (file.checksum !== done.checksum) {
      throw new MigrationError(
        'changed_file',
        `Migration ${file.name} was changed after it was applied. Restore the file and put the change into a new one.`,
      );
    }
  }
  const versions = new Set(applied.map(({ version }) => version));
  return files.filter(({ version }) => !versions.has(version));
}

/** @param dryRun say what would be applied and change nothing but the table of applied migrations */
export async function migrate(
  target: MigrationTarget,
  files: readonly MigrationFile[],
  dryRun = false,
): Promise<{ applied: string[]; version: number }> {
  const unlock = await target.lock();
  try {
    await target.prepare();
    const before = await target.applied();
    const pending = planMigrations(files, before);
    if (!dryRun) {
      for (const { version, name, sql, checksum } of pending) {
        for (const statement of splitStatements(sql)) await target.apply(statement);
        await target.record({ version, name, checksum });
      }
    }
    const version = Math.max(
      0,
      ...before.map((done) => done.version),
      ...(dryRun ? [] : pending.map((file) => file.version)),
    );
    return { applied: pending.map(({ name }) => name), version };
  } finally {
    await unlock();
  }
}

/**
 * Statements end with a semicolon at the end of a line; lines that begin with `--` are comments. A semicolon between dollar quotes
 * (the body of a function) ends nothing.
 */
export function splitStatements(sql: string): string[] {
  const lines = sql.split('\n').filter((line) => !line.trimStart().startsWith('--'));
  const statements = lines.join('\n').match(/(?:\$(\w*)\$[\s\S]*?\$\1\$|;(?![ \t]*(?:\n|$))|[^;])+/g) ?? [];
  return statements.map((statement) => statement.trim()).filter((statement) => statement !== '');
}
