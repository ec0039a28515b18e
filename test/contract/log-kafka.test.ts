import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import kafkajs, { type Transaction } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeFrame } from '#shared/frame.ts';
import { openKafkaLog, type KafkaLog, type KafkaLogOptions } from '../../core/log/kafka.ts';
import { FencedError } from '../../core/log/kafka/faults.ts';
import type { Log, LogRecord } from '../../core/log/log.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { kafkaMissing, TestBroker } from '../support/kafka.ts';
import { DenseLog, type Ranks } from '../support/dense-log.ts';
import { rng } from '../support/rng.ts';
import { logContract } from './log-contract.ts';

if (kafkaMissing !== undefined) console.log(`log on Kafka skipped: ${kafkaMissing}`);

const SEED = Number(process.env['TEST_SEED'] ?? 20_240_808);
const WRITER = new URL('../support/kafka-writer.ts', import.meta.url).pathname;
const TRADES = { name: 'trades', partitions: 3 };
const ALL = { maxRecords: 1_000_000, maxBytes: 64_000_000 };

let broker: TestBroker;
let logs = 0;
const opened: KafkaLog[] = [];

async function open(options: Partial<KafkaLogOptions> = {}): Promise<KafkaLog> {
  const log = await openKafkaLog({ brokers: [broker.address], clientId: 'test', clock: systemClock(), ...options });
  opened.push(log);
  return log;
}

/** A log of its own, with the topic `trades`. */
async function fresh(options: Partial<KafkaLogOptions> = {}): Promise<{ log: KafkaLog; prefix: string }> {
  const prefix = `t${++logs}.`;
  const log = await open({ prefix, ...options });
  await log.ensureTopics([TRADES]);
  return { log, prefix };
}

/** kafkajs's own producer: somebody else who writes to the same cluster. */
async function foreign(
  transactionalId: string,
): Promise<{ begin: () => Promise<Transaction>; close: () => Promise<void> }> {
  const client = new kafkajs.Kafka({
    brokers: [broker.address],
    clientId: 'foreign',
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { initialRetryTime: 5, maxRetryTime: 50 },
  });
  const producer = client.producer({
    transactionalId,
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    retry: { retries: 1_000, initialRetryTime: 5, maxRetryTime: 50 },
  });
  await producer.connect();
  return { begin: () => producer.transaction(), close: () => producer.disconnect() };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value);

async function append(log: Log, id: string, partition: number, ...values: string[]): Promise<void> {
  const transaction = await log.transaction(id);
  for (const value of values) transaction.append('trades', partition, bytes(value));
  await transaction.commit();
}

async function readAll(log: Log, partition: number, maxRecords = 1_000): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  let from = (await log.bounds('trades', partition)).start;
  for (;;) {
    const next = await log.read('trades', partition, from, { maxRecords, maxBytes: 1_000_000 });
    const last = next.at(-1);
    if (last === undefined) return records;
    records.push(...next);
    from = last.offset + 1;
  }
}

const texts = (records: readonly LogRecord[]): (string | undefined)[] => records.map(({ value }) => text(value));

describe.skipIf(kafkaMissing !== undefined)('log on Kafka', () => {
  beforeAll(async () => {
    broker = await TestBroker.start();
  }, 120_000);

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((log) => log.close()));
  });

  afterAll(async () => {
    await broker?.stop();
  }, 60_000);

  logContract('on Kafka, by rank', async () => {
    const prefix = `t${++logs}.`;
    const ranks: Ranks = new Map();
    return { durable: true, open: async () => new DenseLog(await open({ prefix }), ranks), destroy: async () => {} };
  });

  it('LG-4 LG-7 shows records, offsets and state of a commit when it resolves, over markers', async () => {
    const { log } = await fresh();
    const other = await open({ prefix: `t${logs}.` });
    for (let i = 0; i < 20; i++) {
      const transaction = await log.transaction('a');
      transaction.append('trades', 0, bytes(`v${i}`), `k${i}`);
      transaction.commitOffset('g', 'trades', 1, i + 1);
      transaction.putState('s', 'n', bytes(String(i)));
      transaction.putState('s', `k${i % 3}`, i % 2 === 0 ? bytes(String(i)) : undefined);
      await transaction.commit();
      expect(texts(await readAll(other, 0))).toHaveLength(i + 1);
      expect(await other.committed('g', 'trades', 1)).toBe(i + 1);
      expect(text(await other.getState('s', 'n'))).toBe(String(i));
      const { end } = await other.bounds('trades', 0);
      expect((await readAll(other, 0)).at(-1)?.offset).toBe(end - 1);
    }
    expect((await other.listState('s')).map(({ key, value }) => `${key}=${text(value)}`)).toEqual(['k0=18', 'n=19']);
    expect(await other.read('trades', 0, 3, { maxRecords: 1, maxBytes: 1 })).toMatchObject([{ key: 'k2', offset: 4 }]);
  });

  it('LG-7 skips aborted records and markers, whatever is read from where', async () => {
    const { log, prefix } = await fresh();
    const random = rng(SEED);
    const writers = await Promise.all(['x', 'y', 'z'].map((id) => foreign(`${prefix}${id}`)));
    const expected: string[] = [];
    const staying: (Transaction | undefined)[] = writers.map(() => undefined);
    const pending: string[][] = writers.map(() => []);
    for (let step = 0; step < 60; step++) {
      const who = Math.floor(random() * writers.length);
      const transaction = staying[who] ?? (await (writers[who] as (typeof writers)[number]).begin());
      staying[who] = transaction;
      const values = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, i) => `${step}.${i}`);
      // A key of four zero bytes is what an abort marker's key looks like.
      const messages = values.map((value) => ({ key: Buffer.alloc(4), value }));
      await transaction.send({ topic: `${prefix}trades`, messages: messages.map((m) => ({ ...m, partition: 0 })) });
      (pending[who] as string[]).push(...values);
      if (random() < 0.5) continue;
      const keeps = random() < 0.5;
      if (keeps) await transaction.commit();
      else await transaction.abort();
      if (keeps) expected.push(...(pending[who] as string[]));
      pending[who] = [];
      staying[who] = undefined;
    }
    for (const transaction of staying) await transaction?.abort();
    for (const { close } of writers) await close();
    await eventually(async () => (await readAll(log, 0)).length >= expected.length);
    const records = await readAll(log, 0);
    expect(new Set(texts(records)), `seed ${SEED}`).toEqual(new Set(expected));
    expect(records).toHaveLength(expected.length);
    expect((await log.bounds('trades', 0)).end).toBe((records.at(-1)?.offset ?? -1) + 1);
    for (let from = 0; from <= (records.at(-1)?.offset ?? 0) + 1; from++) {
      const reader = await log.read('trades', 0, from, { maxRecords: 1 + Math.floor(random() * 4), maxBytes: 100_000 });
      expect(reader).toEqual(records.filter(({ offset }) => offset >= from).slice(0, reader.length));
      if (reader.length === 0) expect(records.every(({ offset }) => offset < from)).toBe(true);
    }
  });

  it('LG-4 an open transaction holds back what is behind it, and its abort wakes nobody', async () => {
    const { log, prefix } = await fresh();
    const writer = await foreign(`${prefix}slow`);
    const slow = await writer.begin();
    await slow.send({ topic: `${prefix}trades`, messages: [{ partition: 0, value: 'never' }] });
    const waiting = log.wait('trades', 0, 0, new AbortController().signal);
    await append(log, 'a', 1, 'elsewhere');
    expect(await log.bounds('trades', 0)).toEqual({ start: 0, end: 0 });
    expect(await log.read('trades', 0, 0, ALL)).toEqual([]);
    await slow.abort();
    await append(log, 'a', 0, 'now');
    await waiting;
    expect(texts(await log.read('trades', 0, 0, ALL))).toEqual(['now']);
    await writer.close();
  });

  it('LG-4 state is not hidden by somebody else who stands still in a transaction', async () => {
    const { log, prefix } = await fresh({ statePartitions: 1 });
    const writer = await foreign(`${prefix}slow`);
    const slow = await writer.begin();
    await slow.send({ topic: `${prefix}state`, messages: [{ partition: 0, key: 's\0n', value: 'open' }] });
    const transaction = await log.transaction('a');
    transaction.putState('s', 'n', bytes('committed'));
    await transaction.commit();
    const other = await open({ prefix });
    expect(text(await other.getState('s', 'n'))).toBe('committed');
    await slow.abort();
    await writer.close();
    expect(text(await other.getState('s', 'n'))).toBe('committed');
  });

  it('LG-4 of two writers with one id the earlier is fenced, and stays so until it takes the id again', async () => {
    const { log: first, prefix } = await fresh();
    const second = await open({ prefix });
    await append(first, 'p0', 0, 'first');
    const late = await first.transaction('p0');
    late.append('trades', 0, bytes('zombie'));
    late.commitOffset('g', 'trades', 0, 99);
    await second.fence('p0');
    await append(second, 'p0', 0, 'second');
    await expect(late.commit()).rejects.toBeInstanceOf(FencedError);
    await expect(first.transaction('p0')).rejects.toMatchObject({ code: 'fenced' });
    expect(texts(await readAll(second, 0))).toEqual(['first', 'second']);
    expect(await second.committed('g', 'trades', 0)).toBe(0);
    await first.fence('p0');
    await append(first, 'p0', 0, 'back');
    await expect(append(second, 'p0', 0, 'zombie')).rejects.toBeInstanceOf(FencedError);
    expect(texts(await readAll(second, 0))).toEqual(['first', 'second', 'back']);
  });

  it('LG-4 a fenced id ends the transaction that its owner left open', async () => {
    const { log, prefix } = await fresh();
    const zombie = await foreign(`${prefix}p0`);
    const open = await zombie.begin();
    await open.send({ topic: `${prefix}trades`, messages: [{ partition: 0, value: 'zombie' }] });
    await log.fence('p0');
    await append(log, 'p0', 0, 'ours');
    expect(texts(await readAll(log, 0))).toEqual(['ours']);
    await zombie.close();
  });

  it.each([1, 2, 3])(
    'LG-4 LG-5 kill -9 of the writer anywhere: all of a transaction or nothing, none acknowledged is lost (round %i)',
    async (round) => {
      const { log, prefix } = await fresh();
      const random = rng(SEED + round);
      let acknowledged = 0;
      for (let life = 0; life < 4; life++) {
        const child = spawn(process.execPath, [WRITER, broker.address, prefix], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const exit = exited(child);
        const lives = 1 + Math.floor(random() * 6);
        const delayMs = random() * 25;
        let commits = 0;
        for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
          acknowledged = Number(line);
          if (++commits === lives) setTimeout(() => child.kill('SIGKILL'), delayMs);
        }
        await exit;
      }
      await log.fence('writer');
      const count = Number(text(await log.getState('count', 'n')));
      expect(count, `seed ${SEED}`).toBeGreaterThanOrEqual(acknowledged);
      const numbers = Array.from({ length: count }, (_, i) => String(i + 1));
      expect(texts(await readAll(log, 0))).toEqual(numbers);
      expect(texts(await readAll(log, 1))).toEqual(numbers);
      expect(await log.committed('readers', 'trades', 0)).toBe(count);
    },
    60_000,
  );

  it('LG-5 a broker that dies and comes back loses nothing and doubles nothing; writers and readers wait for it', async () => {
    const { log } = await fresh();
    const expected = Array.from({ length: 60 }, (_, i) => String(i));
    const seen: string[] = [];
    const reading = (async () => {
      for (let from = 0; seen.length < expected.length;) {
        await log.wait('trades', 0, from, new AbortController().signal);
        for (const { offset, value } of await log.read('trades', 0, from, ALL)) {
          seen.push(text(value) as string);
          from = offset + 1;
        }
      }
    })();
    for (const value of expected) {
      const restarts = value === '20' || value === '40' ? broker.kill().then(() => broker.restart()) : undefined;
      const transaction = await log.transaction('a');
      transaction.append('trades', 0, bytes(value));
      transaction.putState('s', 'n', bytes(value));
      transaction.commitOffset('g', 'trades', 0, Number(value));
      await transaction.commit();
      await restarts;
    }
    await reading;
    expect(seen).toEqual(expected);
    expect(text(await log.getState('s', 'n'))).toBe('59');
    expect(await log.committed('g', 'trades', 0)).toBe(59);
  }, 90_000);

  it('TK-6 hands hostile records over as they are: the frame says what is wrong with them', async () => {
    const { log, prefix } = await fresh();
    const writer = await foreign(`${prefix}x`);
    const transaction = await writer.begin();
    const values = [Buffer.alloc(0), Buffer.from([0xe7]), Buffer.alloc(64, 0xe7), Buffer.alloc(64), null];
    await transaction.send({
      topic: `${prefix}trades`,
      messages: values.map((value) => ({ partition: 0, value, key: Buffer.from([0xff, 0xfe]) })),
    });
    await transaction.commit();
    await writer.close();
    await append(log, 'a', 0, 'after');
    const records = await readAll(log, 0);
    expect(records).toHaveLength(6);
    for (const { value } of records) expect(decodeFrame(value)).toMatchObject({ ok: false });
  });

  it('LG-4 a record that is too large is refused by name; the transaction leaves nothing behind', async () => {
    const { log, prefix } = await fresh();
    const transaction = await log.transaction('a');
    transaction.append('trades', 0, bytes('small'));
    expect(() => transaction.append('trades', 0, new Uint8Array(10_000_000))).toThrow(/at most 1048576 fit/);
    transaction.abort();
    // One who has not made the topics knows their default only: then the broker refuses.
    await log.ensureTopics([{ name: 'small', partitions: 1, maxRecordBytes: 1_000 }]);
    const other = await open({ prefix, codec: 'none' });
    const refused = await other.transaction('b');
    refused.append('trades', 0, bytes('with it'));
    refused.append('small', 0, new Uint8Array(500_000));
    await expect(refused.commit()).rejects.toMatchObject({ code: 'too_large' });
    await expect(other.transaction('b')).rejects.toMatchObject({ code: 'fenced' });
    await other.fence('b');
    await append(other, 'b', 0, 'good');
    expect(texts(await readAll(log, 0))).toEqual(['good']);
  });

  it.each(['gzip', 'zstd'] as const)(
    'LG-7 reads what %s packed, in batches larger than one request takes',
    async (codec) => {
      const { log } = await fresh({ codec });
      const transaction = await log.transaction('a');
      const values = Array.from({ length: 40 }, (_, i) => new Uint8Array(100_000).fill(i));
      for (const value of values) transaction.append('trades', 0, value);
      await transaction.commit();
      await append(log, 'a', 0, 'last');
      const records = await readAll(log, 0, 7);
      expect(records.slice(0, 40).map(({ value }) => value)).toEqual(values);
      expect(text(records[40]?.value)).toBe('last');
    },
  );

  it('LG-7 wait: woken by another process, by the signal, and by close', async () => {
    const { log, prefix } = await fresh();
    const other = await open({ prefix });
    const woken = [0, 1, 2].map((partition) => log.wait('trades', partition, 0, new AbortController().signal));
    for (const partition of [2, 0, 1]) {
      await append(other, 'a', partition, 'x');
      await woken[partition];
    }
    await log.wait('trades', 0, 0, AbortSignal.abort());
    const aborting = new AbortController();
    const aborted = log.wait('trades', 0, 100, aborting.signal);
    aborting.abort();
    await aborted;
    const closing = log.wait('trades', 1, 100, new AbortController().signal);
    await log.close();
    await closing;
    await expect(log.read('trades', 0, 0, ALL)).rejects.toMatchObject({ code: 'closed' });
  });

  it('LG-1 truncate: offsets are not used again, and a reader from before the start begins there', async () => {
    const { log } = await fresh();
    await append(log, 'a', 0, '0', '1', '2', '3');
    await log.truncate('trades', 0, 2);
    expect(await log.bounds('trades', 0)).toEqual({ start: 2, end: 4 });
    const other = await open({ prefix: `t${logs}.` });
    await other.wait('trades', 0, 0, new AbortController().signal);
    expect(texts(await other.read('trades', 0, 0, ALL))).toEqual(['2', '3']);
    expect(texts(await log.read('trades', 0, 0, ALL))).toEqual(['2', '3']);
    await log.truncate('trades', 0, 99);
    expect(await log.bounds('trades', 0)).toEqual({ start: 4, end: 4 });
    await append(log, 'a', 0, '4');
    expect(texts(await readAll(log, 0))).toEqual(['4']);
    await expect(log.read('trades', 9, 0, ALL)).rejects.toMatchObject({ code: 'unknown_partition' });
  });

  it('LG-8 refuses another partition count with a sentence, and reports drift', async () => {
    const { log } = await fresh();
    await expect(log.ensureTopics([{ name: 'trades', partitions: 4 }])).rejects.toThrow(/has 3 partitions.*Set the/);
    expect(await log.topics()).toEqual([TRADES]);
    expect(await log.drift([TRADES])).toEqual([]);
    const sentences = await log.drift([
      { ...TRADES, partitions: 5, retentionMs: 1_000, replicas: 3 },
      { name: 'news', partitions: 1 },
    ]);
    expect(sentences.join('\n')).toMatch(
      /"\S*news" does not exist(.|\n)*3 partitions instead of 5(.|\n)*1 replicas instead of 3(.|\n)*retention.ms=-1 instead of 1000/,
    );
  });

  it('LG-2 says who is asked for in vain when no broker answers', async () => {
    await expect(
      openKafkaLog({ brokers: ['127.0.0.1:1'], clientId: 'test', clock: systemClock() }),
    ).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('127.0.0.1:1') });
  });
});

async function exited(child: ChildProcess): Promise<void> {
  await new Promise((resolve) => child.once('exit', resolve));
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}
