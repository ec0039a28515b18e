/** The receiving end of a connection: all partitions' states, from frames of either encoding (SPEC SQ-2, CK-1, PV-5). */
import * as v from 'valibot';
import type { Position } from '../position.ts';
import { readBody, readHeader } from './codec.ts';
import { downSchema, type Down, type heartbeatSchema } from './down.ts';
import { PackFault, PackReader } from './msgpack.ts';
import { readReadable, type ReadableMessage } from './readable.ts';
import { PartitionState, type StreamUpdate } from './state.ts';

/** `control`: every message that is no stream message, validated. */
export type ControlMessage = Exclude<Down, ReadableMessage>;
export type Received =
  | { type: 'stream'; update: StreamUpdate }
  /** A stream message that was known already. */
  | { type: 'duplicate'; partition: number }
  /** Ask for a resync of the partition. */
  | { type: 'gap'; partition: number }
  | { type: 'control'; message: ControlMessage }
  | { type: 'fault'; detail: string };

export class StreamReceiver {
  readonly partitions = new Map<number, PartitionState>();

  /** Reads a binary frame. Never throws on bytes. */
  binary(bytes: Uint8Array): Received[] {
    const received: Received[] = [];
    const reader = new PackReader(bytes);
    try {
      while (reader.left > 0) received.push(reader.isArray() ? this.#packed(reader) : this.#control(reader.value()));
    } catch (error) {
      if (!(error instanceof PackFault)) throw error;
      received.push({ type: 'fault', detail: error.message });
    }
    return received;
  }

  /** Reads a text frame, or the data of an SSE event. Never throws on text. */
  text(text: string): Received {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      return { type: 'fault', detail: 'no JSON' };
    }
    return this.#control(parsed);
  }

  /** Partitions whose checksum differs from the heartbeat's; the others' positions move to it. `skip`: not to be judged now. */
  verify(heartbeat: v.InferOutput<typeof heartbeatSchema>, skip: ReadonlySet<number> = new Set()): number[] {
    const wrong: number[] = [];
    for (const stream of heartbeat.streams) {
      if (skip.has(stream.partition)) continue;
      const held = this.partitions.get(stream.partition);
      if (held === undefined || held.epoch !== stream.epoch || held.checksum() !== stream.checksum)
        wrong.push(stream.partition);
      else held.seq = Math.max(held.seq, stream.seq);
    }
    return wrong;
  }

  /** Forgets every topic (`channel|symbol`) that is not among `keys`. */
  retain(keys: ReadonlySet<string>): void {
    for (const held of this.partitions.values()) held.drop([...held.topics.keys()].filter((key) => !keys.has(key)));
  }

  /** Where this receiver is, for a resume. */
  positions(): (Position & { partition: number })[] {
    return [...this.partitions.values()]
      .filter((held) => held.epoch >= 0)
      .map(({ partition, epoch, seq }) => ({ partition, epoch, seq }));
  }

  #packed(reader: PackReader): Received {
    const head = readHeader(reader);
    const { partition } = head.header;
    const held = this.partitions.get(partition);
    const continuity = judge(held, head.header);
    if (continuity !== 'apply') {
      reader.skip(head.elements);
      return { type: continuity, partition };
    }
    const rest = reader.mark();
    try {
      return this.#apply(readBody(reader, head, held));
    } catch (error) {
      if (!(error instanceof PackFault)) throw error;
      reader.rewind(rest);
      reader.skip(head.elements);
      return { type: 'gap', partition };
    }
  }

  #control(value: unknown): Received {
    const result = v.safeParse(downSchema, value);
    if (!result.success) return { type: 'fault', detail: 'unknown message' };
    const message = result.output;
    if (message.type !== 'snapshot' && message.type !== 'catchup' && message.type !== 'update')
      return { type: 'control', message };
    const held = this.partitions.get(message.partition);
    const { partition, epoch, seq, timeMs } = message;
    const header = {
      kind: message.type,
      partition,
      epoch,
      seqFrom: message.type === 'snapshot' ? seq : message.seqFrom,
      seq,
      timeMs,
    };
    const continuity = judge(held, header);
    if (continuity !== 'apply') return { type: continuity, partition };
    const update = readReadable(message, held);
    return update === undefined ? { type: 'gap', partition } : this.#apply(update);
  }

  #apply(update: StreamUpdate): Received {
    let held = this.partitions.get(update.partition);
    if (held === undefined) {
      held = new PartitionState(update.partition);
      this.partitions.set(update.partition, held);
    }
    held.apply(update);
    return { type: 'stream', update };
  }
}

function judge(
  held: PartitionState | undefined,
  header: Parameters<PartitionState['judge']>[0],
): ReturnType<PartitionState['judge']> {
  return held === undefined ? (header.kind === 'snapshot' ? 'apply' : 'gap') : held.judge(header);
}
