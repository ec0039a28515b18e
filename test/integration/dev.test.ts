/** The whole product as one process: it starts, serves, is stopped, is killed, and goes on with what it had. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { BarView, HealthView, StatusView, SymbolInfo } from '#shared/market.ts';
import { cli, finished, spawnCli, type CliResult } from '../support/cli.ts';

const root = mkdtempSync(join(tmpdir(), 'edgetape-dev-'));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  children.length = 0;
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Running {
  url: string;
  child: ChildProcess;
  done: Promise<CliResult>;
}

/** Starts `dev` and waits for the address that it prints. */
async function start(dir: string, ...args: string[]): Promise<Running> {
  const child = spawnCli(['dev', '--data-dir', dir, '--port', '0', '--seed', '7', '--log-level', 'warn', ...args]);
  children.push(child);
  const done = finished(child);
  let text = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const found = /Edgetape +(http\S+)/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    void done.then((result) => reject(new Error(`ended with ${result.code}: ${result.stderr}`)));
  });
  return { url, child, done };
}

async function get<T>(url: string): Promise<T> {
  const response = await fetch(url);
  expect(response.status, url).toBeLessThan(400);
  return (await response.json()) as T;
}

/** Asks until the answer is as wanted: an event of the other process, seen from here. */
async function until<T>(ask: () => Promise<T>, wanted: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe.each(['none', 'embedded'])('dev, edge %s', { timeout: 120_000 }, (edge) => {
  const dir = join(root, edge);

  it('MD-12 serves a simulated market, says so, drains on SIGINT with exit code 0, and goes on with what it had', async () => {
    const first = await start(dir, '--edge', edge);
    const { symbols } = await until(
      () => get<{ symbols: SymbolInfo[] }>(`${first.url}/v1/symbols`),
      (answer) => answer.symbols.some(({ trades }) => trades > 20),
    );
    expect(symbols.every(({ venue, simulated }) => venue === 'simulated' && simulated)).toBe(true);
    const busiest = symbols.toSorted((a, b) => b.trades - a.trades)[0]?.symbol ?? '';
    const bars = await until(
      () => get<{ bars: BarView[] }>(`${first.url}/v1/bars?symbol=${encodeURIComponent(busiest)}&tf=1m`),
      (answer) => answer.bars.length > 0,
    );
    expect(bars.bars.at(-1)?.state).toMatch(/provisional|final|revised/);
    const health = await until(
      () => get<HealthView>(`${first.url}/v1/health`),
      ({ status }) => status === 'ok',
    );
    expect(health.dataAgeMs).toBeLessThan(5_000);
    expect(await get<StatusView>(`${first.url}/v1/status`)).toMatchObject({ simulated: true });

    const refused = await cli('bars', '--data-dir', dir);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`--url ${first.url}`);
    const overRest = await cli('trades', '--url', first.url, '--format', 'csv', '--limit', '5');
    expect(overRest.stdout.trimEnd().split('\n')).toHaveLength(6);

    first.child.kill('SIGINT');
    const result = await first.done;
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).toContain('The next start goes on from here.');
    const before = (await cli('trades', '--data-dir', dir, '--format', 'csv')).stdout.trimEnd().split('\n');
    expect(overRest.stdout.split('\n').slice(0, 6)).toEqual(before.slice(0, 6));

    const second = await start(dir, '--edge', edge);
    const after = await until(
      () =>
        fetch(`${second.url}/v1/trades?limit=10000`, { headers: { accept: 'text/csv' } }).then((response) =>
          response.text(),
        ),
      (text) => text.split('\n').length > Math.min(before.length + 50, 9_000),
    );
    expect(after.split('\n').slice(0, before.length)).toEqual(before);
    second.child.kill('SIGTERM');
    expect((await second.done).code).toBe(0);
  });

  it('LG-5 loses nothing that was shown before kill -9', async () => {
    const killed = await start(dir, '--edge', edge);
    await until(
      () => get<StatusView>(`${killed.url}/v1/status`),
      ({ counts }) => counts.acceptedTrades > 0,
    );
    const shown = await fetch(`${killed.url}/v1/trades?limit=10000&order=desc`, {
      headers: { accept: 'text/csv' },
    }).then((r) => r.text());
    killed.child.kill('SIGKILL');
    await killed.done;
    const again = await start(dir, '--edge', edge);
    await until(
      () => get<HealthView>(`${again.url}/v1/health`),
      ({ lag }) => lag.every(({ lagMs }) => lagMs < 2_000),
    );
    again.child.kill('SIGINT');
    expect((await again.done).code).toBe(0);
    const kept = new Set((await cli('trades', '--data-dir', dir, '--format', 'csv')).stdout.trimEnd().split('\n'));
    expect(
      shown
        .trimEnd()
        .split('\n')
        .filter((line) => !kept.has(line)),
    ).toEqual([]);
  });
});

describe('dev, what is refused', { timeout: 60_000 }, () => {
  it('a port that is in use', async () => {
    const first = await start(join(root, 'one'), '--edge', 'none');
    const port = new URL(first.url).port;
    const second = await cli('dev', '--data-dir', join(root, 'two'), '--edge', 'none', '--port', port);
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`Port ${port} is in use.`);
    first.child.kill('SIGINT');
    expect((await first.done).code).toBe(0);
  });
});
