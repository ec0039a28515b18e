/**
 * The log on Apache Kafka (SPEC LG-1..LG-8), through kafkajs 2.2.4 as a protocol client.
 *
 * - Reading is by partition and offset. Transaction markers and aborted records leave holes in the offsets; readers see the records
 *   only. `bounds().end` is the offset behind the last record that can be read.
 * - A commit resolves when its markers are written: every reader sees it then. It survives `kill -9` of any process; it survives the
 *   loss of a machine when the topics are replicated (topics.ts: 3 copies, 2 of them in step).
 * - State lives in one compacted topic, group offsets in Kafka's own.
 * - Kafka's CRC is checked by the broker when a batch is written, not here when it is read: frames carry their own (SPEC TK-4).
 */
import type { SASLOptions } from 'kafkajs';
import { partitionOf } from '#shared/topics.ts';
import type { Clock } from '#shared/clock.ts';
import { silentLogger, type Logger } from '../ops/logger.ts';
import { IdLocks } from './id-locks.ts';
import type { Assignment } from './assignment.ts';
import { Calls } from './kafka/calls.ts';
import { GroupMember } from './kafka/group-member.ts';
import { COORDINATOR, Wire, type Lanes } from './kafka/internals.ts';
import type { KafkaCodec } from './kafka/produce.ts';
import { LongPoll } from './kafka/long-poll.ts';
import { PartitionReader } from './kafka/partition-reader.ts';
import { StateReader, stateKey } from './kafka/state-reader.ts';
import { TopicAdmin } from './kafka/topic-admin.ts';
import { TransactionalProducer, type OffsetCommit } from './kafka/transactional-producer.ts';
import type { Append } from './kafka/append-rounds.ts';
import type { Log, LogRecord, LogTransaction, ReadOptions, TopicSpec } from './log.ts';
import { LogError } from './log-error.ts';
import { DEFAULT_MAX_RECORD_BYTES, STATE_MAX_RECORD_BYTES, stateTopic } from './topics.ts';

export interface KafkaLogOptions {
  /** `host:port` of one or more brokers. */
  brokers: readonly string[];
  clientId: string;
  clock: Clock;
  logger?: Logger;
  /** Stands before the names of topics, groups and transactional ids: several logs can share a cluster. */
  prefix?: string;
  /**
   * How batches are packed. zstd by default: 2.5 times less to send and keep, for 60 ns a tick instead of 30 when read; producing
   * costs the same, as kafkajs has fewer bytes to copy and to sum.
   */
  codec?: KafkaCodec;
  /** How long the broker lets a transaction stand open before it gives it up, ms. */
  transactionTimeoutMs?: number;
  /** Copies of the state topic and of topics whose spec says nothing. */
  replicas?: number;
  /** Partitions of the state topic, when it is made. */
  statePartitions?: number;
  requestTimeoutMs?: number;
  connectionTimeoutMs?: number;
  ssl?: boolean;
  sasl?: SASLOptions;
}

export interface KafkaLog extends Log {
  /** What differs between the cluster and the specs, a sentence each; empty when nothing does. Changes nothing. */
  drift(topics: readonly TopicSpec[]): Promise<string[]>;
  /**
   * A share of the work of `role`, by a group named `<role>-members`: apart from the group of the offsets, which are committed in
   * transactions by whoever holds the fence.
   */
  membership(role: string, options?: { sessionTimeoutMs?: number; rebalanceTimeoutMs?: number }): Assignment;
}

/** Uncompressed bytes of one batch of one partition. */
const BATCH_BYTES = 900_000;
/** How long a new topic may be without leaders, and how often it is looked at, ms. */
const LEADERS_MS = 30_000;
const LOOK_MS = 10;

/** Connects and reads the cluster's topics. Rejects when no broker answers. */
export async function openKafkaLog(options: KafkaLogOptions): Promise<KafkaLog> {
  const log = new KafkaBackedLog(options);
  try {
    await log.connect();
  } catch (error) {
    await log.close();
    throw new LogError(
      'unavailable',
      `No Kafka broker answers at ${options.brokers.join(', ')}. Start one, or correct the address.`,
      error,
    );
  }
  return log;
}

class KafkaBackedLog implements KafkaLog {
  readonly #options: Required<
    Pick<KafkaLogOptions, 'prefix' | 'codec' | 'transactionTimeoutMs' | 'replicas' | 'statePartitions'>
  >;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #wire: Wire;
  readonly #calls: Calls;
  readonly #lanes: Lanes;
  readonly #admin: TopicAdmin;
  readonly #longPoll: LongPoll;
  readonly #locks = new IdLocks();
  readonly #producers = new Map<string, TransactionalProducer>();
  readonly #readers = new Map<string, PartitionReader>();
  readonly #stores = new Map<string, StateReader>();
  readonly #limits = new Map<string, number>();
  #closed = false;

  constructor(options: KafkaLogOptions) {
    const logger = (options.logger ?? silentLogger).child({ part: 'log' });
    const { prefix = '', codec = 'zstd', transactionTimeoutMs = 30_000, replicas = 1, statePartitions = 16 } = options;
    this.#options = { prefix, codec, transactionTimeoutMs, replicas, statePartitions };
    this.#clock = options.clock;
    this.#logger = logger;
    this.#wire = new Wire({
      brokers: options.brokers,
      clientId: options.clientId,
      logger,
      requestTimeoutMs: options.requestTimeoutMs ?? 15_000,
      connectionTimeoutMs: options.connectionTimeoutMs ?? 2_000,
      ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
      ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
    });
    this.#calls = new Calls({ wire: this.#wire, clock: options.clock, logger });
    this.#lanes = this.#wire.lanes();
    this.#admin = new TopicAdmin({ ...options, replicas });
    this.#longPoll = new LongPoll(this.#calls, logger, (arrived) => {
      this.#readers.get(`${arrived.topic}-${arrived.partition}`)?.keep(arrived);
    });
  }

  connect(): Promise<void> {
    return this.#wire.refresh();
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    this.#use();
    await this.#calls.refresh();
    const { prefix, statePartitions } = this.#options;
    const known = this.#wire.topics();
    for (const { name, partitions } of topics) {
      const existing = known.get(prefix + name);
      if (existing !== undefined && existing !== partitions) {
        throw new LogError(
          'partition_count',
          `Topic "${name}" has ${existing} partitions and cannot be opened with ${partitions}: instruments would change their partition. Set the number of partitions to ${existing}, or use another prefix or cluster.`,
        );
      }
    }
    const wanted = [...topics, stateTopic(statePartitions)].map((spec) => ({ ...spec, name: prefix + spec.name }));
    const missing = wanted.filter(({ name }) => !known.has(name));
    await this.#admin.create(missing);
    for (const spec of topics) this.#limits.set(spec.name, spec.maxRecordBytes ?? DEFAULT_MAX_RECORD_BYTES);
    await this.#led(missing);
  }

  /** Resolves when every partition has a leader that this process knows. */
  async #led(topics: readonly TopicSpec[]): Promise<void> {
    const leaderless = (): string | undefined =>
      topics
        .flatMap(({ name, partitions }) => Array.from({ length: partitions }, (_, partition) => ({ name, partition })))
        .filter(({ name, partition }) => this.#wire.leader(name, partition) === undefined)
        .map(({ name, partition }) => `${name}-${partition}`)[0];
    const untilMs = this.#clock.nowMs() + LEADERS_MS;
    for (let missing = leaderless(); missing !== undefined; missing = leaderless()) {
      if (this.#closed || this.#clock.nowMs() > untilMs)
        throw new LogError('unavailable', `Partition ${missing} was created but no broker leads it.`);
      await this.#calls.pause(LOOK_MS);
      await this.#calls.refresh().catch(() => undefined);
    }
  }

  async drift(topics: readonly TopicSpec[]): Promise<string[]> {
    this.#use();
    await this.#calls.refresh();
    const { prefix, statePartitions } = this.#options;
    const state = this.#wire.topics().get(prefix + stateTopic(1).name) ?? statePartitions;
    const wanted = [...topics, stateTopic(state)].map((spec) => ({ ...spec, name: prefix + spec.name }));
    return this.#admin.drift(wanted, this.#wire.topics());
  }

  async topics(): Promise<TopicSpec[]> {
    this.#use();
    await this.#calls.refresh();
    const { prefix } = this.#options;
    return [...this.#wire.topics()]
      .filter(([name]) => name.startsWith(prefix) && name !== prefix + stateTopic(1).name)
      .map(([name, partitions]) => ({ name: name.slice(prefix.length), partitions }));
  }

  membership(role: string, options: { sessionTimeoutMs?: number; rebalanceTimeoutMs?: number } = {}): Assignment {
    const { sessionTimeoutMs = 6_000, rebalanceTimeoutMs = 15_000 } = options;
    return new GroupMember({
      calls: this.#calls,
      groupId: `${this.#options.prefix}${role}-members`,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      logger: this.#logger,
    });
  }

  async fence(transactionalId: string): Promise<void> {
    this.#use();
    const release = await this.#locks.acquire(transactionalId);
    try {
      await this.#producer(transactionalId).fence();
    } finally {
      release();
    }
  }

  async transaction(transactionalId: string): Promise<LogTransaction> {
    this.#use();
    const release = await this.#locks.acquire(transactionalId);
    try {
      this.#use();
      const producer = this.#producer(transactionalId);
      await producer.ready();
      return this.#open(producer, release);
    } catch (error) {
      release();
      throw error;
    }
  }

  #open(producer: TransactionalProducer, release: () => void): LogTransaction {
    const appends: Append[] = [];
    const offsets: OffsetCommit[] = [];
    const { prefix } = this.#options;
    let open = true;
    const use = (): void => {
      if (!open) throw new Error('The transaction has been committed or aborted.');
    };
    return {
      append: (topic, partition, value, key = '') => {
        use();
        this.#known(topic, partition);
        this.#fits(topic, value, this.#limits.get(topic) ?? DEFAULT_MAX_RECORD_BYTES);
        appends.push({
          topic: prefix + topic,
          partition,
          key: key === '' ? null : Buffer.from(key),
          value,
          timestampMs: this.#clock.nowMs(),
        });
      },
      commitOffset: (group, topic, partition, nextOffset) => {
        use();
        this.#known(topic, partition);
        offsets.push({ group: prefix + group, topic: prefix + topic, partition, nextOffset });
      },
      putState: (store, key, value) => {
        use();
        const { topic, partition } = this.#statePartition(store);
        if (value !== undefined) this.#fits(store, value, STATE_MAX_RECORD_BYTES);
        appends.push({
          topic,
          partition,
          key: stateKey(store, key),
          value: value ?? null,
          timestampMs: this.#clock.nowMs(),
        });
      },
      commit: async () => {
        use();
        open = false;
        try {
          this.#use();
          await producer.commit(appends, offsets);
        } finally {
          release();
        }
      },
      abort: () => {
        if (!open) return;
        open = false;
        release();
      },
    };
  }

  read(topic: string, partition: number, fromOffset: number, options: ReadOptions): Promise<LogRecord[]> {
    return this.#reading(topic, partition, (reader) => reader.read(fromOffset, options));
  }

  bounds(topic: string, partition: number): Promise<{ start: number; end: number }> {
    return this.#reading(topic, partition, (reader) => reader.bounds());
  }

  truncate(topic: string, partition: number, beforeOffset: number): Promise<void> {
    return this.#reading(topic, partition, (reader) => reader.truncate(beforeOffset));
  }

  async committed(group: string, topic: string, partition: number): Promise<number> {
    await this.#look(topic, partition);
    const groupId = this.#options.prefix + group;
    const { responses } = await this.#calls.coordinator(this.#lanes, COORDINATOR.group, groupId, (broker) =>
      broker.offsetFetch({ groupId, topics: [{ topic: this.#options.prefix + topic, partitions: [{ partition }] }] }),
    );
    return Math.max(0, Number(responses[0]?.partitions[0]?.offset ?? 0));
  }

  async getState(store: string, key: string): Promise<Uint8Array | undefined> {
    return (await this.#store(store)).get(key)?.slice();
  }

  async listState(store: string): Promise<{ key: string; value: Uint8Array }[]> {
    const entries = [...(await this.#store(store))].map(([key, value]) => ({ key, value: value.slice() }));
    return entries.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  }

  async wait(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void> {
    if (this.#closed) return;
    const name = this.#options.prefix + topic;
    if (this.#readers.get(`${name}-${partition}`)?.holds(offset) === true) return;
    await this.#longPoll.wait(name, partition, offset, signal);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#calls.close();
    this.#longPoll.close();
    await this.#wire.close();
  }

  #use(): void {
    if (this.#closed) throw new LogError('closed', 'The log is closed.');
  }

  #known(topic: string, partition: number): void {
    this.#use();
    const partitions = this.#wire.topics().get(this.#options.prefix + topic) ?? 0;
    if (!Number.isInteger(partition) || partition < 0 || partition >= partitions)
      throw new LogError('unknown_partition', `The log has no partition ${partition} of topic "${topic}".`);
  }

  /** As #known, with another look at the cluster: the topic may be new. */
  async #look(topic: string, partition: number): Promise<void> {
    this.#use();
    if (!this.#wire.topics().has(this.#options.prefix + topic)) await this.#calls.refresh();
    this.#known(topic, partition);
  }

  #fits(name: string, value: Uint8Array, maxBytes: number): void {
    if (value.length > maxBytes)
      throw new LogError('too_large', `A record of ${value.length} bytes for "${name}": at most ${maxBytes} fit.`);
  }

  #producer(transactionalId: string): TransactionalProducer {
    const known = this.#producers.get(transactionalId);
    if (known !== undefined) return known;
    const { prefix, transactionTimeoutMs, codec } = this.#options;
    const producer = new TransactionalProducer({
      transactionalId: prefix + transactionalId,
      calls: this.#calls,
      transactionTimeoutMs,
      codec,
      batchBytes: BATCH_BYTES,
    });
    this.#producers.set(transactionalId, producer);
    return producer;
  }

  async #reading<T>(topic: string, partition: number, use: (reader: PartitionReader) => Promise<T>): Promise<T> {
    await this.#look(topic, partition);
    const name = this.#options.prefix + topic;
    const id = `${name}-${partition}`;
    const reader = this.#readers.get(id) ?? new PartitionReader(this.#calls, this.#lanes, name, partition);
    this.#readers.set(id, reader);
    return use(reader);
  }

  #statePartition(store: string): { topic: string; partition: number } {
    const topic = this.#options.prefix + stateTopic(1).name;
    const partitions = this.#wire.topics().get(topic);
    if (partitions === undefined)
      throw new LogError('unknown_partition', 'The log has no state topic yet: create the topics first.');
    return { topic, partition: partitionOf(store, partitions) };
  }

  async #store(store: string): Promise<ReadonlyMap<string, Uint8Array>> {
    this.#use();
    let reader = this.#stores.get(store);
    if (reader === undefined) {
      if (!this.#wire.topics().has(this.#options.prefix + stateTopic(1).name)) await this.#calls.refresh();
      const { topic, partition } = this.#statePartition(store);
      reader = new StateReader(this.#calls, this.#lanes, topic, partition, store);
      this.#stores.set(store, reader);
    }
    return reader.current();
  }
}
