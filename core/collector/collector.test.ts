import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpack } from 'msgpackr';
import { afterAll, describe, expect, it } from 'vitest';
import type { ControlEvent } from '#shared/control.ts';
import { decodeFrame } from '#shared/frame.ts';
import { encodeTradeId, NO_TIME, tradeColumns } from '#shared/ticks.ts';
import { partitionOf, TOPICS } from '#shared/topics.ts';
import { hasData, TAPES } from '../../test/support/data.ts';
import { decodeRecords, type LoggedTick } from '../../test/support/decode-log.ts';
import { dyingLog, Killed } from '../../test/support/failing-log.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { MemoryLog } from '../../test/support/memory-log.ts';
import { rng } from '../../test/support/rng.ts';
import type { Log } from '../log/log.ts';
import { silentLogger } from '../ops/logger.ts';
import { createCollector, type CollectorSummary } from './collector.ts';
import type { Source, SourceBatch } from './source.ts';
import { openTapeSource } from './tape.ts';

const PARTITIONS = 4;
const NOW = 1_700_000_000_000;

function rowsOf(path: string): string[] {
  return gunzipSync(readFileSync(path)).toString('utf8').trimEnd().split('\n').slice(1);
}

async function replay(paths: readonly string[], log: Log, clock: ManualClock): Promise<CollectorSummary> {
  const source = await openTapeSource({ paths, speed: 'max', clock });
  const collector = createCollector({ log, sources: [source], partitions: PARTITIONS, clock, logger: silentLogger });
  await collector.run();
  return collector.summary();
}

function values(log: MemoryLog, topic: string, partition: number): Uint8Array[] {
  return log.records(topic, partition).map(({ value }) => value);
}

function ticksOf(log: MemoryLog, topic: 'trades' | 'quotes'): LoggedTick[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => decodeRecords(values(log, topic, partition)).ticks)
    .flat()
    .sort((a, b) => a.arrival - b.arrival);
}

/** Everything in a log that must not depend on when it was written: frames may be cut elsewhere. */
function contents(log: MemoryLog): unknown {
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) =>
    [TOPICS.trades, TOPICS.quotes].map((topic) => decodeRecords(values(log, topic, partition))),
  );
  return { partitions, refused: values(log, TOPICS.deadLetter, 0).map((value) => unpack(value) as unknown) };
}

class HastyClock extends ManualClock {
  override nowMs(): number {
    this.advance(200);
    return super.nowMs();
  }
}

async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
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

const folder = mkdtempSync(join(tmpdir(), 'edgetape-collector-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Trades, quotes and bad rows of several instruments, in two files. */
function madeTapes(seed: number): string[] {
  const random = rng(seed);
  const symbols = Array.from({ length: 9 }, (_, i) => `S${i}`);
  const trades = ['ts_event_ns,ts_recv_ns,venue,symbol,price,size,side,trade_id,conditions'];
  const quotes = ['ts_event_ns,ts_recv_ns,venue,symbol,bid_price,bid_size,ask_price,ask_size'];
  for (let i = 0; i < 40_000; i++) {
    const head = `${NOW + Math.floor(i / 3)}000000,,v${i % 2},${symbols[Math.floor(random() * 9)]}`;
    if (random() < 0.01) (random() < 0.5 ? trades : quotes).push('nonsense');
    if (random() < 0.6) trades.push(`${head},${(1 + random() * 9).toFixed(Math.floor(i / 8_000))},1,,t${i},${i % 5}`);
    else quotes.push(`${head},1.5,,1.6,`);
  }
  return [trades, quotes].map((rows, i) => {
    const path = join(folder, `${seed}-${i}.csv`);
    writeFileSync(path, rows.join('\n'));
    return path;
  });
}

describe('log of a tape', () => {
  const seed = 20_241_121;
  const paths = madeTapes(seed);

  it(`LG-6 MD-11 is the same whichever commit the process dies at, before or after it took place (seed ${seed})`, async () => {
    // So much time passes that every batch is a transaction of its own.
    const clock = new HastyClock();
    const whole = new MemoryLog(clock);
    const summary = await replay(paths, whole, clock);
    expect(summary.accepted.trades + summary.accepted.quotes).toBe(40_000);
    expect(summary.rejected['wrong_column_count']).toBeGreaterThan(300);
    const expected = contents(whole);
    expect(whole.commits).toBeGreaterThan(8);
    for (let commit = 1; commit <= whole.commits; commit++) {
      for (const when of ['before', 'after'] as const) {
        const log = new MemoryLog(clock);
        await expect(replay(paths, dyingLog(log, commit, when), clock)).rejects.toThrow(Killed);
        if (when === 'before') await expect(replay(paths, dyingLog(log, 1, 'after'), clock)).rejects.toThrow(Killed);
        expect(await replay(paths, log, clock)).toEqual(summary);
        expect(contents(log), `commit ${commit}, ${when}`).toEqual(expected);
      }
    }
  });

  it('TK-2 holds frames of at most 500 ticks, each of one partition and with no names but its own', async () => {
    const clock = new ManualClock();
    const log = new MemoryLog(clock);
    await replay(paths, log, clock);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      for (const value of values(log, TOPICS.trades, partition)) {
        const frame = decodeFrame(value);
        if (!frame.ok || frame.kind !== 'trades') continue;
        expect(frame.trades.length).toBeLessThanOrEqual(500);
        expect(frame.trades.strings.values.length).toBeLessThanOrEqual(frame.trades.length + 6);
        for (const instrument of frame.trades.instruments.values)
          expect(partitionOf(instrument, PARTITIONS)).toBe(partition);
      }
    }
  });

  it('LG-6 a tape that was replayed is not replayed again; another one goes on behind it', async () => {
    const clock = new ManualClock();
    const log = new MemoryLog(clock);
    const first = await replay(paths, log, clock);
    const before = contents(log);
    expect(await replay(paths, log, clock)).toEqual(first);
    expect(contents(log)).toEqual(before);
    await replay([paths[0] as string], log, clock);
    const arrivals = [...ticksOf(log, 'trades'), ...ticksOf(log, 'quotes')]
      .map(({ arrival }) => arrival)
      .sort((a, b) => a - b);
    expect(arrivals).toEqual(arrivals.map((_, i) => i));
  });

  it('TK-7 ends with the end of its source, on every partition of both topics', async () => {
    const clock = new ManualClock();
    const log = new MemoryLog(clock);
    await replay(paths, log, clock);
    for (let partition = 0; partition < PARTITIONS; partition++)
      for (const topic of [TOPICS.trades, TOPICS.quotes]) {
        const { control } = decodeRecords(values(log, topic, partition));
        expect(control.map((event) => (event.type === 'end_of_source' ? event.venues.toSorted() : event))).toEqual([
          ['v0', 'v1'],
        ]);
      }
  });

  it('LG-6 stops where it is when it is drained, and goes on from there', async () => {
    const clock = new ManualClock();
    const whole = new MemoryLog(clock);
    await replay(paths, whole, clock);
    const log = new MemoryLog(clock);
    const source = await openTapeSource({ paths, speed: 'max', clock });
    const collector = createCollector({
      log,
      sources: [source],
      partitions: PARTITIONS,
      clock,
      logger: silentLogger,
      onProgress: () => void collector.drain(),
    });
    await collector.run();
    await collector.drain();
    expect(collector.summary().sourcesDone).toBe(0);
    expect(collector.summary().read).toBeGreaterThan(0);
    await replay(paths, log, clock);
    expect(contents(log)).toEqual(contents(whole));
  });

  it('MD-9 fails when a source fails, with what came before kept', async () => {
    const clock = new ManualClock();
    const log = new MemoryLog(clock);
    const { source } = scripted(true);
    const broken: Source = {
      ...source,
      async *batches() {
        yield tick('v:A', NOW);
        throw new Error('disk gone');
      },
    };
    const collector = createCollector({ log, sources: [broken], partitions: PARTITIONS, clock, logger: silentLogger });
    await expect(collector.run()).rejects.toThrow('disk gone');
    expect(ticksOf(log, 'trades')).toHaveLength(1);
    expect(collector.summary().sourcesDone).toBe(0);
  });
});

function tick(instrument: string, eventMs: number, control: ControlEvent[] = []): SourceBatch {
  const trades = tradeColumns(1);
  trades.length = 1;
  trades.instrument[0] = trades.instruments.intern(instrument);
  trades.eventMs[0] = eventMs;
  trades.recvMs[0] = NO_TIME;
  trades.price[0] = 10;
  trades.size[0] = 1;
  trades.tradeId[0] = encodeTradeId('1', trades.strings);
  return { trades, quotes: undefined, control, rejections: [], rowsRead: 1, cursor: String(eventMs) };
}

/** A source that gives what it is handed. */
function scripted(finite: boolean): { source: Source; give: (batch: SourceBatch) => void } {
  const waiting: SourceBatch[] = [];
  let wake: () => void = () => {};
  return {
    give: (batch) => {
      waiting.push(batch);
      wake();
    },
    source: {
      id: 'scripted',
      simulated: false,
      finite,
      totalBytes: undefined,
      bytesRead: () => 0,
      async *batches(_cursor, signal) {
        while (!signal.aborted) {
          const batch = waiting.shift();
          if (batch !== undefined) yield batch;
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
              signal.addEventListener('abort', () => resolve(), { once: true });
            });
        }
      },
    },
  };
}

describe('live sources', () => {
  it('TK-7 WN-5 tell idle partitions the time of the venue, and none while it is disconnected', async () => {
    const clock = new ManualClock(NOW);
    const log = new MemoryLog(clock);
    const { source, give } = scripted(false);
    const collector = createCollector({
      log,
      sources: [source],
      partitions: PARTITIONS,
      clock,
      logger: silentLogger,
      heartbeatMs: 1_000,
    });
    const running = collector.run();
    await turns();
    const own = partitionOf('v:A', PARTITIONS);
    const other = (own + 1) % PARTITIONS;
    const heartbeats = (partition: number): number[] =>
      decodeRecords(values(log, TOPICS.trades, partition)).control.flatMap((event) =>
        event.type === 'heartbeat' ? [event.eventMs] : [],
      );
    const pass = async (ms: number): Promise<void> => {
      for (let left = ms; left > 0; left -= 100) {
        clock.advance(100);
        await turns();
      }
    };
    await pass(2_500);
    expect(heartbeats(other)).toEqual([]);
    give(tick('v:A', NOW - 5_000));
    await turns();
    await pass(2_500);
    expect(heartbeats(other)).toEqual([NOW - 4_500, NOW - 3_500, NOW - 2_500]);
    expect(heartbeats(own)).toEqual([NOW - 3_500, NOW - 2_500]);
    const down: ControlEvent = {
      type: 'connection',
      venue: 'v',
      state: 'disconnected',
      atMs: clock.nowMs(),
      reason: 'x',
    };
    give({ ...tick('v:A', NOW), trades: undefined, rowsRead: 0, control: [down] });
    await turns();
    await pass(3_000);
    expect(heartbeats(other)).toHaveLength(3);
    give(tick('v:A', NOW + 100, [{ ...down, state: 'connected' }]));
    await turns();
    await pass(1_000);
    expect(heartbeats(other).length).toBeGreaterThan(3);
    await collector.drain();
    await running;
    expect(collector.summary()).toMatchObject({ read: 2, accepted: { trades: 2, quotes: 0 }, sourcesDone: 0 });
  });

  it('TK-7 gaps and connections stand on every partition behind the ticks before them, and gaps are counted', async () => {
    const clock = new ManualClock(NOW);
    const log = new MemoryLog(clock);
    const { source, give } = scripted(false);
    const collector = createCollector({ log, sources: [source], partitions: PARTITIONS, clock, logger: silentLogger });
    const running = collector.run();
    give(tick('v:A', NOW, [{ type: 'gap', instrument: 'v:A', from: 2, to: 3, atMs: NOW }]));
    await turns();
    await collector.drain();
    await running;
    expect(collector.summary().gaps).toBe(1);
    const own = values(log, TOPICS.trades, partitionOf('v:A', PARTITIONS));
    expect(own).toHaveLength(2);
    expect(decodeFrame(own[0] as Uint8Array).ok).toBe(true);
    for (let partition = 0; partition < PARTITIONS; partition++)
      for (const topic of [TOPICS.trades, TOPICS.quotes])
        expect(decodeRecords(values(log, topic, partition)).control).toMatchObject([{ type: 'gap', from: 2, to: 3 }]);
  });

  it('LG-6 small batches that come while the log is busy share a transaction', async () => {
    const clock = new ManualClock(NOW);
    const log = new MemoryLog(clock);
    const { source, give } = scripted(false);
    const collector = createCollector({ log, sources: [source], partitions: PARTITIONS, clock, logger: silentLogger });
    const running = collector.run();
    await turns();
    give(tick('v:A', NOW));
    await turns();
    expect(log.commits).toBe(1);
    for (let i = 1; i <= 50; i++) give(tick('v:A', NOW + i));
    await turns();
    expect(log.commits).toBe(1);
    clock.advance(20);
    await turns();
    expect(log.commits).toBe(2);
    expect(collector.summary().read).toBe(51);
    await collector.drain();
    await running;
  });
});
