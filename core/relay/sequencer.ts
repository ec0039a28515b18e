/** Numbers every change of one partition and holds what a hub may come to lack (SPEC SQ-1, SQ-3, CF-2). */
import type { Position } from '#shared/position.ts';
import { PendingDeltas } from '#shared/protocol/pending.ts';
import { PartitionState, type StreamUpdate } from '#shared/protocol/state.ts';
import { SERVER_RETENTION, topicKey, type Row, type TopicInfo } from '#shared/protocol/topic-state.ts';
import { channelSpec, type Channel } from '#shared/protocol/channels.ts';
import { fits } from '#shared/protocol/relay.ts';
import { rescaleRow, type TopicScales } from '#shared/protocol/wire-value.ts';

export class Sequencer {
  /** What the last flush left: the truth that hubs are measured against. */
  readonly state: PartitionState;
  readonly #pending = new PendingDeltas();
  readonly #infos = new Map<string, TopicInfo>();
  #seq = 0;
  /** Rows that no packed form can carry; a defect of whoever made them. */
  refused = 0;

  constructor(partition: number, epoch: number, nowMs: number) {
    this.state = new PartitionState(partition, SERVER_RETENTION);
    this.state.apply({ kind: 'snapshot', partition, epoch, seqFrom: 0, seq: 0, timeMs: nowMs, topics: [] });
  }

  /** seq of the newest change, sent or not. */
  get seq(): number {
    return this.#seq;
  }

  publish(channel: Channel, symbol: string, scales: TopicScales, row: Row): void {
    if (!fits(channel, row)) {
      this.refused++;
      return;
    }
    const info = this.#describe(channel, symbol, scales);
    const moved = rescaleRow(channel, row, scales, info);
    const seqs = [++this.#seq];
    const { kind } = channelSpec(channel);
    this.#pending.add(
      kind === 'state' ? { info, reset: false, values: moved, seqs } : { info, reset: false, rows: [moved], seqs },
      this.#seq,
    );
  }

  /** Puts bars of the past behind what is known: a start that is held already stays as it is. */
  seedBar(channel: Channel, symbol: string, scales: TopicScales, row: Row): void {
    const held = this.state.topics.get(topicKey(channel, symbol));
    if (held?.bar(row[0] as number) === undefined) this.publish(channel, symbol, scales, row);
  }

  /** Closes the window: what changed in it, or undefined. */
  flush(nowMs: number): StreamUpdate | undefined {
    if (this.#pending.size === 0) return undefined;
    const { partition, epoch, seq } = this.state;
    const update: StreamUpdate = {
      kind: 'update',
      partition,
      epoch,
      seqFrom: seq + 1,
      seq: this.#seq,
      timeMs: nowMs,
      topics: this.#pending.take(),
    };
    this.state.apply(update);
    return update;
  }

  /** What a hub at `have` lacks; undefined when it lacks nothing. Call behind a flush. */
  owed(have: Position | undefined): StreamUpdate | undefined {
    if (have?.epoch === this.state.epoch && have.seq === this.state.seq) return undefined;
    return this.state.catchup(have) ?? this.state.snapshot(undefined, true);
  }

  /** Ids follow the order of first mention; scales only grow (SPEC MD-3). */
  #describe(channel: Channel, symbol: string, scales: TopicScales): TopicInfo {
    const key = topicKey(channel, symbol);
    const known = this.#infos.get(key);
    const priceScale = Math.max(known?.priceScale ?? 0, scales.priceScale);
    const sizeScale = Math.max(known?.sizeScale ?? 0, scales.sizeScale);
    if (known !== undefined && known.priceScale === priceScale && known.sizeScale === sizeScale) return known;
    const info: TopicInfo = { id: known?.id ?? this.#infos.size, channel, symbol, priceScale, sizeScale };
    this.#infos.set(key, info);
    return info;
  }
}
