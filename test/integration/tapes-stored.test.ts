/** Collector, log, sink and store over the recorded tapes: what comes out is what went in, line by line. */
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCollector } from '../../core/collector/collector.ts';
import { openTapeSource } from '../../core/collector/tape.ts';
import { openSqliteLog } from '../../core/log/sqlite.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { QUOTE_CSV_HEADER, quoteCsvRows, TRADE_CSV_HEADER, tradeCsvRows } from '../../core/query/csv-rows.ts';
import { openClickHouse } from '../../core/stores/clickhouse.ts';
import { createSink } from '../../core/stores/sink.ts';
import type { MarketStore } from '../../core/stores/stores.ts';
import { hasData, TAPES } from '../support/data.ts';

const PARTITIONS = 4;
const clock = systemClock();

async function* storedLines(store: MarketStore, kind: 'trades' | 'quotes'): AsyncGenerator<string> {
  if (kind === 'trades') {
    yield TRADE_CSV_HEADER;
    for await (const batch of store.trades({})) yield* tradeCsvRows(batch);
  } else {
    yield QUOTE_CSV_HEADER;
    for await (const batch of store.quotes({})) yield* quoteCsvRows(batch);
  }
}

async function replay(folder: string, paths: readonly string[]): Promise<MarketStore> {
  const log = await openSqliteLog({ path: join(folder, 'log.db'), clock });
  const store = await openClickHouse({ path: join(folder, 'store') });
  await store.migrate();
  const shared = { log, partitions: PARTITIONS, clock, logger: silentLogger };
  const sink = createSink({ ...shared, store });
  const running = sink.run();
  const source = await openTapeSource({ paths, speed: 'max', clock });
  await createCollector({ ...shared, sources: [source] }).run();
  await sink.caughtUp();
  await sink.drain();
  await running;
  await log.close();
  return store;
}

/** Counts the lines that are not the same, and names the first. */
async function compare(store: MarketStore, kind: 'trades' | 'quotes', path: string): Promise<number> {
  const stored = storedLines(store, kind);
  let lines = 0;
  for await (const line of createInterface({ input: createReadStream(path).pipe(createGunzip()) })) {
    lines++;
    const { value } = await stored.next();
    if (value !== line)
      throw new Error(`${kind}, line ${lines}: ${JSON.stringify(value)} instead of ${JSON.stringify(line)}`);
  }
  expect((await stored.next()).done).toBe(true);
  return lines;
}

describe.skipIf(!hasData)('recorded tapes', { timeout: 120_000 }, () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edgetape-tapes-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it.each([
    ['asx', TAPES.asxTrades, TAPES.asxQuotes, 133_818, 110_807],
    ['crypto', TAPES.cryptoTrades, TAPES.cryptoQuotes, 55_270, 207_146],
  ])('QY-4 MD-4 %s trades and quotes come out as they went in', async (_, tradesPath, quotesPath, trades, quotes) => {
    const store = await replay(folder, [tradesPath, quotesPath]);
    expect(await compare(store, 'trades', tradesPath)).toBe(trades + 1);
    expect(await compare(store, 'quotes', quotesPath)).toBe(quotes + 1);
    await store.close();
  });

  it('QY-4 MD-4 fx quotes come out as they went in, without sizes', async () => {
    const store = await replay(folder, [TAPES.fxQuotes]);
    expect(await compare(store, 'quotes', TAPES.fxQuotes)).toBe(427_035);
    await store.close();
  });
});
