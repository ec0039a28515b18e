import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bar } from '#shared/bars.ts';
import { encodeControl } from '#shared/control.ts';
import { encodeTrades } from '#shared/frame.ts';
import { tradeColumns, type TradeColumns } from '#shared/ticks.ts';
import { TOPICS } from '#shared/topics.ts';
import { Killed, dyingLog } from '../../test/support/failing-log.ts';
import { holedLog } from '../../test/support/holed-log.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { memoryStore } from '../../test/support/memory-store.ts';
import { MemoryLog } from '../../test/support/memory-log.ts';
import { decodeDeadLetter, encodeDeadLetter } from '../log/dead-letter.ts';
import type { Log } from '../log/log.ts';
import { silentLogger } from '../ops/logger.ts';
import { encodeBars } from '../windows/records.ts';
import { createSink, type Sink, type SinkOptions } from './sink.ts';
import type { MarketStore } from './stores.ts';

const PARTITIONS = 2;

/** Lets everything that can go on without the clock go on. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

function frame(first: number, n: number): Uint8Array {
  const columns = tradeColumns(n);
  columns.length = n;
  columns.instruments.intern('asx:BHP');
  for (let i = 0; i < n; i++) columns.arrival[i] = first + i;
  return encodeTrades(columns);
}

async function append(log: Log, ...records: [topic: string, partition: number, value: Uint8Array][]): Promise<void> {
  const transaction = await log.transaction('test');
  for (const [topic, partition, value] of records) transaction.append(topic, partition, value);
  await transaction.commit();
}

/** A store that keeps batches by token, as ST-2 demands, and notes where a token comes back with other content. */
class TokenStore {
  readonly batches = new Map<string, number[]>();
  down = false;
  writes = 0;
  readonly faults: string[] = [];
  readonly store: MarketStore = {
    ...memoryStore(),
    writeTrades: async (columns: readonly TradeColumns[], token: string) => {
      this.writes++;
      if (this.down) throw new Error('connection refused');
      const arrivals = columns.flatMap((batch) => [...batch.arrival.subarray(0, batch.length)]);
      if ((this.batches.get(token) ?? arrivals).join() !== arrivals.join()) this.faults.push(token);
      this.batches.set(token, arrivals);
    },
  };

  arrivals(): number[] {
    return [...this.batches.values()].flat().toSorted((a, b) => a - b);
  }
}

function start(log: Log, store: MarketStore, clock: ManualClock, options: Partial<SinkOptions> = {}) {
  const sink: Sink = createSink({ log, store, partitions: PARTITIONS, clock, logger: silentLogger, ...options });
  const done = sink.run();
  done.catch(() => {});
  return { sink, done };
}

async function prepared(): Promise<{ clock: ManualClock; log: MemoryLog; tokens: TokenStore }> {
  const clock = new ManualClock();
  const log = new MemoryLog(clock);
  await log.ensureTopics([{ name: TOPICS.trades, partitions: PARTITIONS }]);
  return { clock, log, tokens: new TokenStore() };
}

describe('sink', () => {
  it('ST-2 gathers for the delay, then writes one batch under the token of its cut, then commits', async () => {
    const { clock, log, tokens } = await prepared();
    const { sink, done } = start(log, tokens.store, clock, { maxDelayMs: 500 });
    await append(log, [TOPICS.trades, 0, frame(1, 2)]);
    await settle();
    clock.advance(400);
    await append(
      log,
      [TOPICS.trades, 1, frame(3, 2)],
      [TOPICS.trades, 0, encodeControl({ type: 'heartbeat', venue: 'asx', eventMs: 1 })],
    );
    await settle();
    expect(tokens.writes).toBe(0);
    clock.advance(100);
    await settle();
    expect([...tokens.batches]).toEqual([['trades:0:0-1,trades:1:0-0', [1, 2, 3, 4]]]);
    expect(await log.committed('sink', TOPICS.trades, 0)).toBe(2);
    expect(await log.committed('sink', TOPICS.trades, 1)).toBe(1);
    expect(sink.rows()).toMatchObject({ trades: 4, quotes: 0 });
    await sink.drain();
    await done;
  });

  it('ST-2 does not wait when a batch is full, or when it is asked to flush', async () => {
    const { clock, log, tokens } = await prepared();
    const { sink } = start(log, tokens.store, clock, { maxBatchRows: 10 });
    await append(
      log,
      ...Array.from({ length: 6 }, (_, i): [string, number, Uint8Array] => [TOPICS.trades, 0, frame(i * 5, 5)]),
    );
    await settle();
    expect(tokens.batches.size).toBe(3);
    await append(log, [TOPICS.trades, 1, frame(100, 1)]);
    await sink.flush();
    expect(tokens.arrivals().at(-1)).toBe(100);
    await sink.flush();
    await sink.drain();
    await expect(append(log, [TOPICS.trades, 1, frame(101, 1)]).then(() => sink.flush())).rejects.toThrow(/stopped/);
  });

  it('ST-4 tries again while the store is away, says so, and loses and doubles nothing', async () => {
    const { clock, log, tokens } = await prepared();
    tokens.down = true;
    const { sink } = start(log, tokens.store, clock);
    await append(log, [TOPICS.trades, 0, frame(1, 3)]);
    const flushed = sink.flush();
    for (let i = 0; i < 6; i++) {
      await settle();
      clock.advance(60_000);
    }
    expect(tokens.writes).toBeGreaterThan(3);
    expect(sink.troubles()).toEqual({ trades: 'connection refused' });
    expect(await log.committed('sink', TOPICS.trades, 0)).toBe(0);
    tokens.down = false;
    await settle();
    clock.advance(60_000);
    await flushed;
    expect(tokens.arrivals()).toEqual([1, 2, 3]);
    expect(sink.troubles()).toEqual({});
    await sink.drain();
  });

  it('ST-4 can be drained while the store is away, and the next start writes the same batch', async () => {
    const { clock, log, tokens } = await prepared();
    tokens.down = true;
    const first = start(log, tokens.store, clock);
    await append(log, [TOPICS.trades, 0, frame(1, 3)]);
    const flushed = first.sink.flush();
    flushed.catch(() => {});
    await settle();
    await first.sink.drain();
    await first.done;
    await expect(flushed).rejects.toThrow(/stopped/);
    tokens.down = false;
    await append(log, [TOPICS.trades, 0, frame(4, 3)]);
    const second = start(log, tokens.store, clock);
    await second.sink.caughtUp();
    expect([...tokens.batches.keys()]).toEqual(['trades:0:0-0', 'trades:0:1-1']);
    await second.sink.drain();
  });

  it.each([
    ['without holes', (log: Log): Log => log],
    ['with holes', holedLog],
  ])('LG-1 ST-2 repeats the very same batch when it dies at any of its commits, offsets %s', async (_, seen) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat({ max: PARTITIONS - 1 }), fc.integer({ min: 1, max: 9 })), {
          minLength: 1,
          maxLength: 12,
        }),
        fc.array(fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom('before' as const, 'after' as const)), {
          maxLength: 6,
        }),
        fc.integer({ min: 1, max: 12 }),
        async (frames, deaths, maxBatchRows) => {
          const { clock, log, tokens } = await prepared();
          const rest = [...frames];
          let next = 0;
          const feed = async (n: number): Promise<void> => {
            for (const [partition, ticks] of rest.splice(0, n)) {
              await append(log, [TOPICS.trades, partition, frame(next, ticks)]);
              next += ticks;
            }
          };
          await feed(4);
          for (const [commit, when] of deaths) {
            const { sink, done } = start(dyingLog(seen(log), commit, when), tokens.store, clock, { maxBatchRows });
            await sink.flush().catch((error: unknown) => expect(error).toBeInstanceOf(Killed));
            await sink.drain();
            await done.catch(() => {});
            await feed(2);
          }
          await feed(rest.length);
          const { sink } = start(seen(log), tokens.store, clock, { maxBatchRows });
          await sink.caughtUp();
          await sink.drain();
          expect(tokens.faults).toEqual([]);
          expect(tokens.arrivals()).toEqual(Array.from({ length: next }, (_, i) => i));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('TK-6 sends what cannot be read to the dead letters, once, and goes on', async () => {
    const { clock, log, tokens } = await prepared();
    const { sink } = start(log, tokens.store, clock);
    const damaged = frame(1, 2);
    damaged[20] = (damaged[20] as number) ^ 1;
    await settle();
    await append(
      log,
      ['aggregates-1m', 0, Uint8Array.of(1, 2, 3)],
      [TOPICS.trades, 0, damaged],
      [TOPICS.trades, 0, frame(3, 1)],
      [TOPICS.trades, 1, new Uint8Array()],
    );
    await sink.flush();
    const letters = log.records(TOPICS.deadLetter, 0).map(({ value }) => decodeDeadLetter(value));
    expect(
      letters.map((letter) => [letter?.source, letter?.reason]).toSorted((a, b) => (`${a[0]}` < `${b[0]}` ? -1 : 1)),
    ).toEqual([
      ['aggregates-1m:0', 'bad_layout'],
      ['trades:0', 'bad_checksum'],
      ['trades:1', 'truncated'],
    ]);
    expect(tokens.arrivals()).toEqual([3]);
    await sink.flush();
    await sink.drain();
  });

  it('MD-9 keeps dead letters, and one that is none as such', async () => {
    const { clock, log } = await prepared();
    const store = memoryStore();
    const { sink } = start(log, store, clock);
    await settle();
    const letter = { source: 'tape.csv', line: 3, reason: 'not_positive', excerpt: '1,2' };
    await append(log, [TOPICS.deadLetter, 0, encodeDeadLetter(letter)], [TOPICS.deadLetter, 0, Uint8Array.of(7)]);
    await sink.flush();
    const kept = [];
    for await (const rows of store.deadLetters()) kept.push(...rows);
    expect(kept).toMatchObject([
      { ...letter, offset: 0 },
      { source: 'dead-letter', line: 1, reason: 'bad_layout', offset: 1 },
    ]);
    await sink.drain();
  });

  it('ST-3 writes of each bar of a batch only the form that wins', async () => {
    const { clock, log } = await prepared();
    const written: Bar[][] = [];
    const store = { ...memoryStore(), writeBars: async (bars: readonly Bar[]) => void written.push([...bars]) };
    const { sink } = start(log, store, clock);
    await settle();
    const bar: Bar = {
      instrument: 'asx:BHP',
      timeframe: '1m',
      startMs: 0,
      priceScale: 0,
      sizeScale: 0,
      open: 1,
      high: 1,
      low: 1,
      close: 1,
      volume: 1n,
      buyVolume: 0n,
      sellVolume: 0n,
      pv: 1n,
      tradeCount: 1,
      state: 'provisional',
      revision: 0,
    };
    const final: Bar = { ...bar, state: 'final', revision: 1, tradeCount: 2 };
    await append(
      log,
      ['aggregates-1m', 0, encodeBars([bar, final])],
      ['aggregates-1m', 0, encodeBars([{ ...bar, tradeCount: 9 }])],
      ['aggregates-5m', 0, encodeBars([{ ...bar, timeframe: '5m' }])],
    );
    await sink.flush();
    expect(written).toEqual([[final, { ...bar, timeframe: '5m' }]]);
    await sink.drain();
  });
});
