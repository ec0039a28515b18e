/** The README is true: what it tells to run, runs. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { REPO } from '../support/data.ts';

const readme = readFileSync(join(REPO, 'README.md'), 'utf8');
const manifest = JSON.parse(readFileSync(join(REPO, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) =>
  (block[1] as string).trim().split('\n'),
);
/**
 * Run by .ci/run (`npm ci`, `npm run check`, `npm test`), by the end-to-end suite (`npm start`) or by the Kafka suites (the commands
 * with --brokers, services, chaos); benches take minutes.
 */
const RUN_ELSEWHERE = /^npm (ci && npm (start|test)|start|test|run (check|bench|services|chaos))( |$)/;

afterAll(() => rmSync(join(REPO, '.edgetape/readme'), { recursive: true, force: true }));

it('names only npm scripts that exist', () => {
  for (const command of commands) {
    for (const [, name] of command.matchAll(/npm (?:run )?(start|test|check|bench|services|chaos)/g))
      expect(manifest.scripts).toHaveProperty(name as string);
    expect(command).toMatch(/^(npm|npx edgetape) /);
    if (command.startsWith('npm')) expect(command).toMatch(RUN_ELSEWHERE);
  }
});

it('every edgetape command in it succeeds', { timeout: 120_000 }, async () => {
  const lines = commands.filter((command) => command.startsWith('npx edgetape ') && !command.includes('--brokers'));
  expect(lines.length).toBeGreaterThan(5);
  for (const line of lines) {
    const result = await cli(...line.split(' ').slice(2));
    expect(result.code, `${line}\n${result.stderr}`).toBe(0);
    expect(result.stdout.length, line).toBeGreaterThan(0);
  }
});

it('links only to files that exist', () => {
  for (const [, target] of readme.matchAll(/\]\(([^)#]+)\)/g))
    expect(() => readFileSync(join(REPO, target as string)), target).not.toThrow();
});
