/**
 * A log seen by the ranks of its records: offset n is the n-th record of the partition. On a log without holes in its offsets it
 * changes nothing; over Kafka's holes it lets the contract suite speak of offsets 0, 1, 2, ….
 */
import type { Log, LogRecord, LogTransaction, ReadOptions, TopicSpec } from '../../core/log/log.ts';

/** Offsets by rank, kept while the log is closed and opened again. */
export type Ranks = Map<string, number[]>;

const CHUNK = { maxRecords: 10_000, maxBytes: 16_000_000 };

export class DenseLog implements Log {
  readonly #log: Log;
  readonly #ranks: Ranks;

  constructor(log: Log, ranks: Ranks) {
    this.#log = log;
    this.#ranks = ranks;
  }

  ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    return this.#log.ensureTopics(topics);
  }

  topics(): Promise<TopicSpec[]> {
    return this.#log.topics();
  }

  fence(transactionalId: string): Promise<void> {
    return this.#log.fence(transactionalId);
  }

  transaction(transactionalId: string): Promise<LogTransaction> {
    return this.#log.transaction(transactionalId);
  }

  async read(topic: string, partition: number, fromOffset: number, options: ReadOptions): Promise<LogRecord[]> {
    const ranks = await this.#known(topic, partition);
    const records = await this.#log.read(topic, partition, offsetOf(ranks, fromOffset), options);
    return records.map((record) => ({ ...record, offset: ranks.indexOf(record.offset) }));
  }

  async bounds(topic: string, partition: number): Promise<{ start: number; end: number }> {
    const ranks = await this.#known(topic, partition);
    const { start, end } = await this.#log.bounds(topic, partition);
    const last = ranks.at(-1);
    if (last !== undefined && end < last + 1) throw new Error(`The end ${end} is before the last record ${last}`);
    const first = ranks.findIndex((offset) => offset >= start);
    return { start: first < 0 ? ranks.length : first, end: ranks.filter((offset) => offset < end).length };
  }

  committed(group: string, topic: string, partition: number): Promise<number> {
    return this.#log.committed(group, topic, partition);
  }

  getState(store: string, key: string): Promise<Uint8Array | undefined> {
    return this.#log.getState(store, key);
  }

  listState(store: string): Promise<{ key: string; value: Uint8Array }[]> {
    return this.#log.listState(store);
  }

  async wait(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const ranks = await this.#known(topic, partition);
    await this.#log.wait(topic, partition, offsetOf(ranks, offset), signal);
  }

  async truncate(topic: string, partition: number, beforeOffset: number): Promise<void> {
    const ranks = await this.#known(topic, partition);
    await this.#log.truncate(topic, partition, offsetOf(ranks, beforeOffset));
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  /** The table with everything that the partition holds now. */
  async #known(topic: string, partition: number): Promise<number[]> {
    const id = `${topic}-${partition}`;
    const ranks = this.#ranks.get(id) ?? [];
    this.#ranks.set(id, ranks);
    for (;;) {
      const records = await this.#log.read(topic, partition, (ranks.at(-1) ?? -1) + 1, CHUNK);
      if (records.length === 0) return ranks;
      ranks.push(...records.map(({ offset }) => offset));
    }
  }
}

function offsetOf(ranks: readonly number[], rank: number): number {
  return ranks[rank] ?? (ranks.at(-1) ?? -1) + 1 + (rank - ranks.length);
}
