import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DataDirError, holderOf, openDataDir } from './data-dir.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'edgetape-dir-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function message(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof DataDirError) return error.message;
    throw error;
  }
  return '';
}

it('refuses a folder that a living process holds, and says where that one serves', () => {
  const dir = join(root, 'data');
  const held = openDataDir(dir, { command: 'dev' });
  expect(message(() => openDataDir(dir, { command: 'replay' }))).toContain('in use by "edgetape dev"');
  held.announce('http://127.0.0.1:8787');
  expect(message(() => openDataDir(dir, { command: 'bars' }))).toContain('--url http://127.0.0.1:8787');
  expect(holderOf(dir)).toMatchObject({ pid: process.pid, url: 'http://127.0.0.1:8787' });
  held.release();
  held.release();
  expect(holderOf(dir)).toBeUndefined();
  openDataDir(dir, { command: 'replay' }).release();
});

it('takes over from a process that was killed, also when its number was given to another one', () => {
  const lock = join(root, 'lock.json');
  for (const text of [
    '{"pid":999999999,"started":"1","command":"dev"}',
    `{"pid":${process.pid},"started":"1","command":"dev"}`,
    '{"pid":',
    '',
  ]) {
    writeFileSync(lock, text);
    const dir = openDataDir(root, { command: 'dev' });
    expect(JSON.parse(readFileSync(lock, 'utf8'))).toMatchObject({ pid: process.pid, command: 'dev' });
    dir.release();
  }
});

it('says what to do about a folder without data, and about one that cannot be made', () => {
  expect(message(() => openDataDir(join(root, 'none'), { command: 'bars', mustExist: true }))).toContain(
    'edgetape replay FILE',
  );
  writeFileSync(join(root, 'file'), '');
  expect(message(() => openDataDir(join(root, 'file', 'data'), { command: 'dev' }))).toContain('--data-dir');
});

it.skipIf(!existsSync('/proc/self/stat'))(
  'ends the children of a process that was killed, and nobody else',
  async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    const started = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19] ?? '';
    const dead = { pid: 999_999_999, started: '1', command: 'dev' };
    const lock = join(root, 'lock.json');
    writeFileSync(
      lock,
      JSON.stringify({
        ...dead,
        children: [{ pid: child.pid, started: `${started}0` }, { pid: process.pid, started: '1' }, 7],
      }),
    );
    openDataDir(root, { command: 'dev' }).release();
    expect(child.exitCode).toBeNull();
    expect(child.signalCode).toBeNull();
    writeFileSync(lock, JSON.stringify({ ...dead, children: [{ pid: child.pid, started }] }));
    openDataDir(root, { command: 'dev' }).release();
    expect((await ended)[1]).toBe('SIGKILL');
  },
);
