/** The command line as a user meets it: outputs, exit codes, sentences. One small tape through the real stack. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, finished, spawnCli } from '../support/cli.ts';

const root = mkdtempSync(join(tmpdir(), 'edgetape-cli-'));
const dir = join(root, 'data');
const TRADE_HEADER = 'ts_event_ns,ts_recv_ns,venue,symbol,price,size,side,trade_id,conditions';
/** 2024-08-08T23:54:00Z. */
const T0 = 1_723_161_240_000;
const ROWS = [
  `${T0 + 500}000000,,sample,ACME,10.50,3,buy,1,`,
  `${T0 + 1_500}000000,,sample,ACME,10.75,1,sell,2,X`,
  `${T0 + 2_000}000000,,sample,B/C.D-E,0.00012,1000.5,,,`,
  `${T0 + 61_000}000000,,sample,ACME,10.25,4,sell,3,`,
  `${T0 + 3_000}000000,,sample,ACME,nonsense,4,sell,4,`,
  `${T0 + 400_000}000000,,sample,ACME,11,5,buy,5,`,
];
const tape = join(root, 'tape.csv');

beforeAll(async () => {
  writeFileSync(tape, [TRADE_HEADER, ...ROWS, ''].join('\n'));
  const result = await cli('replay', tape, '--data-dir', dir, '--speed', 'max');
  expect(result.code, result.stderr).toBe(0);
  expect(result.stdout).toMatch(/^read {7}6 rows$/m);
  expect(result.stdout).toMatch(/^accepted {3}5 trades, 0 quotes$/m);
  expect(result.stdout).toMatch(/^rejected {3}1: not_a_decimal 1$/m);
  expect(result.stdout).toMatch(/^bars .* final, 0 revised, 0 provisional$/m);
  expect(result.stderr).toBe('');
}, 60_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function out(...args: string[]): Promise<string> {
  const result = await cli(...args, '--data-dir', dir);
  expect(result.code, result.stderr).toBe(0);
  expect(result.stderr).toBe('');
  return result.stdout;
}

describe('what is printed', { timeout: 60_000 }, () => {
  it('QY-3 bars as CSV', async () => {
    expect(await out('bars', '--tf', '1m', '--format', 'csv')).toBe(
      [
        'venue,symbol,start_ns,start_utc,open,high,low,close,volume,vwap,trade_count,state,revision',
        'sample,ACME,1723161240000000000,2024-08-08T23:54:00Z,10.5,10.75,10.5,10.75,4,10.5625,2,final,1',
        'sample,ACME,1723161300000000000,2024-08-08T23:55:00Z,10.25,10.25,10.25,10.25,4,10.25,1,final,1',
        'sample,ACME,1723161600000000000,2024-08-09T00:00:00Z,11,11,11,11,5,11,1,final,1',
        'sample,B/C.D-E,1723161240000000000,2024-08-08T23:54:00Z,0.00012,0.00012,0.00012,0.00012,1000.5,0.00012,1,final,1',
        '',
      ].join('\n'),
    );
  });

  it('QY-5 profiles as CSV', async () => {
    const lines = (await out('profile', '--symbol', 'sample:ACME', '--format', 'csv', '--limit', '3')).split('\n');
    expect(lines).toEqual([
      'venue,symbol,start_ns,start_utc,price,volume,buy_volume,sell_volume,trade_count,is_poc,in_value_area',
      'sample,ACME,1723161000000000000,2024-08-08T23:50:00Z,10.5,3,3,0,1,true,true',
      'sample,ACME,1723161000000000000,2024-08-08T23:50:00Z,10.75,1,0,1,1,false,false',
      'sample,ACME,1723161300000000000,2024-08-08T23:55:00Z,10.25,4,0,4,1,true,true',
      '',
    ]);
  });

  it('QY-4 trades as they came', async () => {
    const good = ROWS.filter((row) => !row.includes('nonsense'));
    expect(await out('trades', '--format', 'csv')).toBe([TRADE_HEADER, ...good, ''].join('\n'));
    expect(await out('trades', '--format', 'csv', '--with-action', '--limit', '1')).toBe(
      `${TRADE_HEADER},action\n${ROWS[0]},trade\n`,
    );
  });

  it('a range and a limit', async () => {
    const rows = await out(
      'bars',
      '--symbol',
      'sample:ACME',
      '--from',
      '2024-08-08T23:55:00Z',
      '--to',
      `${T0 + 120_000}000000`,
      '--format',
      'json',
    );
    expect(JSON.parse(rows)).toMatchObject({
      symbol: 'sample:ACME',
      startMs: T0 + 60_000,
      close: '10.25',
      state: 'final',
    });
    expect(await out('bars', '--symbol', 'sample:NONE', '--format', 'csv')).toMatch(/^venue,.*\n$/);
  });

  it('tables for people', async () => {
    const lines = (await out('bars', '--symbol', 'sample:ACME', '--limit', '1')).trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^symbol +start +open/);
    expect(await out('symbols')).toContain('sample:B/C.D-E');
    expect(await out('quotes')).toBe('No quotes.\n');
  });

  it('TK-2 the log as JSON lines', async () => {
    const records = (await out('log', 'cat', '--topic', 'trades'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; trades?: unknown[]; control?: { type: string } });
    expect(records.flatMap((record) => record.trades ?? [])).toHaveLength(5);
    expect(records.filter((record) => record.control?.type === 'end_of_source').length).toBeGreaterThan(0);
    expect(await out('log', 'cat', '--topic', 'dead-letter')).toContain('not_a_decimal');
    expect(await out('log', 'topics')).toContain('aggregates-1m');
  });

  it('a second replay of the same tape does nothing more', async () => {
    const before = await out('trades', '--format', 'csv');
    expect(await out('replay', tape)).toContain('replayed before');
    expect(await out('trades', '--format', 'csv')).toBe(before);
  });

  it('a reader that goes away is no error', async () => {
    const child = spawnCli(['trades', '--data-dir', dir, '--format', 'csv']);
    child.stdout?.destroy();
    const result = await finished(child);
    expect([result.code, result.stderr]).toEqual([0, '']);
  });
});

describe('what is refused', { timeout: 60_000 }, () => {
  it.each([
    [['bars', '--tf', '2m'], 2, '--tf must be one of 1m, 5m, 15m, 1h, 1d, not "2m".'],
    [['bars', '--symbol', 'ACME'], 2, '--symbol must look like venue:SYMBOL'],
    [['bars', '--from', 'today'], 2, '--from must be an ISO 8601 time'],
    [['bars', '--from', '2024-08-09', '--to', '2024-08-08'], 2, '--to must be later than --from.'],
    [['bars', '--limit', '0'], 2, '--limit must be a whole number from 1'],
    [['bars', '--format', 'xml'], 2, '--format must be one of table, csv, json'],
    [['bars', '--nothing'], 2, "unknown option '--nothing'"],
    [['nothing'], 2, "unknown command 'nothing'"],
    [['replay'], 2, "missing required argument 'files'"],
    [['replay', tape, '--speed', '-1'], 2, '--speed must be "max" or a number above 0'],
    [['replay', join(root, 'none.csv'), '--data-dir', join(root, 'other')], 1, 'none.csv'],
    [['replay', root, '--data-dir', join(root, 'other')], 1, 'is no file'],
    [['bars', '--data-dir', join(root, 'none')], 1, 'There is no data in'],
    [['bars', '--url', 'http://127.0.0.1:9'], 1, 'Nothing answers at http://127.0.0.1:9'],
    [['bars', '--url', 'nowhere'], 2, '--url must be an address like'],
    [['log', 'cat', '--topic', 'none', '--data-dir', dir], 1, 'There is no topic "none".'],
  ])('%j', async (args, code, sentence) => {
    const result = await cli(...args);
    expect(result.code, result.stderr).toBe(code);
    expect(result.stderr).toContain(sentence);
    expect(result.stderr).not.toMatch(/\n\s+at /);
    expect(result.stdout).toBe('');
  });

  it('a folder that a living process holds', async () => {
    const held = join(root, 'held');
    const lock = { pid: process.pid, started: startOf(process.pid), command: 'dev', url: 'http://127.0.0.1:8787' };
    expect((await cli('replay', tape, '--data-dir', held)).code).toBe(0);
    writeFileSync(join(held, 'lock.json'), JSON.stringify(lock));
    const result = await cli('bars', '--data-dir', held);
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('Ask it with --url http://127.0.0.1:8787');
  });
});

function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
