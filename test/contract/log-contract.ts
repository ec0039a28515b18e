/** What every adapter of the log port must do (SPEC LG-1..LG-8), embedded or not. */
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Log, LogRecord } from '../../core/log/log.ts';

export interface LogFixture {
  /** Opens the log; after a close of the one before, the same log again. */
  open(): Promise<Log>;
  /** Removes everything. */
  destroy(): Promise<void>;
  /** Whether what was committed is there after close and open. */
  durable: boolean;
}

const ALL = { maxRecords: 10_000, maxBytes: 100_000_000 };
const TOPIC = 'ticks';
const PARTITIONS = 3;

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function texts(records: readonly LogRecord[]): string[] {
  return records.map(({ value }) => new TextDecoder().decode(value));
}

async function append(log: Log, partition: number, ...values: string[]): Promise<void> {
  const transaction = await log.transaction('writer');
  for (const value of values) transaction.append(TOPIC, partition, bytes(value));
  await transaction.commit();
}

export function logContract(name: string, create: () => Promise<LogFixture>): void {
  describe(`log: ${name}`, () => {
    let fixture: LogFixture;
    let log: Log;

    beforeEach(async () => {
      fixture = await create();
      log = await fixture.open();
      await log.ensureTopics([{ name: TOPIC, partitions: PARTITIONS }]);
    });

    afterEach(async () => {
      await log.close();
      await fixture.destroy();
    });

    it('LG-1 gives the records of each partition the offsets 0, 1, 2, … in append order', async () => {
      const transaction = await log.transaction('writer');
      transaction.append(TOPIC, 0, bytes('a'), 'k');
      transaction.append(TOPIC, 1, bytes('b'));
      transaction.append(TOPIC, 0, bytes('c'));
      await transaction.commit();
      await append(log, 0, 'd');
      const records = await log.read(TOPIC, 0, 0, ALL);
      expect(records.map(({ offset }) => offset)).toEqual([0, 1, 2]);
      expect(texts(records)).toEqual(['a', 'c', 'd']);
      expect(records.map(({ key }) => key)).toEqual(['k', '', '']);
      expect(texts(await log.read(TOPIC, 1, 0, ALL))).toEqual(['b']);
      expect(await log.bounds(TOPIC, 0)).toEqual({ start: 0, end: 3 });
      expect(await log.bounds(TOPIC, 2)).toEqual({ start: 0, end: 0 });
    });

    it('LG-2 knows its topics, and creates one only once', async () => {
      await log.ensureTopics([
        { name: TOPIC, partitions: PARTITIONS },
        { name: 'other', partitions: 1 },
      ]);
      const topics = await log.topics();
      expect(topics.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual([
        { name: 'other', partitions: 1 },
        { name: TOPIC, partitions: PARTITIONS },
      ]);
    });

    it('LG-8 refuses another number of partitions, in words', async () => {
      await append(log, 2, 'kept');
      await expect(log.ensureTopics([{ name: TOPIC, partitions: 4 }])).rejects.toThrow(/ticks.* 3 partitions/);
      expect(texts(await log.read(TOPIC, 2, 0, ALL))).toEqual(['kept']);
    });

    it('LG-4 shows nothing of a transaction before its commit, and everything after', async () => {
      const transaction = await log.transaction('writer');
      transaction.append(TOPIC, 0, bytes('a'));
      transaction.commitOffset('group', TOPIC, 1, 7);
      transaction.putState('store', 'key', bytes('state'));
      expect(await log.read(TOPIC, 0, 0, ALL)).toEqual([]);
      expect(await log.committed('group', TOPIC, 1)).toBe(0);
      expect(await log.getState('store', 'key')).toBeUndefined();
      await transaction.commit();
      expect(texts(await log.read(TOPIC, 0, 0, ALL))).toEqual(['a']);
      expect(await log.committed('group', TOPIC, 1)).toBe(7);
      expect(texts([{ value: await log.getState('store', 'key') } as LogRecord])).toEqual(['state']);
    });

    it('LG-4 shows nothing of an aborted transaction, and leaves no gap', async () => {
      const transaction = await log.transaction('writer');
      transaction.append(TOPIC, 0, bytes('never'));
      transaction.putState('store', 'key', bytes('never'));
      transaction.abort();
      await expect(transaction.commit()).rejects.toThrow();
      await append(log, 0, 'first');
      const records = await log.read(TOPIC, 0, 0, ALL);
      expect(records.map(({ offset }) => offset)).toEqual([0]);
      expect(await log.getState('store', 'key')).toBeUndefined();
    });

    it('LG-4 refuses a partition that is not there, and the rest of the transaction can still be committed', async () => {
      const transaction = await log.transaction('writer');
      transaction.append(TOPIC, 0, bytes('good'));
      expect(() => transaction.append(TOPIC, PARTITIONS, bytes('bad'))).toThrow(/partition/);
      expect(() => transaction.commitOffset('group', 'no-topic', 0, 1)).toThrow(/partition/);
      await transaction.commit();
      expect(texts(await log.read(TOPIC, 0, 0, ALL))).toEqual(['good']);
    });

    it('LG-4 lets one writer at a time hold a transactional id', async () => {
      const first = await log.transaction('same');
      let second = false;
      const waiting = log.transaction('same').then((transaction) => {
        second = true;
        return transaction;
      });
      const other = await log.transaction('different');
      other.abort();
      expect(second).toBe(false);
      first.append(TOPIC, 0, bytes('first'));
      await first.commit();
      const next = await waiting;
      next.append(TOPIC, 0, bytes('second'));
      await next.commit();
      expect(texts(await log.read(TOPIC, 0, 0, ALL))).toEqual(['first', 'second']);
    });

    it('LG-4 keeps concurrent transactions whole', async () => {
      await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const transaction = await log.transaction(`writer-${i}`);
          for (let n = 0; n < 5; n++) transaction.append(TOPIC, 0, bytes(`${i}`));
          transaction.commitOffset('group', TOPIC, i % PARTITIONS, i);
          await transaction.commit();
        }),
      );
      const values = texts(await log.read(TOPIC, 0, 0, ALL));
      expect(values).toHaveLength(100);
      for (let at = 0; at < 100; at += 5) expect(new Set(values.slice(at, at + 5)).size).toBe(1);
    });

    it('LG-7 reads at most what it is asked for, and at least one record', async () => {
      await append(log, 0, ...Array.from({ length: 10 }, (_, i) => `${i}`.repeat(100)));
      expect(await log.read(TOPIC, 0, 2, { maxRecords: 3, maxBytes: 1_000 })).toHaveLength(3);
      expect(await log.read(TOPIC, 0, 2, { maxRecords: 9, maxBytes: 250 })).toHaveLength(2);
      const [large, ...more] = await log.read(TOPIC, 0, 9, { maxRecords: 9, maxBytes: 1 });
      expect([large?.offset, more.length]).toEqual([9, 0]);
      expect(await log.read(TOPIC, 0, 10, ALL)).toEqual([]);
      expect(await log.read(TOPIC, 0, 1_000, ALL)).toEqual([]);
    });

    it('LG-7 wakes a reader when its record comes, or when it no longer waits', async () => {
      const abort = new AbortController();
      const never = log.wait(TOPIC, 1, 0, abort.signal);
      const soon = log.wait(TOPIC, 0, 1, abort.signal);
      await append(log, 0, 'a');
      await append(log, 0, 'b');
      await soon;
      await log.wait(TOPIC, 0, 0, abort.signal);
      abort.abort();
      await never;
      await log.wait(TOPIC, 1, 5, abort.signal);
    });

    it('LG-4 keeps the newest state of a key, and removes it', async () => {
      const put = async (entries: [string, string | undefined][]): Promise<void> => {
        const transaction = await log.transaction('writer');
        for (const [key, value] of entries)
          transaction.putState('s', key, value === undefined ? undefined : bytes(value));
        await transaction.commit();
      };
      await put([
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
      ]);
      await put([['b', undefined]]);
      await put([['c', '']]);
      const entries = (await log.listState('s')).map(({ key, value }) => [key, new TextDecoder().decode(value)]);
      expect(Object.fromEntries(entries)).toEqual({ a: '3', c: '' });
      expect(await log.getState('s', 'b')).toBeUndefined();
      expect(await log.listState('nothing')).toEqual([]);
    });

    it('LG-1 does not use the offsets of dropped records again', async () => {
      await append(log, 0, 'a', 'b', 'c');
      await log.truncate(TOPIC, 0, 2);
      expect(await log.bounds(TOPIC, 0)).toEqual({ start: 2, end: 3 });
      expect(texts(await log.read(TOPIC, 0, 0, ALL))).toEqual(['c']);
      await log.truncate(TOPIC, 0, 3);
      expect(await log.bounds(TOPIC, 0)).toEqual({ start: 3, end: 3 });
      await append(log, 0, 'd');
      const [record] = await log.read(TOPIC, 0, 0, ALL);
      expect(record?.offset).toBe(3);
    });

    it('LG-7 holds against a model, whatever is done in whatever order', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation(), { maxLength: 40 }), async (operations) => {
          const topic = `model-${models++}`;
          await log.ensureTopics([{ name: topic, partitions: PARTITIONS }]);
          const model = new Model();
          for (const step of operations) {
            await apply(log, topic, step);
            model.apply(step);
            if (step.kind === 'reopen' && fixture.durable) {
              await log.close();
              log = await fixture.open();
            }
          }
          expect(await contents(log, topic)).toEqual(model.contents());
        }),
        { numRuns: 30 },
      );
    });
    let models = 0;

    it('LG-5 has everything that was committed after close and open', async () => {
      if (!fixture.durable) return;
      await append(log, 1, 'a', 'b');
      await log.truncate(TOPIC, 1, 1);
      const transaction = await log.transaction('writer');
      transaction.commitOffset('group', TOPIC, 1, 2);
      transaction.putState('store', 'key', bytes('state'));
      await transaction.commit();
      await log.close();
      log = await fixture.open();
      expect(await log.bounds(TOPIC, 1)).toEqual({ start: 1, end: 2 });
      expect(texts(await log.read(TOPIC, 1, 0, ALL))).toEqual(['b']);
      expect(await log.committed('group', TOPIC, 1)).toBe(2);
      expect(await log.getState('store', 'key')).toEqual(bytes('state'));
      await append(log, 1, 'c');
      expect((await log.read(TOPIC, 1, 2, ALL)).map(({ offset }) => offset)).toEqual([2]);
    });
  });
}

type Operation =
  | {
      kind: 'transaction';
      records: { partition: number; value: string }[];
      offset: number;
      state: string;
      commits: boolean;
    }
  | { kind: 'truncate'; partition: number; before: number }
  | { kind: 'reopen' };

function operation(): fc.Arbitrary<Operation> {
  const partition = fc.nat({ max: PARTITIONS - 1 });
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('transaction' as const),
        records: fc.array(fc.record({ partition, value: fc.string() }), { maxLength: 8 }),
        offset: fc.nat({ max: 1_000_000 }),
        state: fc.string(),
        commits: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('truncate' as const), partition, before: fc.nat({ max: 40 }) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  );
}

interface Contents {
  partitions: { start: number; end: number; records: [number, string][] }[];
  offset: number;
  state: string | undefined;
}

async function apply(log: Log, topic: string, step: Operation): Promise<void> {
  if (step.kind === 'truncate') await log.truncate(topic, step.partition, step.before);
  if (step.kind !== 'transaction') return;
  const transaction = await log.transaction('model');
  for (const { partition, value } of step.records) transaction.append(topic, partition, bytes(value));
  transaction.commitOffset('group', topic, 0, step.offset);
  transaction.putState('model', topic, bytes(step.state));
  if (step.commits) await transaction.commit();
  else transaction.abort();
}

async function contents(log: Log, topic: string): Promise<Contents> {
  const partitions = [];
  for (let p = 0; p < PARTITIONS; p++) {
    const records = await log.read(topic, p, 0, ALL);
    const values = texts(records);
    partitions.push({
      ...(await log.bounds(topic, p)),
      records: records.map(({ offset }, i): [number, string] => [offset, values[i] as string]),
    });
  }
  const state = await log.getState('model', topic);
  const offset = await log.committed('group', topic, 0);
  return { partitions, offset, state: state === undefined ? undefined : new TextDecoder().decode(state) };
}

class Model {
  readonly #partitions = Array.from({ length: PARTITIONS }, () => ({ start: 0, values: [] as string[] }));
  #offset = 0;
  #state: string | undefined;

  apply(step: Operation): void {
    if (step.kind === 'truncate') {
      const partition = this.#partitions[step.partition];
      if (partition === undefined) return;
      partition.start = Math.max(partition.start, Math.min(step.before, partition.values.length));
    }
    if (step.kind !== 'transaction' || !step.commits) return;
    for (const { partition, value } of step.records) this.#partitions[partition]?.values.push(plain(value));
    this.#offset = step.offset;
    this.#state = plain(step.state);
  }

  contents(): Contents {
    return {
      partitions: this.#partitions.map(({ start, values }) => ({
        start,
        end: values.length,
        records: values.map((value, i): [number, string] => [i, value]).slice(start),
      })),
      offset: this.#offset,
      state: this.#state,
    };
  }
}

/** As it comes back from UTF-8. */
function plain(text: string): string {
  return new TextDecoder().decode(bytes(text));
}
