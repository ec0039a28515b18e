import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { tradeColumns } from '#shared/ticks.ts';
import { silentLogger } from '../ops/logger.ts';
import type { Source, SourceBatch } from './source.ts';
import { spooled } from './spool.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgetape-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function batch(n: number): SourceBatch {
  const trades = tradeColumns(8);
  trades.length = 2;
  for (let i = 0; i < 2; i++) {
    trades.instrument[i] = trades.instruments.intern(`simulated:S${n % 3}`);
    trades.price[i] = 100 * n + i;
    trades.tradeId[i] = -(1 + trades.strings.intern(`id${n}-${i}`));
    trades.arrival[i] = i;
  }
  return { trades, quotes: undefined, control: [], rejections: [], rowsRead: 2, cursor: String(n) };
}

function feed(count: number): Source & { made: () => number } {
  let made = 0;
  return {
    id: 'feed',
    simulated: false,
    finite: false,
    totalBytes: undefined,
    bytesRead: () => 0,
    made: () => made,
    async *batches() {
      for (; made < count; made++) yield batch(made);
    },
  };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 500; i++) await Promise.resolve();
};

function seen({ trades, cursor }: SourceBatch): unknown {
  const rows = Array.from({ length: trades?.length ?? 0 }, (_, i) => [
    trades?.instruments.values[trades.instrument[i] as number],
    trades?.price[i],
    trades?.strings.values[-1 - (trades.tradeId[i] as number)],
    trades?.arrival[i],
  ]);
  return { cursor, rows };
}

it('LG-6 a feed goes on while nobody takes its batches; they come out whole and in order', async () => {
  const source = feed(40);
  const spool = spooled(source, { path: join(folder, 'a'), maxBytes: 1e6, logger: silentLogger, memoryBatches: 3 });
  const taken: unknown[] = [];
  let bytesAtRest = 0;
  for await (const next of spool.batches(undefined, new AbortController().signal)) {
    if (taken.length === 0) {
      await turns();
      expect(source.made()).toBe(40);
      bytesAtRest = spool.bufferedBytes();
      expect(readdirSync(folder)).toEqual([]);
    }
    taken.push(seen(next));
  }
  expect(bytesAtRest).toBeGreaterThan(10_000);
  expect(taken).toEqual(Array.from({ length: 40 }, (_, n) => seen(batch(n))));
  expect(spool.bufferedBytes()).toBe(0);
});

it('LG-6 at the limit the feed is held, and goes on when there is room again', async () => {
  const source = feed(40);
  const spool = spooled(source, { path: join(folder, 'b'), maxBytes: 8_000, logger: silentLogger, memoryBatches: 3 });
  let taken = 0;
  for await (const next of spool.batches(undefined, new AbortController().signal)) {
    if (taken === 0) {
      await turns();
      expect(spool.full()).toBe(true);
      expect(source.made()).toBeLessThan(30);
      expect(spool.bufferedBytes()).toBeLessThanOrEqual(8_000);
    }
    expect(next.cursor).toBe(String(taken++));
  }
  expect(taken).toBe(40);
  expect(spool.full()).toBe(false);
});
