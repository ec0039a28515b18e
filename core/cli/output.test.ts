import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { encodeControl } from '#shared/control.ts';
import { lineLogger } from '../ops/line-logger.ts';
import type { Out } from './io.ts';
import { describeRecord } from './log-command.ts';
import { printRows } from './print-rows.ts';
import { showProgress } from './progress.ts';
import type { Rows } from './rows.ts';
import { stopSignal } from './stop-signal.ts';

function memoryOut(closeAfter = Number.POSITIVE_INFINITY): Out & { text: string } {
  const out = {
    text: '',
    async write(text: string) {
      if (!out.closed) out.text += text;
    },
    get closed() {
      return out.text.length >= closeAfter;
    },
    isTty: false,
    columns: 80,
  };
  return out;
}

async function* endless(counter: { batches: number }): AsyncGenerator<Rows> {
  for (;;) {
    counter.batches++;
    yield { csv: ['a', 'b', 'c'] };
  }
}

it('prints at most as many rows as asked for, and stops reading then', async () => {
  const out = memoryOut();
  const counter = { batches: 0 };
  const rows = await printRows(out, { kind: 'bars', format: 'csv', csvHeader: 'h', limit: 4 }, endless(counter));
  expect([rows, counter.batches, out.text]).toEqual([4, 2, 'h\na\nb\nc\na\n']);
});

it('stops reading when the reader has gone', async () => {
  const counter = { batches: 0 };
  await printRows(memoryOut(3), { kind: 'bars', format: 'csv', csvHeader: 'h', limit: undefined }, endless(counter));
  expect(counter.batches).toBeLessThan(3);
});

it('a table keeps its columns in line over batches', async () => {
  const out = memoryOut();
  async function* views(): AsyncGenerator<Rows> {
    yield { views: [{ symbol: 'x:LONGNAME', trades: 1, quotes: 20 }] };
    yield { views: [{ symbol: 'x:Y', trades: 100, quotes: 3 }] };
  }
  await printRows(out, { kind: 'symbols', format: 'table', csvHeader: '', limit: undefined }, views());
  const lines = out.text.split('\n');
  expect(lines[3]?.indexOf('100')).toBe((lines[2]?.indexOf('1') ?? 0) - 2);
});

it('one Ctrl-C that comes by several ways is one; a second one forces', () => {
  const clock = new ManualClock();
  const heard = new Map<string, () => void>();
  let forced = 0;
  const signal = stopSignal({ on: (name, listener) => heard.set(name, listener) }, clock, () => forced++);
  const interrupt = (): void => heard.get('SIGINT')?.();
  expect(signal.aborted).toBe(false);
  interrupt();
  interrupt();
  clock.advance(100);
  interrupt();
  expect([signal.aborted, forced]).toEqual([true, 0]);
  clock.advance(1_000);
  heard.get('SIGTERM')?.();
  expect(forced).toBe(1);
});

it('progress is a plain line every few seconds where there is no terminal', () => {
  const clock = new ManualClock();
  const stderr = memoryOut();
  let rows = 0;
  const stop = showProgress(
    { totalBytes: 1_000, bytesRead: () => rows / 10, rows: () => rows },
    {
      stdout: memoryOut(),
      stderr,
      env: {},
      clock,
      stop: new AbortController().signal,
      cpuSeconds: () => 0,
      terminal: process.stderr,
    },
  );
  clock.advance(1_000);
  expect(stderr.text).toBe('');
  rows = 2_500;
  clock.advance(2_000);
  expect(stderr.text).toBe('2,500 rows read, 25 % of the input\n');
  stop();
  clock.advance(60_000);
  expect(stderr.text.split('\n')).toHaveLength(2);
});

it('TK-6 shows a record that cannot be decoded, with the reason', () => {
  const record = (value: Uint8Array) => describeRecord('trades', 0, { offset: 7, timestampMs: 1, key: '', value });
  expect(record(Uint8Array.of(1, 2, 3))).toMatchObject({
    offset: 7,
    kind: 'undecodable',
    fault: 'truncated',
    hex: '010203',
  });
  expect(record(encodeControl({ type: 'heartbeat', venue: 'asx', eventMs: 5 }))).toMatchObject({
    kind: 'control',
    control: { venue: 'asx' },
  });
  expect(
    describeRecord('aggregates-1m', 0, { offset: 0, timestampMs: 1, key: '', value: Uint8Array.of(9) }),
  ).toMatchObject({ kind: 'undecodable' });
});

it('logs one line an event, as JSON or as words', () => {
  const lines: string[] = [];
  const clock = new ManualClock(0);
  const log = (format: 'json' | 'text') =>
    lineLogger({ level: 'info', format, clock, write: (line) => void lines.push(line) }).child({ part: 'sink' });
  log('json').warn('store away', { retryMs: 5 });
  log('text').info('all well', { why: 'two words', none: undefined });
  log('text').debug('not seen');
  expect(lines).toEqual([
    '{"time":"1970-01-01T00:00:00.000Z","level":"warn","message":"store away","part":"sink","retryMs":5}',
    '00:00:00.000 INFO  all well part=sink why="two words"',
  ]);
});
