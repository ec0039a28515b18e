/**
 * Question: how many trades a second does a replay take from a CSV tape through collector, log, windows and store, on one core?
 * Method: a tape of a million trades is written (the recorded ASX tape repeated day by day where it is there, else made up), then
 * the product's own command replays it, bound to one core where the system has `taskset`. Beside it: the least work any
 * solution must do, reading the same file and splitting its rows at the commas.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGzip, gunzipSync } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { REPO, TAPES } from '../support/data.ts';
import { rng } from '../support/rng.ts';

const TRADES = 1_000_000;
const DAY_NS = 86_400_000_000_000n;
const SPLIT = `const z=require('node:zlib'),f=require('node:fs');let n=0;for(const l of z.gunzipSync(f.readFileSync(process.argv[1])).toString().split('\\n'))n+=l.split(',').length;console.log(n)`;

export async function run(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'edgetape-bench-'));
  try {
    const tape = join(dir, 'tape.csv.gz');
    await pipeline(Readable.from(rows()), createGzip({ level: 1 }), createWriteStream(tape));
    const pin = spawnSync('taskset', ['--version']).status === 0 ? ['taskset', '-c', '0'] : [];
    console.log(
      `method: ${TRADES.toLocaleString('en')} trades, gzip CSV, ${pin.length > 0 ? 'one core (taskset)' : 'not bound to a core'}; three runs, whole process`,
    );
    const figures = [];
    for (let i = 0; i < 3; i++)
      figures.push({
        replay: time(pin, [
          `${REPO}core/cli/bin.js`,
          'replay',
          tape,
          '--data-dir',
          join(dir, `data-${i}`),
          '--speed',
          'max',
        ]),
        split: time(pin, ['-e', SPLIT, tape]),
      });
    const median = (values: number[]): number => values.sort((a, b) => a - b)[1] as number;
    const replay = median(figures.map((f) => f.replay));
    const split = median(figures.map((f) => f.split));
    console.log(`replay    ${rate(replay)}   (${replay.toFixed(2)} s, start and stop included)`);
    console.log(`baseline  ${rate(split)}   gunzip and split the rows, nothing else`);
    console.log(`ratio     ${(split / replay).toFixed(2)} of the baseline's speed`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function rate(seconds: number): string {
  return `${Math.round(TRADES / seconds)
    .toLocaleString('en')
    .padStart(10)} trades/s`;
}

function time(pin: string[], args: string[]): number {
  const [command = '', ...rest] = [...pin, process.execPath, ...args];
  const started = performance.now();
  const output = execFileSync(command, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const seconds = (performance.now() - started) / 1000;
  if (args.includes('replay') && process.env['EDGETAPE_BENCH_VERBOSE'] !== undefined) console.log(output);
  return seconds;
}

function* rows(): Generator<string> {
  yield 'ts_event_ns,ts_recv_ns,venue,symbol,price,size,side,trade_id,conditions\n';
  const recorded = existsSync(TAPES.asxTrades)
    ? gunzipSync(readFileSync(TAPES.asxTrades)).toString().trimEnd().split('\n').slice(1)
    : madeUp();
  let left = TRADES;
  for (let day = 0n; left > 0; day += 3n) {
    for (let at = 0; at < recorded.length && left > 0; at += 1_000) {
      const block = recorded.slice(at, at + Math.min(1_000, left));
      left -= block.length;
      yield `${block.map((row) => shifted(row, day)).join('\n')}\n`;
    }
  }
}

function shifted(row: string, days: bigint): string {
  const comma = row.indexOf(',');
  return `${BigInt(row.slice(0, comma)) + days * DAY_NS}${row.slice(comma)}`;
}

function madeUp(): string[] {
  const random = rng(1);
  const prices = [3623, 6180, 68, 115];
  return Array.from({ length: 133_818 }, (_, i) => {
    const symbol = Math.floor(random() * 4);
    prices[symbol] = Math.max(1, (prices[symbol] as number) + Math.round(random() * 2 - 1));
    return `${1_394_398_634_754_000_000n + BigInt(i) * 1_500_000_000n},,asx,S${symbol},${((prices[symbol] as number) / 100).toFixed(2)},${1 + Math.floor(random() * 500)},,,0`;
  });
}
