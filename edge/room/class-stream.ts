/**
 * One partition as it is told to everybody of one conflation class: they all hold the same state at the same position, so that
 * a difference is encoded once for all of them (DESIGN §3.9, SPEC CF-3).
 */
import { baseTime, encodeBlock, type Block } from '#shared/protocol/codec.ts';
import { PendingDeltas } from '#shared/protocol/pending.ts';
import { readableUpdate } from '#shared/protocol/readable.ts';
import type { Header, PartitionState, StreamUpdate } from '#shared/protocol/state.ts';
import { topicKey, type TopicDelta } from '#shared/protocol/topic-state.ts';

/** What one window brought, encoded per topic in the forms that are wanted. */
export interface Flushed {
  header: Header;
  baseMs: number;
  /** By `channel|symbol`. Topics of which nothing differs any more are left out. */
  blocks: Map<string, Block>;
  /** JSON texts by `channel|symbol`. */
  texts: Map<string, string>;
  /** Topics that changed. */
  keys: string[];
}

export class ClassStream {
  /** What the receivers hold, once they have read everything sent. */
  state: PartitionState;
  readonly #pending = new PendingDeltas();

  constructor(head: PartitionState) {
    this.state = head.clone();
  }

  get waiting(): boolean {
    return this.#pending.size > 0;
  }

  add(update: StreamUpdate): void {
    for (const delta of update.topics) this.#pending.add(delta, update.seq);
  }

  /** Takes over another state, as if nothing had ever been sent. */
  restart(head: PartitionState): void {
    this.#pending.take();
    this.state = head.clone();
  }

  /** Closes the window at the position of `head`; undefined when nothing waited. */
  flush(head: PartitionState, nowMs: number, packed: boolean, readable: boolean): Flushed | undefined {
    const seqFrom = this.state.seq + 1;
    if (!this.waiting) {
      this.state.seq = Math.max(this.state.seq, head.seq);
      return undefined;
    }
    const topics = this.#pending.take().filter(({ info }) => head.topics.has(topicKey(info.channel, info.symbol)));
    const { partition, epoch } = this.state;
    const header: Header = { kind: 'update', partition, epoch, seqFrom, seq: head.seq, timeMs: head.timeMs };
    const flushed: Flushed = {
      header,
      baseMs: baseTime(topics, header.timeMs),
      blocks: new Map(),
      texts: new Map(),
      keys: [],
    };
    for (const delta of topics) this.#encode(delta, flushed, packed, readable);
    this.state.apply({ ...header, timeMs: nowMs, topics });
    return flushed;
  }

  #encode(delta: TopicDelta, flushed: Flushed, packed: boolean, readable: boolean): void {
    const key = topicKey(delta.info.channel, delta.info.symbol);
    const held = this.state.topics.get(key);
    flushed.keys.push(key);
    if (packed) {
      const block = encodeBlock('update', delta, held, flushed.baseMs);
      if (block !== undefined) flushed.blocks.set(key, block);
    }
    if (!readable) return;
    const update = readableUpdate(delta, held);
    if (update.rows !== undefined || Object.keys(update.fields ?? {}).length > 0)
      flushed.texts.set(key, JSON.stringify(update));
  }
}
