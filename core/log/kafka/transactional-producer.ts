/**
 * Transactions of one transactional id (KIP-98). The whole of a transaction is held here until its commit, so an abort before that
 * costs the broker nothing.
 *
 * A commit is decided by the EndTxn request alone. It is repeated until the broker answers, whatever happens to connections: for one
 * producer epoch the broker's answer is the same each time. After that, repeating it once more tells when the markers are written,
 * that is when every reader of committed records sees the transaction; `commit` resolves then.
 */
import { LogError } from '../log-error.ts';
import { appendRounds, type Append, type PartitionBatch } from './append-rounds.ts';
import type { Calls } from './calls.ts';
import { faultOf, FencedError } from './faults.ts';
import type { BrokerApi, TopicPartitions } from './broker-api.ts';
import { COORDINATOR, type Lanes } from './internals.ts';
import { produceRequest, type KafkaCodec } from './produce.ts';

export interface OffsetCommit {
  group: string;
  topic: string;
  partition: number;
  nextOffset: number;
}

export interface TransactionalProducerOptions {
  transactionalId: string;
  calls: Calls;
  /** How long the broker lets a transaction stand open before it gives it up, ms. */
  transactionTimeoutMs: number;
  codec: KafkaCodec;
  /** Bytes of the records of one partition that go into one batch. */
  batchBytes: number;
}

interface Identity {
  producerId: string;
  producerEpoch: number;
}

const PRODUCE_TIMEOUT_MS = 10_000;

export class TransactionalProducer {
  readonly #options: TransactionalProducerOptions;
  readonly #lanes: Lanes;
  readonly #sequences = new Map<string, number>();
  #identity: Identity | undefined;
  #lost: FencedError | undefined;

  constructor(options: TransactionalProducerOptions) {
    this.#options = options;
    this.#lanes = options.calls.wire.lanes();
  }

  /** Takes the id: whoever wrote under it before is fenced, and its open transaction is aborted when this resolves. */
  async fence(): Promise<void> {
    const { transactionalId, transactionTimeoutMs } = this.#options;
    const { producerId, producerEpoch } = await this.#coordinator((broker) =>
      broker.initProducerId({ transactionalId, transactionTimeout: transactionTimeoutMs }),
    );
    this.#identity = { producerId, producerEpoch };
    this.#sequences.clear();
    this.#lost = undefined;
  }

  /** Takes the id on first use only. Rejects with FencedError when it was lost: it must be taken with `fence` then. */
  async ready(): Promise<void> {
    if (this.#lost !== undefined) throw new FencedError(this.#options.transactionalId, this.#lost.cause);
    if (this.#identity === undefined) await this.fence();
  }

  async commit(appends: readonly Append[], offsets: readonly OffsetCommit[]): Promise<void> {
    if (appends.length === 0 && offsets.length === 0) return;
    await this.ready();
    try {
      await this.#write(appends, offsets);
    } catch (error) {
      throw await this.#giveUp(error);
    }
    try {
      await this.#end(true);
    } catch (error) {
      throw this.#lose(error);
    }
    // Decided. A fault from here on says only that somebody took the id meanwhile; the next transaction learns of it.
    await this.#end(true).catch(() => undefined);
  }

  close(): Promise<void> {
    return this.#lanes.close();
  }

  async #write(appends: readonly Append[], offsets: readonly OffsetCommit[]): Promise<void> {
    const producer = this.#producer();
    const topics = partitionsOf(appends);
    if (topics.length > 0) await this.#coordinator((broker) => broker.addPartitionsToTxn({ ...producer, topics }));
    const groups = Map.groupBy(offsets, ({ group }) => group);
    for (const groupId of groups.keys())
      await this.#coordinator((broker) => broker.addOffsetsToTxn({ ...producer, groupId }));
    const work = [this.#produce(appends), ...[...groups].map(([group, list]) => this.#commitOffsets(group, list))];
    await settleAll(work);
  }

  async #produce(appends: readonly Append[]): Promise<void> {
    const { calls, batchBytes } = this.#options;
    for (const round of appendRounds(appends, batchBytes)) {
      const groups = Map.groupBy(round, ({ topic, partition }) => calls.wire.leader(topic, partition));
      await settleAll([...groups.values()].map((batches) => this.#send(batches)));
      for (const { topic, partition, records } of round) {
        const key = `${topic}-${partition}`;
        this.#sequences.set(key, ((this.#sequences.get(key) ?? 0) + records.length) % 0x8000_0000);
      }
    }
  }

  /** Batches of one leader in one request; one by one once they have several. A batch that is sent twice is kept once. */
  async #send(batches: readonly PartitionBatch[]): Promise<void> {
    const { calls, codec } = this.#options;
    const request = produceRequest({
      ...this.#producer(),
      codec,
      timeoutMs: PRODUCE_TIMEOUT_MS,
      batches: batches.map(({ topic, partition, records }) => ({
        topic,
        partition,
        records,
        firstSequence: this.#sequences.get(`${topic}-${partition}`) ?? 0,
      })),
    });
    let split = false;
    const find = (): number => {
      const nodes = new Set(batches.map(({ topic, partition }) => calls.leaderOf(topic, partition)));
      split = nodes.size > 1;
      return [...nodes][0] as number;
    };
    await calls.repeat('produce', this.#lanes, find, async (_broker, node) => {
      if (!split) await this.#lanes.send(node, request);
    });
    if (split) await settleAll(batches.map((batch) => this.#send([batch])));
  }

  async #commitOffsets(groupId: string, offsets: readonly OffsetCommit[]): Promise<void> {
    const latest = new Map(offsets.map((offset) => [`${offset.topic}-${offset.partition}`, offset]));
    const topics = [...Map.groupBy(latest.values(), ({ topic }) => topic)].map(([topic, list]) => ({
      topic,
      partitions: list.map(({ partition, nextOffset }) => ({ partition, offset: String(nextOffset) })),
    }));
    await this.#options.calls.coordinator(this.#lanes, COORDINATOR.group, groupId, (broker) =>
      broker.txnOffsetCommit({ ...this.#producer(), groupId, topics }),
    );
  }

  #end(transactionResult: boolean): Promise<unknown> {
    return this.#coordinator((broker) => broker.endTxn({ ...this.#producer(), transactionResult }));
  }

  /** The error to reject with, once the transaction is aborted. */
  async #giveUp(error: unknown): Promise<unknown> {
    const fault = faultOf(error);
    if (fault === 'fenced') return this.#lose(error);
    if (!(error instanceof LogError && error.code === 'closed')) {
      try {
        await this.#end(false);
        await this.#end(false);
      } catch (second) {
        return this.#lose(second);
      }
    }
    // Which batches the broker counted is not known any more, so neither are the sequence numbers to go on with.
    this.#lost = new FencedError(this.#options.transactionalId, error);
    if (fault === 'too_large')
      return new LogError('too_large', 'A record is larger than its topic takes; nothing was committed.', error);
    return error;
  }

  #lose(error: unknown): unknown {
    if (faultOf(error) !== 'fenced') {
      this.#lost = new FencedError(this.#options.transactionalId, error);
      return error;
    }
    this.#lost = new FencedError(this.#options.transactionalId, error);
    return this.#lost;
  }

  #producer(): Identity & { transactionalId: string } {
    if (this.#identity === undefined) throw new FencedError(this.#options.transactionalId);
    return { transactionalId: this.#options.transactionalId, ...this.#identity };
  }

  #coordinator<T>(call: (broker: BrokerApi) => Promise<T>): Promise<T> {
    const { calls, transactionalId } = this.#options;
    return calls.coordinator(this.#lanes, COORDINATOR.transaction, transactionalId, call);
  }
}

/** Waits for all of them, then rejects with the first fault: nothing of ours is under way any more when an abort follows. */
async function settleAll(work: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(work)) if (outcome.status === 'rejected') throw outcome.reason;
}

function partitionsOf(appends: readonly Append[]): TopicPartitions[] {
  return [...Map.groupBy(appends, ({ topic }) => topic)].map(([topic, list]) => ({
    topic,
    partitions: [...new Set(list.map(({ partition }) => partition))],
  }));
}
