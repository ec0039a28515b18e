import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { TOPICS } from '#shared/topics.ts';
import { hasData, TAPES } from '../../test/support/data.ts';
import { decodeRecords, type LoggedTick } from '../../test/support/decode-log.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { MemoryLog } from '../../test/support/memory-log.ts';
import { silentLogger } from '../ops/logger.ts';
import { createCollector } from './collector.ts';
import { openTapeSource } from './tape.ts';

const PARTITIONS = 4;

function rowsOf(path: string): string[] {
  return gunzipSync(readFileSync(path)).toString('utf8').trimEnd().split('\n').slice(1);
}

async function replay(paths: readonly string[], log: MemoryLog, clock: ManualClock) {
  const source = await openTapeSource({ paths, speed: 'max', clock });
  const collector = createCollector({ log, sources: [source], partitions: PARTITIONS, clock, logger: silentLogger });
  await collector.run();
  return collector.summary();
}

function ticksOf(log: MemoryLog, topic: 'trades' | 'quotes'): LoggedTick[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => log.records(TOPICS[topic], partition))
    .flatMap((records) => decodeRecords(records.map(({ value }) => value)).ticks)
    .sort((a, b) => a.arrival - b.arrival);
}

describe.skipIf(!hasData)('recorded tapes', () => {
  it.each([
    ['asx trades', TAPES.asxTrades, 'trades'],
    ['asx quotes', TAPES.asxQuotes, 'quotes'],
    ['crypto quotes', TAPES.cryptoQuotes, 'quotes'],
    ['fx quotes', TAPES.fxQuotes, 'quotes'],
  ] as const)('MD-4 TK-1 %s stand in the log row by row, as they were printed', async (_, path, kind) => {
    const clock = new ManualClock();
    const log = new MemoryLog(clock);
    const summary = await replay([path], log, clock);
    const rows = rowsOf(path);
    const ticks = ticksOf(log, kind);
    expect(ticks.map(({ line }) => line)).toEqual(rows);
    expect(ticks.map(({ arrival }) => arrival)).toEqual(rows.map((_row, i) => i));
    expect(summary).toMatchObject({ read: rows.length, rejected: {}, ignored: 0, sourcesDone: 1 });
  });

  it('MD-11 the raw captures give the trades and quotes of the CSV tapes, row by row', async () => {
    const clock = new ManualClock();
    const log = new MemoryLog(clock);
    // The CSV tapes were made with the files in this order; it decides two ties between venues.
    const inOrder = ['spot', 'usdm', 'coinm'].flatMap((market) =>
      TAPES.cryptoRaw.filter((path) => path.includes(`binance_${market}_`)),
    );
    const summary = await replay(inOrder, log, clock);
    expect(ticksOf(log, 'trades').map(({ line }) => line)).toEqual(rowsOf(TAPES.cryptoTrades));
    expect(ticksOf(log, 'quotes').map(({ line }) => line)).toEqual(rowsOf(TAPES.cryptoQuotes));
    expect(summary).toEqual({
      read: 332_200,
      accepted: { trades: 55_270, quotes: 207_146 },
      rejected: {},
      ignored: 69_784,
      gaps: 0,
      sourcesDone: 1,
    });
  });
});
