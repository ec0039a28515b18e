/** What is held of one partition, and what is owed to one who holds less (SPEC SQ-2, SQ-3). Shared by all tiers. */
import { resumeFrom, type Continuity, type Position } from '../position.ts';
import { CLIENT_RETENTION, SNAPSHOT_TRADES, TopicState, type Retention, type TopicDelta } from './topic-state.ts';

export type UpdateKind = 'snapshot' | 'catchup' | 'update';

/** One message of a partition's stream, in the uniform form that JSON and MessagePack decode to. */
export interface StreamUpdate {
  kind: UpdateKind;
  partition: number;
  epoch: number;
  /** The message stands for seqFrom..seq. */
  seqFrom: number;
  seq: number;
  /** When its sender's window closed, ms. */
  timeMs: number;
  topics: TopicDelta[];
}

export type Header = Omit<StreamUpdate, 'topics'>;

export class PartitionState {
  readonly partition: number;
  /** By `channel|symbol`. */
  readonly topics = new Map<string, TopicState>();
  epoch = -1;
  seq = 0;
  timeMs = 0;
  readonly #byId = new Map<number, TopicState>();
  readonly #retention: Retention;

  constructor(partition: number, retention: Retention = CLIENT_RETENTION) {
    this.partition = partition;
    this.#retention = retention;
  }

  /** undefined before the first message. */
  position(): Position | undefined {
    return this.epoch < 0 ? undefined : { epoch: this.epoch, seq: this.seq };
  }

  byId(id: number): TopicState | undefined {
    return this.#byId.get(id);
  }

  /**
   * What to do with a message. Snapshots and catchups answer a request and are taken as they are, a catchup only in the
   * epoch it continues.
   */
  judge(header: Header): Continuity {
    if (header.kind === 'snapshot') return 'apply';
    if (this.epoch !== header.epoch) return 'gap';
    if (header.kind === 'catchup') return 'apply';
    if (header.seq <= this.seq) return 'duplicate';
    return header.seqFrom <= this.seq + 1 ? 'apply' : 'gap';
  }

  /** Applies a message that was judged to be applied. */
  apply(update: StreamUpdate): void {
    // A snapshot from a sender that is behind: what it does not know yet is not to stay, its rows will come again.
    const back = update.kind === 'snapshot' && update.seq < this.seq;
    if (update.epoch !== this.epoch || back) this.#begin(update.epoch);
    this.seq = update.seq;
    this.timeMs = update.timeMs;
    for (const delta of update.topics) this.#topic(delta).apply(delta, update.seq, update.timeMs, this.#retention);
  }

  /** Forgets topics that are wanted no longer. */
  drop(keys: Iterable<string>): void {
    for (const key of keys) {
      const topic = this.topics.get(key);
      if (topic === undefined) continue;
      this.topics.delete(key);
      this.#byId.delete(topic.info.id);
    }
  }

  /** Sum of the topics' hashes modulo 2^32 (SPEC CK-2), of all topics held or of those named. */
  checksum(keys: Iterable<string> = this.topics.keys()): number {
    let sum = 0;
    for (const key of keys) sum = (sum + (this.topics.get(key)?.checksum() ?? 0)) >>> 0;
    return sum;
  }

  /** An equal state of its own; rows are shared, they never change. */
  clone(): PartitionState {
    const copy = new PartitionState(this.partition, this.#retention);
    copy.epoch = this.epoch;
    copy.seq = this.seq;
    copy.timeMs = this.timeMs;
    for (const topic of this.topics.values()) copy.#keep(topic.clone());
    return copy;
  }

  /** Everything held of the topics named (of all, when left out). `history`: with all the trades that are kept. */
  snapshot(keys: Iterable<string> = this.topics.keys(), history = false): StreamUpdate {
    const topics: TopicDelta[] = [];
    for (const key of keys) {
      const topic = this.topics.get(key);
      if (topic !== undefined) topics.push(snapshotDelta(topic, history));
    }
    return this.#message('snapshot', this.seq, topics);
  }

  /**
   * What happened behind `have` to the topics named; undefined when that is not known any more, and a snapshot is due.
   * States and bars come as they are now, trades row by row.
   */
  catchup(have: Position | undefined, keys: readonly string[] = [...this.topics.keys()]): StreamUpdate | undefined {
    const now = this.position();
    if (have === undefined || now === undefined) return undefined;
    let ringStart = 0;
    for (const key of keys) ringStart = Math.max(ringStart, this.topics.get(key)?.floorSeq ?? 0);
    if (resumeFrom(have, now, ringStart) === 'snapshot') return undefined;
    const topics: TopicDelta[] = [];
    for (const key of keys) {
      const topic = this.topics.get(key);
      if (topic !== undefined && topic.changedSeq > have.seq) topics.push(catchupDelta(topic, have.seq));
    }
    return this.#message('catchup', Math.min(have.seq + 1, this.seq), topics);
  }

  #message(kind: UpdateKind, seqFrom: number, topics: TopicDelta[]): StreamUpdate {
    return { kind, partition: this.partition, epoch: this.epoch, seqFrom, seq: this.seq, timeMs: this.timeMs, topics };
  }

  #begin(epoch: number): void {
    this.topics.clear();
    this.#byId.clear();
    this.epoch = epoch;
  }

  #topic(delta: TopicDelta): TopicState {
    const key = `${delta.info.channel}|${delta.info.symbol}`;
    const held = this.topics.get(key);
    if (held !== undefined) {
      if (held.info.id !== delta.info.id) {
        this.#byId.delete(held.info.id);
        this.#byId.set(delta.info.id, held);
      }
      return held;
    }
    return this.#keep(new TopicState(delta.info));
  }

  #keep(topic: TopicState): TopicState {
    this.topics.set(topic.key, topic);
    this.#byId.set(topic.info.id, topic);
    return topic;
  }
}

function snapshotDelta(topic: TopicState, history: boolean): TopicDelta {
  const delta: TopicDelta = { info: topic.info, reset: true };
  if (topic.kind === 'state') {
    if (topic.values !== undefined) delta.values = topic.values;
    delta.seqs = [topic.changedSeq];
  } else if (topic.kind === 'bars') {
    delta.rows = topic.bars.map((bar) => bar.row);
    delta.seqs = topic.bars.map((bar) => bar.seq);
  } else {
    const entries = history ? topic.trades : topic.trades.slice(-SNAPSHOT_TRADES);
    delta.rows = entries.map((entry) => entry.row);
    delta.seqs = entries.map((entry) => entry.seq);
    delta.hash = topic.hash;
    delta.floorSeq =
      history || entries.length === topic.trades.length
        ? topic.floorSeq
        : (topic.trades.at(-SNAPSHOT_TRADES - 1)?.seq ?? 0);
  }
  return delta;
}

function catchupDelta(topic: TopicState, haveSeq: number): TopicDelta {
  const delta: TopicDelta = { info: topic.info, reset: false };
  if (topic.kind === 'state') {
    if (topic.values !== undefined) delta.values = topic.values;
    delta.seqs = [topic.changedSeq];
  } else {
    const entries = (topic.kind === 'bars' ? topic.bars : topic.trades).filter((entry) => entry.seq > haveSeq);
    delta.rows = entries.map((entry) => entry.row);
    delta.seqs = entries.map((entry) => entry.seq);
  }
  return delta;
}

/** What of a link's catchup lies behind `seq`: who asked twice from one position is answered twice. */
export function missedBehind(update: StreamUpdate, seq: number): StreamUpdate {
  if (update.seq <= seq) return { ...update, topics: [] };
  const topics = update.topics.map((delta) => {
    if (delta.rows === undefined || delta.seqs === undefined) return delta;
    const { rows, seqs } = delta;
    return { ...delta, rows: rows.filter((_, i) => (seqs[i] ?? 0) > seq), seqs: seqs.filter((at) => at > seq) };
  });
  return { ...update, seqFrom: Math.max(update.seqFrom, seq + 1), topics };
}
