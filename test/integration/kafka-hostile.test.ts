/** Records that nobody should have written, in every topic of a real broker, before the real windows and the real sink. */
import kafkajs, { type Kafka } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONTROL_MARK, encodeControl } from '#shared/control.ts';
import { crc32 } from '#shared/crc32.ts';
import { decodeFrame, encodeQuotes, encodeTrades } from '#shared/frame.ts';
import { quoteColumns } from '#shared/ticks.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
import { decodeDeadLetter } from '../../core/log/dead-letter.ts';
import { openKafkaLog, type KafkaLog } from '../../core/log/kafka.ts';
import type { LogRecord } from '../../core/log/log.ts';
import { stateTopic, topicSpecs } from '../../core/log/topics.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { createHistory } from '../../core/stores/history.ts';
import { createSink } from '../../core/stores/sink.ts';
import { createWindows } from '../../core/windows/pipeline.ts';
import { encodeBars, encodeProfiles, encodeStats } from '../../core/windows/records.ts';
import { BACKLOG_START_MS, backlogFrames, instrumentsOf } from '../support/backlog.ts';
import { kafkaMissing, TestBroker } from '../support/kafka.ts';
import { memoryStore, type MemoryStore } from '../support/memory-store.ts';

if (kafkaMissing !== undefined) console.log(`hostile records on Kafka skipped: ${kafkaMissing}`);

const PARTITIONS = 2;
const PREFIX = 'h.';
const TEN_MB = 10 * 1_048_576;
const DERIVED = [TOPICS.volumeProfile, TOPICS.statistics, ...TIMEFRAMES.map(aggregatesTopic)];

interface Hostile {
  name: string;
  value: Uint8Array | null;
  /** The windows say this; undefined: they do not read the topic. */
  windows: string | undefined;
  sink: string | undefined;
}

/** A copy with one byte set, its checksum put right when asked. */
function altered(frame: Uint8Array, at: number, byte: number, sealed = false): Uint8Array {
  const copy = frame.slice();
  copy[at] = byte;
  if (sealed) new DataView(copy.buffer).setUint32(4, crc32(copy.subarray(8)), true);
  return copy;
}

function faultOf(value: Uint8Array): string {
  const frame = decodeFrame(value);
  if (frame.ok) throw new Error('the record is not hostile');
  return frame.fault;
}

function hostileTicks(good: Uint8Array, otherKind: Uint8Array, topic: string): Hostile[] {
  const same = (name: string, value: Uint8Array | null, fault: string): Hostile => ({
    name,
    value,
    windows: fault,
    sink: fault,
  });
  const counts = altered(altered(good, 11, 0x7f), 10, 0xff, true);
  return [
    same('nothing', null, 'truncated'),
    same('no bytes', new Uint8Array(0), 'truncated'),
    same('cut off in the header', good.slice(0, 10), 'truncated'),
    same('cut off in the columns', good.slice(0, good.length - 7), faultOf(good.slice(0, good.length - 7))),
    same('a bit turned', altered(good, 90, (good[90] as number) ^ 4), 'bad_checksum'),
    same('a future version', altered(good, 1, 2, true), 'unknown_version'),
    same('another magic', altered(good, 0, 0x50), 'bad_magic'),
    same('an unknown kind', altered(good, 2, 9, true), 'unknown_kind'),
    same('ticks of the other topic', otherKind, 'unknown_kind'),
    same('two billion ticks', counts, faultOf(counts)),
    same('text', new TextEncoder().encode('{"price":1}'.repeat(9)), 'bad_magic'),
    same('10 MB', new Uint8Array(TEN_MB).fill(0xe7), 'too_large'),
    ...(topic === TOPICS.trades
      ? [
          {
            name: 'a broken event',
            value: Uint8Array.of(CONTROL_MARK, 0xdf, 1),
            windows: 'bad_control',
            sink: undefined,
          },
        ]
      : []),
  ];
}

function hostileResults(good: Uint8Array, otherKind: Uint8Array): Hostile[] {
  return (
    [
      ['no bytes', new Uint8Array(0)],
      ['cut off', good.slice(0, good.length - 1)],
      ['a future version', altered(good, 0, 9)],
      ['another kind', otherKind],
      ['a frame of ticks', goodTrades()[0]?.value ?? null],
      ['10 MB', new Uint8Array(TEN_MB).fill(good[0] ?? 1)],
    ] as const
  ).map(([name, value]) => ({ name, value, windows: undefined, sink: 'bad_layout' }));
}

function goodTrades(): { partition: number; value: Uint8Array }[] {
  const frames: { partition: number; value: Uint8Array }[] = [];
  for (const { partition, trades } of backlogFrames({
    ticks: 2_000,
    partitions: PARTITIONS,
    instruments: 3,
    stepMs: 40,
  }))
    frames.push({ partition, value: encodeTrades(trades) });
  return frames;
}

function goodQuotes(partition: number, arrival: number): Uint8Array {
  const quotes = quoteColumns(3);
  for (const name of instrumentsOf(partition, PARTITIONS, 1)) quotes.instruments.intern(name);
  for (let i = 0; i < 3; i++) {
    quotes.eventMs[i] = BACKLOG_START_MS + i;
    quotes.recvMs[i] = BACKLOG_START_MS + i;
    quotes.bidPrice[i] = 9_999;
    quotes.bidSize[i] = 5;
    quotes.askPrice[i] = 10_001;
    quotes.askSize[i] = 5;
    quotes.arrival[i] = arrival + i;
  }
  return encodeQuotes({ ...quotes, length: 3 });
}

describe.skipIf(kafkaMissing !== undefined)('hostile records on Kafka', { timeout: 120_000 }, () => {
  let broker: TestBroker;
  let log: KafkaLog;
  let client: Kafka;
  let store: MemoryStore;
  let letters: { source: string; line: number; reason: string; excerpt: string }[] = [];
  /** Windows and sink of one life, until they have taken in everything. */
  let counted = 0;
  const expected: string[] = [];

  beforeAll(async () => {
    broker = await TestBroker.start();
    log = await openKafkaLog({ brokers: [broker.address], clientId: 'test', clock: systemClock(), prefix: PREFIX });
    await log.ensureTopics(
      topicSpecs({
        tradesPartitions: PARTITIONS,
        quotesPartitions: PARTITIONS,
        aggregatesPartitions: PARTITIONS,
        replicas: 1,
      }),
    );
    client = new kafkajs.Kafka({
      brokers: [broker.address],
      clientId: 'hostile',
      logLevel: kafkajs.logLevel.NOTHING,
      retry: { retries: 1 },
    });
  }, 120_000);

  afterAll(async () => {
    await log?.close();
    await broker?.stop();
  });

  /** Whoever may write to the brokers, without our log in between. */
  async function write(topic: string, partition: number, value: Uint8Array | null, key = ''): Promise<number> {
    const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    try {
      const [result] = await producer.send({
        topic: PREFIX + topic,
        messages: [{ partition, key, value: value === null ? null : Buffer.from(value) }],
      });
      return Number(result?.baseOffset);
    } finally {
      await producer.disconnect();
    }
  }

  async function raiseLimits(): Promise<void> {
    const admin = client.admin();
    await admin.connect();
    await admin.alterConfigs({
      validateOnly: false,
      resources: [TOPICS.trades, TOPICS.quotes, TOPICS.deadLetter, ...DERIVED].map((topic) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name: PREFIX + topic,
        configEntries: [{ name: 'max.message.bytes', value: String(2 * TEN_MB) }],
      })),
    });
    await admin.disconnect();
  }

  /** The hostile ones, with their positions noted. */
  async function attack(topic: string, partition: number, hostile: readonly Hostile[]): Promise<void> {
    for (const { name, value, windows, sink } of hostile) {
      const offset = await write(topic, partition, value, name);
      for (const reason of [windows, sink])
        if (reason !== undefined) expected.push(`${topic}:${partition} ${offset} ${reason}`);
    }
  }

  async function good(topic: string, partition: number, value: Uint8Array): Promise<void> {
    const transaction = await log.transaction('good');
    transaction.append(topic, partition, value);
    await transaction.commit();
  }

  async function all(topic: string, partition: number): Promise<LogRecord[]> {
    const records: LogRecord[] = [];
    for (let next = 0; ;) {
      const read = await log.read(topic, partition, next, { maxRecords: 1_000, maxBytes: 4_000_000 });
      const last = read.at(-1);
      if (last === undefined) return records;
      records.push(...read);
      next = last.offset + 1;
    }
  }

  async function run(): Promise<void> {
    const clock = systemClock();
    const sink = createSink({ log, store, partitions: PARTITIONS, clock, logger: silentLogger, maxDelayMs: 10 });
    const history = createHistory({ store, flush: () => sink.flush() });
    const windows = createWindows({ log, partitions: PARTITIONS, history, clock, logger: silentLogger });
    const done = Promise.all([windows.run(), sink.run()]);
    await Promise.race([windows.caughtUp().then(() => sink.flush()), done]);
    counted = windows.counts().accepted;
    await windows.drain();
    await sink.flush();
    await sink.drain();
    await done;
  }

  it('TK-4 a record of 10 MB is refused by the log, and by the broker', async () => {
    const transaction = await log.transaction('good');
    expect(() => transaction.append(TOPICS.trades, 0, new Uint8Array(TEN_MB))).toThrow(/bytes/);
    transaction.abort();
    for (const topic of [TOPICS.trades, TOPICS.quotes, TOPICS.deadLetter, ...DERIVED])
      await expect(write(topic, 0, new Uint8Array(TEN_MB))).rejects.toThrow(/larger|too large/i);
  });

  it('TK-5 TK-6 MD-9 in every topic they are dead-lettered with reason and position, and the partitions go on', async () => {
    store = memoryStore();
    await raiseLimits();
    const [first, second, third, fourth] = goodTrades();
    if (first === undefined || second === undefined || third === undefined || fourth === undefined)
      throw new Error('four frames');
    for (const [before, after] of [
      [first, third],
      [second, fourth],
    ] as const) {
      const { partition } = before;
      const quotes = goodQuotes(partition, 10_000 + partition * 10);
      await good(TOPICS.trades, partition, before.value);
      await attack(TOPICS.trades, partition, hostileTicks(before.value, quotes, TOPICS.trades));
      await good(TOPICS.trades, partition, after.value);
      await good(TOPICS.trades, partition, encodeControl({ type: 'end_of_source', venues: ['simulated'] }));
      await attack(TOPICS.quotes, partition, hostileTicks(quotes, before.value, TOPICS.quotes));
      await good(TOPICS.quotes, partition, quotes);
      for (const timeframe of TIMEFRAMES)
        await attack(aggregatesTopic(timeframe), partition, hostileResults(encodeBars([]), encodeStats([])));
      await attack(TOPICS.volumeProfile, partition, hostileResults(encodeProfiles([]), encodeBars([])));
      await attack(TOPICS.statistics, partition, hostileResults(encodeStats([]), encodeProfiles([])));
    }
    const junk = await write(TOPICS.deadLetter, 0, Uint8Array.of(7, 7, 7));
    const large = await write(TOPICS.deadLetter, 0, new Uint8Array(TEN_MB));
    for (let partition = 0; partition < 16; partition++)
      await write(stateTopic(1).name, partition, Uint8Array.of(0xff), partition % 2 === 0 ? '\u0000' : 'nobody');

    await run();

    letters = (await all(TOPICS.deadLetter, 0)).flatMap(({ value }) => decodeDeadLetter(value) ?? []);
    expect(letters.map(({ source, line, reason }) => `${source} ${line} ${reason}`).toSorted()).toEqual(
      expected.toSorted(),
    );
    for (const { excerpt } of letters) expect(excerpt.length).toBeLessThanOrEqual(512);

    expect(counted).toBe(2_000);
    const arrivals: number[] = [];
    for await (const batch of store.trades({})) arrivals.push(...batch.arrival.subarray(0, batch.length));
    expect(arrivals).toEqual(Array.from({ length: 2_000 }, (_, i) => i));
    let quotes = 0;
    for await (const batch of store.quotes({})) quotes += batch.length;
    expect(quotes).toBe(6);
    let inBars = 0;
    for await (const bars of store.bars({ timeframe: '1m' }))
      for (const bar of bars) {
        expect(bar.state).toBe('final');
        inBars += bar.tradeCount;
      }
    expect(inBars).toBe(2_000);
    const kept = new Map<number, { source: string; reason: string }>();
    for await (const rows of store.deadLetters()) for (const row of rows) kept.set(row.offset, row);
    expect(kept.get(junk)).toMatchObject({ source: TOPICS.deadLetter, reason: 'bad_layout' });
    expect(kept.get(large)).toMatchObject({ source: TOPICS.deadLetter, reason: 'bad_layout' });
    expect(kept.size).toBe(letters.length + 2);
  });

  it('TK-6 a second life refuses nothing again', async () => {
    await run();
    const again = (await all(TOPICS.deadLetter, 0)).flatMap(({ value }) => decodeDeadLetter(value) ?? []);
    expect(again).toEqual(letters);
  });
});
