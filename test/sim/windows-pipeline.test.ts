/** The windows over a log: crashes anywhere, bad frames, recomputes, and what is shown meanwhile. */
import { describe, expect, it } from 'vitest';
import type { Bar } from '#shared/bars.ts';
import { encodeControl } from '#shared/control.ts';
import { encodeQuotes, encodeTrades } from '#shared/frame.ts';
import { quoteColumns } from '#shared/ticks.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
import type { LivePublisher } from '../../core/relay/live.ts';
import { decodeDeadLetter } from '../../core/log/dead-letter.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { createWindows, type WindowsOptions } from '../../core/windows/pipeline.ts';
import { decodeBars, decodeProfiles } from '../../core/windows/records.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { rng } from '../support/rng.ts';
import { plainBars, type TapeRow } from '../support/window-oracle.ts';
import { batchOf, plainMap, WindowRun } from '../support/window-run.ts';

const START_MS = Date.UTC(2024, 7, 8, 23, 30);
const SPECS = [TOPICS.trades, TOPICS.quotes].map((name) => ({ name, partitions: 1 }));

/** A log whose commits fail from the k-th on, as a process that has died. */
class DyingLog extends MemoryLog {
  commitsLeft = Number.POSITIVE_INFINITY;

  override async transaction(id: string) {
    const transaction = await super.transaction(id);
    return {
      ...transaction,
      commit: async () => {
        if (this.commitsLeft-- > 0) return transaction.commit();
        transaction.abort();
        throw new Error('killed');
      },
    };
  }
}

function tape(seed: number, count: number): TapeRow[] {
  const random = rng(seed);
  const held: { at: number; row: TapeRow }[] = [];
  let ms = START_MS;
  for (let k = 0; k < count; k++) {
    ms += Math.floor(random() * 20_000);
    const row: TapeRow = {
      instrument: `v:${'ABC'[Math.floor(random() * 3)] as string}`,
      kind: 'trade',
      id: String(k + 1),
      ms,
      sub: 0,
      price: (100 + Math.floor(random() * 50) / 10).toFixed(1),
      size: String(1 + Math.floor(random() * 9)),
      side: random() < 0.5 ? 'buy' : 'sell',
    };
    const fate = random();
    held.push({ at: ms + (fate < 0.1 ? random() * 4_000_000 : random() * 1_500), row });
    if (fate > 0.9) held.push({ at: ms + random() * 2_000_000, row });
    else if (fate > 0.8) held.push({ at: ms + random() * 3_000_000, row: { ...row, kind: 'cancel', ms: ms + 5 } });
  }
  return held.sort((a, b) => a.at - b.at).map(({ row }) => row);
}

async function append(log: MemoryLog, rows: readonly TapeRow[], from: number, size = 20): Promise<void> {
  for (let at = 0; at < rows.length; at += size) {
    const transaction = await log.transaction('feeder');
    transaction.append(TOPICS.trades, 0, encodeTrades(batchOf(rows.slice(at, at + size), from + at)));
    await transaction.commit();
  }
}

/** History as a store that stands where the log does. */
function historyOf(rows: readonly TapeRow[]) {
  const past = new WindowRun();
  past.feed(rows);
  return past.history;
}

function newestBars(log: MemoryLog): Map<string, Bar> {
  const result = new Map<string, Bar>();
  for (const tf of TIMEFRAMES) {
    for (const { value } of log.records(aggregatesTopic(tf), 0)) {
      for (const bar of decodeBars(value) ?? []) result.set(`${bar.instrument} ${bar.timeframe} ${bar.startMs}`, bar);
    }
  }
  return result;
}

function options(log: MemoryLog, rows: readonly TapeRow[], more: Partial<WindowsOptions> = {}): WindowsOptions {
  return {
    log,
    partitions: 1,
    history: historyOf(rows),
    clock: new ManualClock(),
    logger: silentLogger,
    commitIntervalMs: 0,
    provisionalIntervalMs: 0,
    durableProvisionalMs: 0,
    recomputeIntervalMs: 0,
    batchRecords: 3,
    ...more,
  };
}

async function endOfSource(log: MemoryLog): Promise<void> {
  const transaction = await log.transaction('feeder');
  transaction.append(TOPICS.trades, 0, encodeControl({ type: 'end_of_source', venues: ['v'] }));
  await transaction.commit();
}

describe('windows over a log', () => {
  it.each([0, 1e9])(
    'WN-14 LG-4 killed at any commit, any number of times: bars and revisions of a run that never stopped (snapshot every %d ms)',
    async (snapshotIntervalMs) => {
      for (let seed = 1; seed <= 6; seed++) {
        const rows = tape(seed, 300);
        const log = new DyingLog(new ManualClock());
        await log.ensureTopics(SPECS);
        await append(log, rows, 0);
        await endOfSource(log);
        const random = rng(seed + 100);
        for (let life = 0; life < 12; life++) {
          log.commitsLeft = Math.floor(random() * 6);
          const windows = createWindows(options(log, rows, { snapshotIntervalMs }));
          const failed = windows.run().then(
            () => undefined,
            (error: unknown) => error,
          );
          const done = await Promise.race([failed, windows.caughtUp()]);
          await windows.drain();
          if (done === undefined) break;
        }
        log.commitsLeft = Number.POSITIVE_INFINITY;
        const windows = createWindows(options(log, rows, { snapshotIntervalMs }));
        const running = windows.run();
        await windows.caughtUp();
        await windows.drain();
        await running;
        expect(plainMap(newestBars(log)), `seed ${seed}`).toEqual(plainBars(rows, 2_000));
        const duplicates = rows.length - new Set(rows.map((row) => `${row.kind}${row.id}`)).size;
        expect(windows.counts().duplicate, `seed ${seed}`).toBe(duplicates);
      }
    },
  );

  it('TK-6 a frame that does not decode is kept with its position and reason; the partition goes on', async () => {
    const rows = tape(7, 40);
    const log = new MemoryLog(new ManualClock());
    await log.ensureTopics(SPECS);
    await append(log, rows.slice(0, 20), 0);
    const transaction = await log.transaction('feeder');
    transaction.append(TOPICS.trades, 0, new Uint8Array([0xe7, 9]));
    transaction.append(TOPICS.trades, 0, new Uint8Array([0xc1, 1, 2]));
    transaction.append(TOPICS.quotes, 0, new Uint8Array(40));
    await transaction.commit();
    await append(log, rows.slice(20), 20);
    await endOfSource(log);
    const windows = createWindows(options(log, rows));
    const running = windows.run();
    await windows.caughtUp();
    await windows.drain();
    await running;
    const letters = log.records(TOPICS.deadLetter, 0).map(({ value }) => decodeDeadLetter(value));
    expect(letters.map((letter) => [letter?.source, letter?.line, letter?.reason])).toEqual([
      ['trades:0', 1, 'truncated'],
      ['trades:0', 2, 'bad_control'],
      ['quotes:0', 0, 'bad_magic'],
    ]);
    expect(plainMap(newestBars(log))).toEqual(plainBars(rows, 2_000));
  });

  it('WN-13 a history that is away changes nothing but is asked again', async () => {
    const rows = tape(3, 200);
    const log = new MemoryLog(new ManualClock());
    await log.ensureTopics(SPECS);
    await append(log, rows, 0);
    await endOfSource(log);
    let away = 2;
    const past = historyOf(rows);
    const history = {
      ...past,
      trades: (instrument: string, fromMs: number, toMs: number) => {
        if (away-- > 0) throw new Error('store away');
        return past.trades(instrument, fromMs, toMs);
      },
    };
    const windows = createWindows(options(log, rows, { history }));
    const running = windows.run();
    await windows.caughtUp();
    while (windows.failures() < 2) await windows.caughtUp();
    await windows.caughtUp();
    await windows.drain();
    await running;
    expect(plainMap(newestBars(log))).toEqual(plainBars(rows, 2_000));
  });

  it('WN-6 CF-2 shows every trade once, the newest quote, open bars and the feed before anything is committed', async () => {
    const log = new DyingLog(new ManualClock());
    await log.ensureTopics(SPECS);
    const first = tape(5, 1)[0] as TapeRow;
    await append(log, [first, first], 0);
    const quotes = quoteColumns(2);
    for (let i = 0; i < 2; i++) {
      quotes.instrument[i] = quotes.instruments.intern(first.instrument);
      quotes.eventMs[i] = first.ms + i;
      quotes.bidPrice[i] = 100 + i;
      quotes.askPrice[i] = 102;
    }
    const transaction = await log.transaction('feeder');
    transaction.append(TOPICS.quotes, 0, encodeQuotes({ ...quotes, length: 2 }));
    await transaction.commit();
    const shown: string[] = [];
    const live: LivePublisher = {
      trade: (trade) => shown.push(`trade ${trade.tradeId}`),
      quote: (quote) => shown.push(`quote ${quote.bidPrice / 10 ** quote.priceScale}`),
      bar: (bar) => shown.push(`${bar.timeframe} ${bar.state}`),
      stats: (stats) => shown.push(`stats ${stats.dayTrades}`),
      status: (status) => shown.push(`${status.venue} ${status.state} ${status.duplicates}`),
    };
    log.commitsLeft = 0;
    const windows = createWindows(options(log, [first], { live }));
    await expect(windows.run()).rejects.toThrow('killed');
    expect(shown.slice(0, 2)).toEqual(['trade 1', 'quote 101']);
    expect(shown).toEqual(expect.arrayContaining(['1m provisional', '1d provisional', 'stats 1', 'v connected 1']));
  });

  it('WN-11 profiles go to the log with their rows', async () => {
    const rows = tape(11, 60);
    const log = new MemoryLog(new ManualClock());
    await log.ensureTopics(SPECS);
    await append(log, rows, 0);
    await endOfSource(log);
    const windows = createWindows(options(log, rows));
    const running = windows.run();
    await windows.caughtUp();
    expect(windows.barsByState().provisional).toBe(0);
    await windows.drain();
    await running;
    const bars = newestBars(log);
    for (const { value } of log.records(TOPICS.volumeProfile, 0)) {
      for (const profile of decodeProfiles(value) ?? []) {
        const bar = bars.get(`${profile.instrument} 5m ${profile.startMs}`) as Bar;
        if (profile.revision !== bar.revision) continue;
        expect(profile.rows.reduce((sum, row) => sum + row.volume, 0n)).toBe(bar.volume);
      }
    }
    const shownStates = [...bars.values()].filter((bar) => bar.state !== 'provisional').length;
    const { final, revised } = windows.barsByState();
    expect(final + revised).toBe(shownStates);
  });
});
