/**
 * The log port in memory, for tests of what stands on it. It keeps the port's promises (all or nothing, one writer per
 * transactional id, gapless offsets) except that nothing survives the process.
 */
import type { Clock } from '#shared/clock.ts';
import type { Log, LogRecord, LogTransaction, ReadOptions, TopicSpec } from '../../core/log/log.ts';

interface Partition {
  start: number;
  records: LogRecord[];
  waiters: Set<() => void>;
}

interface Append {
  topic: string;
  partition: number;
  value: Uint8Array;
  key: string;
}

export class MemoryLog implements Log {
  readonly #clock: Clock;
  readonly #topics = new Map<string, Partition[]>();
  readonly #offsets = new Map<string, number>();
  readonly #states = new Map<string, Map<string, Uint8Array>>();
  readonly #writers = new Map<string, Promise<void>>();
  /** Commits that took place. */
  commits = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    for (const { name, partitions } of topics) {
      const known = this.#topics.get(name);
      if (known !== undefined && known.length !== partitions) {
        throw new Error(
          `Topic ${name} has ${known.length} partitions, not ${partitions}; use that number or another log`,
        );
      }
      if (known === undefined) {
        this.#topics.set(
          name,
          Array.from({ length: partitions }, () => ({ start: 0, records: [], waiters: new Set<() => void>() })),
        );
      }
    }
  }

  async topics(): Promise<TopicSpec[]> {
    return [...this.#topics].map(([name, partitions]) => ({ name, partitions: partitions.length }));
  }

  async fence(): Promise<void> {}

  async transaction(transactionalId: string): Promise<LogTransaction> {
    const before = this.#writers.get(transactionalId) ?? Promise.resolve();
    const { promise, resolve: release } = Promise.withResolvers<void>();
    this.#writers.set(transactionalId, promise);
    await before;
    const appends: Append[] = [];
    const offsets = new Map<string, number>();
    const states: { store: string; key: string; value: Uint8Array | undefined }[] = [];
    let open = true;
    const use = (): void => {
      if (!open) throw new Error('The transaction has ended');
    };
    return {
      append: (topic, partition, value, key = '') => {
        use();
        this.#partition(topic, partition);
        appends.push({ topic, partition, value: value.slice(), key });
      },
      commitOffset: (group, topic, partition, nextOffset) => {
        use();
        this.#partition(topic, partition);
        offsets.set(offsetKey(group, topic, partition), nextOffset);
      },
      putState: (store, key, value) => {
        use();
        states.push({ store, key, value: value?.slice() });
      },
      commit: async () => {
        use();
        open = false;
        this.#apply(appends, offsets, states);
        release();
      },
      abort: () => {
        open = false;
        release();
      },
    };
  }

  #apply(
    appends: readonly Append[],
    offsets: ReadonlyMap<string, number>,
    states: readonly { store: string; key: string; value: Uint8Array | undefined }[],
  ): void {
    const timestampMs = this.#clock.nowMs();
    const touched = new Set<Partition>();
    for (const { topic, partition, value, key } of appends) {
      const target = this.#partition(topic, partition);
      target.records.push({ offset: target.start + target.records.length, timestampMs, key, value });
      touched.add(target);
    }
    for (const [key, offset] of offsets) this.#offsets.set(key, offset);
    for (const { store, key, value } of states) {
      const entries = this.#states.get(store) ?? new Map<string, Uint8Array>();
      this.#states.set(store, entries);
      if (value === undefined) entries.delete(key);
      else entries.set(key, value);
    }
    this.commits++;
    for (const partition of touched) for (const wake of partition.waiters) wake();
  }

  async read(topic: string, partition: number, fromOffset: number, options: ReadOptions): Promise<LogRecord[]> {
    const { start, records } = this.#partition(topic, partition);
    const found: LogRecord[] = [];
    let bytes = 0;
    for (let at = Math.max(0, fromOffset - start); at < records.length; at++) {
      const record = records[at] as LogRecord;
      bytes += record.value.length;
      if (found.length > 0 && (found.length >= options.maxRecords || bytes > options.maxBytes)) break;
      found.push(record);
    }
    return found;
  }

  async bounds(topic: string, partition: number): Promise<{ start: number; end: number }> {
    const { start, records } = this.#partition(topic, partition);
    return { start, end: start + records.length };
  }

  async committed(group: string, topic: string, partition: number): Promise<number> {
    return this.#offsets.get(offsetKey(group, topic, partition)) ?? 0;
  }

  async getState(store: string, key: string): Promise<Uint8Array | undefined> {
    return this.#states.get(store)?.get(key);
  }

  async listState(store: string): Promise<{ key: string; value: Uint8Array }[]> {
    return [...(this.#states.get(store) ?? [])].map(([key, value]) => ({ key, value }));
  }

  async wait(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void> {
    const target = this.#partition(topic, partition);
    while (!signal.aborted && target.start + target.records.length <= offset) {
      const { promise, resolve } = Promise.withResolvers<void>();
      target.waiters.add(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      target.waiters.delete(resolve);
    }
  }

  async truncate(topic: string, partition: number, beforeOffset: number): Promise<void> {
    const target = this.#partition(topic, partition);
    const drop = Math.min(Math.max(0, beforeOffset - target.start), target.records.length);
    target.records.splice(0, drop);
    target.start += drop;
  }

  async close(): Promise<void> {}

  /** Every record that a partition holds, for assertions. */
  records(topic: string, partition: number): readonly LogRecord[] {
    return this.#partition(topic, partition).records;
  }

  #partition(topic: string, partition: number): Partition {
    const found = this.#topics.get(topic)?.[partition];
    if (found === undefined) throw new Error(`No partition ${partition} of topic ${topic}`);
    return found;
  }
}

function offsetKey(group: string, topic: string, partition: number): string {
  return `${group}\n${topic}\n${partition}`;
}
