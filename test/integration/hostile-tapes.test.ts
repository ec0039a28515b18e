/** Tapes as the world really delivers them: broken, absurd, out of order. Through the real command line. */
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { createGzip, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { cli, type CliResult } from '../support/cli.ts';
import { readTrades, recomputeBars } from '../support/recompute.ts';

const HEADER = 'ts_event_ns,ts_recv_ns,venue,symbol,price,size,side,trade_id,conditions';
const T0 = 1_394_400_000_000; // 2014-03-09T21:20:00Z

const folders: string[] = [];
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'edgetape-hostile-'));
  folders.push(path);
  return path;
}
afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

function row(offsetMs: number, price: string, size = '10', symbol = 'BHP'): string {
  return `${T0 + offsetMs}000000,,asx,${symbol},${price},${size},,,0`;
}

function tape(name: string, content: string | Buffer): string {
  const path = join(folder(), name);
  writeFileSync(path, content);
  return path;
}

async function replay(path: string, dir = folder()): Promise<{ result: CliResult; dir: string }> {
  return { result: await cli('replay', path, '--data-dir', dir, '--speed', 'max'), dir };
}

async function bars(dir: string, timeframe = '1m'): Promise<string[]> {
  const result = await cli('bars', '--data-dir', dir, '--tf', timeframe, '--format', 'csv');
  expect(result.code, result.stderr).toBe(0);
  return result.stdout.trimEnd().split('\n').slice(1);
}

const head = (rows: readonly string[]): string[] => rows.map((r) => r.split(',').slice(0, 11).join(','));

describe('hostile tapes', { timeout: 120_000 }, () => {
  it('MD-9 names the columns that are missing, and exits with 1', async () => {
    const { result } = await replay(tape('short.csv', 'ts_event_ns,venue,price\n1394400000000000000,asx,36.5\n'));
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('short.csv');
    expect(result.stderr).toContain('symbol');
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });

  it('MD-6 MD-7 MD-9 rejects what is no trade, by reason, and keeps every good row', async () => {
    const good = [row(0, '36.5'), row(1_000, '36.6'), row(2_000, '36.455'), row(61_000, '36.4')];
    const bad = [
      row(500, 'NaN'),
      row(500, '-1'),
      row(500, '0'),
      row(500, '36.5', '0'),
      row(500, '36.5', '-5'),
      row(500, '9'.repeat(400)),
      row(500, `0.${'3'.repeat(400)}`),
      row(500, '36.5', 'Infinity'),
      row(500, ''),
      row(500, '1e3'),
      `-1000000000,,asx,BHP,36.5,10,,,0`,
      `4200000000000000000,,asx,BHP,36.5,10,,,0`,
      `soon,,asx,BHP,36.5,10,,,0`,
      `${T0}000000,,asx,BHP,36.5`,
      `${T0}000000,,AS X,BHP,36.5,10,,,0`,
      `${T0}000000,,asx,,36.5,10,,,0`,
      row(500, '36.5').replace(',,,0', ',maybe,,0'),
    ];
    const content = [HEADER, good[0], ...bad.slice(0, 9), good[1], good[2], ...bad.slice(9), good[3], ''].join('\n');
    const { result, dir } = await replay(tape('bad.csv', content));
    expect(result.code, result.stderr).toBe(0);
    const clean = tape('clean.csv', [HEADER, ...good, ''].join('\n'));
    expect(head(await bars(dir))).toEqual(recomputeBars(await readTrades([clean]), '1m'));
    const summary = result.stdout.replaceAll(',', '');
    expect(summary).toMatch(new RegExp(`rejected\\D*${bad.length}\\b`, 'i'));
    for (const reason of ['not_positive', 'not_a_decimal', 'too_long', 'before_1970', 'after_2100', 'not_a_time'])
      expect(summary).toContain(reason);
  });

  it('MD-9 delivers every row before the break of a gzip file, and says that it broke', async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) =>
      row(i * 10, (36 + (i % 100) / 100).toFixed(2), `${1 + (i % 977)}`),
    );
    const whole = gzipSync([HEADER, ...rows, ''].join('\n'));
    const { result, dir } = await replay(tape('broken.csv.gz', whole.subarray(0, Math.floor(whole.length * 0.7))));
    expect(result.stdout + result.stderr).toMatch(/broken_gzip/);
    const trades = await cli('trades', '--data-dir', dir, '--format', 'csv');
    const got = trades.stdout.trimEnd().split('\n').slice(1);
    expect(got.length).toBeGreaterThan(5_000);
    expect(got).toEqual(rows.slice(0, got.length));
  });

  it('MD-9 passes a line of 100 MB with flat memory', async () => {
    const path = join(folder(), 'long.csv.gz');
    const chunk = Buffer.alloc(1_000_000, '7');
    function* content(): Generator<string | Buffer> {
      yield `${HEADER}\n${row(0, '36.5')}\n`;
      for (let i = 0; i < 100; i++) yield chunk;
      yield `\n${row(1_000, '36.6')}\n`;
    }
    await pipeline(Readable.from(content()), createGzip({ level: 1 }), createWriteStream(path));
    const { result, dir } = await replay(path);
    expect(result.code, result.stderr).toBe(0);
    expect(result.stdout).toContain('line_too_long');
    const rows = await bars(dir);
    expect(rows).toHaveLength(1);
    expect(rows[0]?.split(',')[10]).toBe('2');
  });

  it('WN-1 WN-13 rows out of order within the grace, beyond it, and beyond what memory keeps, end in the bars of the whole tape', async () => {
    const rows: string[] = [];
    for (let minute = 0; minute < 60; minute++) {
      rows.push(
        row(minute * 60_000 + 1_000, `${36 + minute / 100}`),
        row(minute * 60_000 + 30_000, `${36.5 + minute / 100}`),
      );
      if (minute === 10) rows.push(row(minute * 60_000 + 29_000, '50'), row(minute * 60_000 + 200, '20'));
      if (minute === 50) rows.push(row(60_500, '99'), row(20 * 60_000 + 5_000, '1'), row(-3 * 3_600_000, '70'));
    }
    const path = tape('disorder.csv', [HEADER, ...rows, ''].join('\n'));
    const { result, dir } = await replay(path);
    expect(result.code, result.stderr).toBe(0);
    for (const timeframe of ['1m', '5m', '15m', '1h', '1d']) {
      expect(head(await bars(dir, timeframe)), timeframe).toEqual(recomputeBars(await readTrades([path]), timeframe));
    }
    const states = new Map((await bars(dir)).map((r) => [r.split(',')[2], r.split(',').slice(11).join(',')]));
    expect(states.get(`${T0 + 60_000}000000`)).toBe('revised,2');
    expect(states.get(`${T0 + 5 * 60_000}000000`)).toBe('final,1');
  });

  it('MD-9 says what is wrong with a file that is no tape, or is not there', async () => {
    const noTape = await replay(tape('notes.txt', 'hello\nworld\n'));
    expect(noTape.result.code).toBe(1);
    expect(noTape.result.stderr).toContain('notes.txt');
    const missing = await cli('replay', 'nowhere.csv', '--data-dir', folder());
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toContain('nowhere.csv');
    expect(missing.stderr).not.toMatch(/\n\s+at /);
  });
});
