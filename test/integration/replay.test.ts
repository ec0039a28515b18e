/** Real tapes through the real command line, held against a recompute that shares no code with the product. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { cli, finished, spawnCli, type CliResult } from '../support/cli.ts';
import { hasData, TAPES } from '../support/data.ts';
import { readTape, readTrades, recomputeBars, recomputeProfiles } from '../support/recompute.ts';
import { rng } from '../support/rng.ts';

const BAR_HEADER = 'venue,symbol,start_ns,start_utc,open,high,low,close,volume,vwap,trade_count,state,revision';
const PROFILE_HEADER =
  'venue,symbol,start_ns,start_utc,price,volume,buy_volume,sell_volume,trade_count,is_poc,in_value_area';

const folders: string[] = [];
function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'edgetape-test-'));
  folders.push(path);
  return path;
}
afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

async function lines(...args: string[]): Promise<string[]> {
  const result = await cli(...args);
  expect(result.stderr.split('\n').filter((line) => /error/i.test(line))).toEqual([]);
  expect(result.code).toBe(0);
  return result.stdout.trimEnd().split('\n');
}

function succeeded(result: CliResult): void {
  expect(result.code, result.stderr).toBe(0);
}

/** The first `columns` columns of every row. */
function head(rows: readonly string[], columns: number): string[] {
  return rows.map((row) => row.split(',').slice(0, columns).join(','));
}

describe.skipIf(!hasData).each([
  ['ASX', [TAPES.asxTrades]],
  ['crypto', [TAPES.cryptoTrades]],
])('replay of the %s tape', { timeout: 120_000 }, (_, tapes) => {
  const dir = folder();
  beforeAll(async () => {
    const result = await cli('replay', ...tapes, '--data-dir', dir, '--speed', 'max');
    succeeded(result);
  }, 120_000);

  it.each(TIMEFRAMES)('WN-2 WN-9 QY-3 gives the bars of an independent recompute, %s', async (timeframe) => {
    const [header, ...rows] = await lines('bars', '--data-dir', dir, '--tf', timeframe, '--format', 'csv');
    expect(header).toBe(BAR_HEADER);
    expect(head(rows, 11)).toEqual(recomputeBars(await readTrades(tapes), timeframe));
    expect(new Set(rows.map((row) => row.split(',')[11]))).toEqual(new Set(['final']));
  });

  it('WN-11 QY-5 gives the volume profiles of an independent recompute', async () => {
    const [header, ...rows] = await lines('profile', '--data-dir', dir, '--tf', '5m', '--format', 'csv');
    expect(header).toBe(PROFILE_HEADER);
    expect(head(rows, 9)).toEqual(recomputeProfiles(await readTrades(tapes)));
    const pocs = new Map<string, number>();
    for (const row of rows) {
      const [venue, symbol, start, , , , , , , poc, inArea] = row.split(',');
      const key = `${venue}:${symbol}:${start}`;
      pocs.set(key, (pocs.get(key) ?? 0) + (poc === 'true' ? 1 : 0));
      if (poc === 'true') expect(inArea).toBe('true');
    }
    expect(new Set(pocs.values())).toEqual(new Set([1]));
  });

  it('QY-4 gives back every trade once, as it was printed, in the order of the tape', async () => {
    const rows = await lines('trades', '--data-dir', dir, '--format', 'csv');
    const tape = (await readTape(tapes[0] as string)).map((row) => row.join(','));
    expect(rows).toEqual(tape);
  });
});

describe.skipIf(!hasData)('other tapes', { timeout: 240_000 }, () => {
  it('MD-5 MD-7 QY-4 gives back every quote of three tapes once, as it was printed', async () => {
    const dir = folder();
    for (const tape of [TAPES.asxQuotes, TAPES.cryptoQuotes, TAPES.fxQuotes]) {
      succeeded(await cli('replay', tape, '--data-dir', dir, '--speed', 'max'));
    }
    const rows = await lines('quotes', '--data-dir', dir, '--format', 'csv');
    const tapes = await Promise.all([TAPES.asxQuotes, TAPES.cryptoQuotes, TAPES.fxQuotes].map(readTape));
    expect(rows).toEqual([
      tapes[0]?.[0]?.join(','),
      ...tapes.flatMap((tape) => tape.slice(1).map((row) => row.join(','))),
    ]);
  });

  it('MD-11 the raw captures give the same bars as the CSV tape', async () => {
    const fromRaw = folder();
    const fromCsv = folder();
    succeeded(await cli('replay', ...TAPES.cryptoRaw, '--data-dir', fromRaw, '--speed', 'max'));
    succeeded(await cli('replay', TAPES.cryptoTrades, '--data-dir', fromCsv, '--speed', 'max'));
    for (const timeframe of TIMEFRAMES) {
      const args = ['--tf', timeframe, '--format', 'csv'];
      expect(await lines('bars', '--data-dir', fromRaw, ...args)).toEqual(
        await lines('bars', '--data-dir', fromCsv, ...args),
      );
    }
  });

  it('WN-5 two tapes of different years in one data folder do not disturb each other, in either order', async () => {
    const dir = folder();
    succeeded(await cli('replay', TAPES.cryptoTrades, '--data-dir', dir, '--speed', 'max'));
    succeeded(await cli('replay', TAPES.asxTrades, '--data-dir', dir, '--speed', 'max'));
    const rows = await lines('bars', '--data-dir', dir, '--tf', '1h', '--format', 'csv');
    expect(head(rows.slice(1), 11)).toEqual(
      recomputeBars(await readTrades([TAPES.asxTrades, TAPES.cryptoTrades]), '1h'),
    );
  });
});

describe.skipIf(!hasData)('kill -9', { timeout: 300_000 }, () => {
  it('LG-4 LG-6 ST-2 WN-14 replays killed at ten random points end with the bars, profiles and trades of one that never was', async () => {
    const seed = Number(process.env['EDGETAPE_TEST_SEED'] ?? 20_261_121);
    console.log(`seed ${seed}`);
    const random = rng(seed);
    const replay = (dir: string): string[] => ['replay', TAPES.asxTrades, '--data-dir', dir, '--speed', 'max'];
    const digests = async (dir: string): Promise<string[]> => {
      const outputs: string[] = [];
      for (const args of [['bars', '--tf', '1m'], ['bars', '--tf', '1d'], ['profile', '--tf', '5m'], ['trades']]) {
        const [command = '', ...rest] = args;
        const rows = await lines(command, '--data-dir', dir, ...rest, '--format', 'csv');
        outputs.push(createHash('sha256').update(rows.join('\n')).digest('hex'));
      }
      return outputs;
    };
    const whole = folder();
    const started = performance.now();
    succeeded(await cli(...replay(whole)));
    const wholeMs = performance.now() - started;
    const expected = await digests(whole);
    let kills = 0;
    for (let round = 0; kills < 10 && round < 20; round++) {
      const dir = folder();
      for (let result: CliResult | undefined; result === undefined || result.signal === 'SIGKILL';) {
        const child = spawnCli(replay(dir));
        const timer = setTimeout(() => child.kill('SIGKILL'), wholeMs * (0.1 + 0.9 * random()));
        result = await finished(child);
        clearTimeout(timer);
        if (result.signal === 'SIGKILL') kills++;
        else succeeded(result);
      }
      expect(await digests(dir), `round ${round}, ${kills} kills`).toEqual(expected);
    }
    expect(kills).toBeGreaterThanOrEqual(10);
  });
});
