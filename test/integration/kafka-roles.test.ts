/** Processes over one broker: real tapes, two windows processes and a sink; one of them killed, another one added. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { cli, spawnCli } from '../support/cli.ts';
import { hasData, TAPES } from '../support/data.ts';
import { kafkaMissing, TestBroker } from '../support/kafka.ts';
import { readTrades, recomputeBars } from '../support/recompute.ts';

if (kafkaMissing !== undefined) console.log(`skipped: ${kafkaMissing}`);

describe.skipIf(kafkaMissing !== undefined || !hasData)('roles over Kafka', { timeout: 90_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'edgetape-test-'));
  const children: ChildProcess[] = [];
  let broker: TestBroker;
  let query = '';

  /** Starts a process, and resolves with what it says when it runs. */
  const start = async (roles: string, clientId: string, ...more: string[]): Promise<[ChildProcess, string]> => {
    const child = spawnCli(['run', roles, '--brokers', broker.address, '--client-id', clientId, ...more]);
    children.push(child);
    let text = '';
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    return new Promise((resolve, reject) => {
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('\n')) resolve([child, text]);
      });
      child.on('exit', (code) => reject(new Error(`${roles} ended with ${code}: ${errors}`)));
    });
  };
  const ended = (child: ChildProcess): Promise<number | null> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
      else child.on('exit', resolve);
    });
  const replay = async (tape: string): Promise<void> => {
    const result = await cli('replay', tape, '--brokers', broker.address, '--client-id', 'replay');
    expect(result.code, result.stderr).toBe(0);
  };
  /** Resolves when no group is behind: first the windows, then the sink, which also takes what they made. */
  const caughtUp = async (): Promise<void> => {
    for (let quiet = 0; quiet < 2;) {
      const result = await cli('log', 'lag', '--brokers', broker.address, '--client-id', 'lag', '--format', 'json');
      expect(result.code, result.stderr).toBe(0);
      quiet = result.stdout === '' ? quiet + 1 : 0;
    }
  };
  const expectBars = async (tapes: readonly string[]): Promise<void> => {
    const trades = await readTrades(tapes);
    for (const timeframe of TIMEFRAMES) {
      const result = await cli('bars', '--url', query, '--tf', timeframe, '--format', 'csv');
      expect(result.code, result.stderr).toBe(0);
      const rows = result.stdout.trimEnd().split('\n').slice(1);
      const columns = rows.map((row) => row.split(','));
      expect(columns.map((row) => row.slice(0, 11).join(','))).toEqual(recomputeBars(trades, timeframe));
      expect(new Set(columns.map((row) => row[11]))).toEqual(new Set(['final']));
    }
  };

  beforeAll(async () => {
    broker = await TestBroker.start();
    const migrated = await cli('migrate', '--brokers', broker.address, '--partitions', '4');
    expect(migrated.code, migrated.stderr).toBe(0);
  }, 60_000);
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(children.map(ended));
    await broker?.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  it('WN-14 LG-4 LG-6 bars equal an independent recompute, also when a windows process dies and another one comes', async () => {
    const [[first], [second], [sink, served]] = await Promise.all([
      start('windows', 'w1', '--partitions', '4'),
      start('windows', 'w2', '--partitions', '4'),
      start('sink,query', 's1', '--data-dir', folder, '--port', '0'),
    ]);
    query = /serving (http:\S+)/.exec(served)?.[1] ?? '';
    await replay(TAPES.asxTrades);
    await caughtUp();
    await expectBars([TAPES.asxTrades]);

    const playing = replay(TAPES.cryptoTrades);
    const made = await cli('log', 'topics', '--brokers', broker.address);
    expect(made.code).toBe(0);
    first.kill('SIGKILL');
    await ended(first);
    const [third] = await start('windows', 'w3');
    await playing;
    await caughtUp();
    await expectBars([TAPES.asxTrades, TAPES.cryptoTrades]);

    // What is live reaches a process without windows through the log.
    const status = (await (await fetch(`${query}/v1/status`)).json()) as { venues: { venue: string }[] };
    expect(status.venues.map(({ venue }) => venue)).toContain('asx');
    const metrics = await (await fetch(`${query}/metrics`)).text();
    expect(metrics).toContain('edgetape_units_held{role="sink"} 4');
    expect(metrics).toContain('edgetape_log_lag_records{group="sink",topic="aggregates-1m",partition="3"} 0');

    for (const child of [second, third, sink]) child.kill('SIGTERM');
    expect(await Promise.all([second, third, sink].map(ended))).toEqual([0, 0, 0]);
  });
});
