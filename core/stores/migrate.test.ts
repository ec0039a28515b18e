import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  migrate,
  planMigrations,
  readMigrations,
  splitStatements,
  type AppliedMigration,
  type MigrationTarget,
} from './migrate.ts';

class FakeTarget implements MigrationTarget {
  readonly done: AppliedMigration[] = [];
  readonly statements: string[] = [];
  held = false;
  failOn: string | undefined;

  async lock(): Promise<() => Promise<void>> {
    expect(this.held).toBe(false);
    this.held = true;
    return async () => {
      this.held = false;
    };
  }

  async prepare(): Promise<void> {
    expect(this.held).toBe(true);
  }

  async applied(): Promise<AppliedMigration[]> {
    return [...this.done];
  }

  async apply(statement: string): Promise<void> {
    if (statement === this.failOn) throw new Error('no');
    this.statements.push(statement);
  }

  async record(migration: AppliedMigration): Promise<void> {
    this.done.push(migration);
  }
}

describe('migrations', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edgetape-sql-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const url = (): URL => pathToFileURL(`${folder}/`);
  async function write(files: Record<string, string>): Promise<void> {
    await mkdir(folder, { recursive: true });
    for (const [name, sql] of Object.entries(files)) await writeFile(join(folder, name), sql);
  }

  it('ST-1 applies each file once, in order', async () => {
    await write({ '0002_b.sql': 'B;', '0001_a.sql': '-- about a\nA1;\nA2;\n', 'readme.txt': 'not one' });
    const target = new FakeTarget();
    expect(await migrate(target, await readMigrations(url()))).toEqual({
      applied: ['0001_a.sql', '0002_b.sql'],
      version: 2,
    });
    expect(target.statements).toEqual(['A1', 'A2', 'B']);
    await write({ '0003_c.sql': 'C' });
    expect(await migrate(target, await readMigrations(url()))).toEqual({ applied: ['0003_c.sql'], version: 3 });
    expect(target.statements).toEqual(['A1', 'A2', 'B', 'C']);
    expect(target.held).toBe(false);
  });

  it('ST-1 says what it would do when it is only asked', async () => {
    await write({ '0001_a.sql': 'A' });
    const target = new FakeTarget();
    expect(await migrate(target, await readMigrations(url()), true)).toEqual({ applied: ['0001_a.sql'], version: 0 });
    expect([target.statements, target.done]).toEqual([[], []]);
  });

  it('ST-1 refuses a file that was changed after it was applied', async () => {
    await write({ '0001_a.sql': 'A' });
    const target = new FakeTarget();
    await migrate(target, await readMigrations(url()));
    await write({ '0001_a.sql': 'A -- changed' });
    await expect(migrate(target, await readMigrations(url()))).rejects.toMatchObject({
      code: 'changed_file',
      message: expect.stringContaining('0001_a.sql'),
    });
    expect(target.held).toBe(false);
  });

  it('ST-1 refuses a store that a newer version has migrated', () => {
    const applied = [{ version: 1, name: '0001_a.sql', checksum: 'x' }];
    expect(() => planMigrations([], applied)).toThrow(/newer version/);
  });

  it('ST-1 goes on behind the last file that was applied as a whole', async () => {
    await write({ '0001_a.sql': 'A', '0002_b.sql': 'B1;\nB2;' });
    const target = new FakeTarget();
    target.failOn = 'B2';
    await expect(migrate(target, await readMigrations(url()))).rejects.toThrow('no');
    expect(target.held).toBe(false);
    target.failOn = undefined;
    expect((await migrate(target, await readMigrations(url()))).applied).toEqual(['0002_b.sql']);
    expect(target.statements).toEqual(['A', 'B1', 'B1', 'B2']);
  });

  it.each([
    ['a gap', { '0001_a.sql': '', '0003_c.sql': '' }],
    ['a number twice', { '0001_a.sql': '', '0001_b.sql': '' }],
    ['a name without a number', { 'a.sql': '' }],
  ])('ST-1 refuses %s', async (_, files) => {
    await write(files);
    await expect(readMigrations(url())).rejects.toMatchObject({ code: 'bad_files' });
  });

  it('ST-1 splits statements at semicolons that end a line', () => {
    expect(splitStatements("-- one;\nSELECT ';' AS a;\n\nSELECT 2\n  -- inside;\n;\n")).toEqual([
      "SELECT ';' AS a",
      'SELECT 2',
    ]);
  });
});
