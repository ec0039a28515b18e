/** `npm start` as typed in a terminal, where Ctrl-C reaches npm, its shell and the product alike. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { REPO } from '../support/data.ts';

it('Ctrl-C drains npm start and exits with 0', { timeout: 90_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'edgetape-start-'));
  const child = spawn('npm', ['start', '--', '--data-dir', dir, '--port', '0', '--edge', 'none'], {
    cwd: REPO,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  let told = '';
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    const started = text.includes('Ctrl-C stops');
    text += chunk.toString();
    if (!started && text.includes('Ctrl-C stops')) process.kill(-(child.pid as number), 'SIGINT');
  });
  const ended = await new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
  rmSync(dir, { recursive: true, force: true });
  expect(told).toContain('Stopped.');
  expect(ended).toEqual({ code: 0, signal: null });
});
