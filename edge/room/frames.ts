/** Messages as frames of the three ways in which a client listens (SPEC PV-3, PV-4, SU-8). */
import { encodeMessage, writeMessage, type Block } from '#shared/protocol/codec.ts';
import type { Down } from '#shared/protocol/down.ts';
import { packValue, PackWriter, type Packable } from '#shared/protocol/msgpack.ts';
import { readableMessage } from '#shared/protocol/readable.ts';
import type { StreamUpdate } from '#shared/protocol/state.ts';
import type { Flushed } from './class-stream.ts';
import type { TopicList } from './topic-list.ts';

/** `sse` is JSON in event-stream framing. */
export type Encoding = 'msgpack' | 'json' | 'sse';
export type Frame = Uint8Array | string;

/** Where a listener is, as the `id:` of an SSE event. */
export type Cursor = string;

export function controlFrame(encoding: Encoding, message: Down, cursor: Cursor): Frame {
  if (encoding === 'msgpack') return packValue(message as unknown as Packable);
  const text = JSON.stringify(message);
  return encoding === 'json' ? text : sseEvent(message.type, text, cursor);
}

/** A snapshot or a catchup: absolute, for one receiver. */
export function streamFrame(encoding: Encoding, update: StreamUpdate, cursor: Cursor): Frame {
  if (encoding === 'msgpack') return encodeMessage(update);
  const text = JSON.stringify(readableMessage(update));
  return encoding === 'json' ? text : sseEvent(update.kind, text, cursor);
}

/** A flush and the topics of it that a cohort is told, from `seqFrom` on. */
export interface Part {
  flushed: Flushed;
  seqFrom: number;
  topics: TopicList;
}

const writer = new PackWriter(65_536);

/** All partitions' updates for one cohort: one binary frame, or one text frame a partition. */
export function updateFrames(encoding: Encoding, parts: readonly Part[], cursor: Cursor): Frame[] {
  if (encoding !== 'msgpack') {
    return parts.map((part) => {
      const text = updateText(part);
      return encoding === 'json' ? text : sseEvent('update', text, cursor);
    });
  }
  writer.clear();
  for (const { flushed, seqFrom, topics } of parts) {
    const blocks: Block[] = [];
    for (const key of topics) {
      const block = flushed.blocks.get(key);
      if (block !== undefined) blocks.push(block);
    }
    writeMessage(writer, { ...flushed.header, seqFrom }, flushed.baseMs, blocks);
  }
  return [writer.take()];
}

function updateText({ flushed, seqFrom, topics }: Part): string {
  const { partition, epoch, seq, timeMs } = flushed.header;
  const head = JSON.stringify({ type: 'update', seqFrom, partition, epoch, seq, timeMs });
  const updates = topics.map((key) => flushed.texts.get(key)).filter((text) => text !== undefined);
  return `${head.slice(0, -1)},"updates":[${updates.join(',')}]}`;
}

export function sseEvent(type: string, data: string, cursor: Cursor): string {
  return `event: ${type}\n${cursor === '' ? '' : `id: ${cursor}\n`}data: ${data}\n\n`;
}

export interface CursorPart {
  partition: number;
  epoch: number;
  seq: number;
}

export function writeCursor(parts: readonly CursorPart[]): Cursor {
  return parts.map(({ partition, epoch, seq }) => `${partition}.${epoch}.${seq}`).join('~');
}

/** undefined when it is none of ours. */
export function readCursor(text: string): CursorPart[] | undefined {
  if (text === '' || text.length > 4_096) return undefined;
  const parts: CursorPart[] = [];
  for (const part of text.split('~')) {
    const match = /^(\d{1,5})\.(\d{1,15})\.(\d{1,15})$/.exec(part);
    if (match === null) return undefined;
    parts.push({ partition: Number(match[1]), epoch: Number(match[2]), seq: Number(match[3]) });
  }
  return parts;
}
