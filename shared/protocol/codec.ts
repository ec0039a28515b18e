/**
 * Packed form of snapshots, catchups and updates (SPEC PV-4). A binary frame holds one or more MessagePack values back to
 * back: arrays are stream messages in this layout, maps are all other messages (down.ts).
 *
 *   [kind, partition, epoch, span, seq, time, age, topics, block…]       one flat array
 *
 *   kind    0 snapshot, 1 catchup, 2 update
 *   span    seq - seqFrom
 *   time    timeMs - 1000·epoch: epochs are seconds, so that this is short
 *   age     timeMs - base, where base is the time that the blocks' `eventMs` are told against
 *   topics  [id, channel, symbol, priceScale, sizeScale, …] flat: topics that are new, or whose scales changed. Snapshots and
 *           catchups list every topic they carry. The differences of a listed topic are taken against nothing (0).
 *
 *   block of a state:   id, mask, then per set bit, from the lowest: the difference to the value held
 *                       `eventMs` is base - eventMs, or the difference to the value held where bit <number of fields> is set
 *   block of trades:    id, n, in snapshots the rolling hash, then n × (price difference to the row before, size,
 *                       side + 4·action, eventMs difference to the row before); the row before the first is the newest held
 *   block of bars:      id, n, then n × (start / length, as difference to the row before; the newest held stands before the
 *                       first; mask over the fields behind `startMs`; differences to the bar held with that start)
 *
 * A difference is an integer. nil: not known. A string: the value itself, in decimal, where no 2^53 - 1 holds the difference.
 */
import { TIMEFRAME_MS, type Timeframe } from '../timeframes.ts';
import { channelSpec, type Channel, type WireValue } from './channels.ts';
import { readTopics, TOPIC_ELEMENTS, writeTopic } from './codec-topics.ts';
import { PackFault, type PackReader, PackWriter } from './msgpack.ts';
import type { Header, PartitionState, StreamUpdate, UpdateKind } from './state.ts';
import type { Row, TopicDelta, TopicInfo, TopicState } from './topic-state.ts';
import { applyDifference, readWireValue, wireDifference } from './wire-value.ts';

export const KINDS: readonly UpdateKind[] = ['snapshot', 'catchup', 'update'];
const HEADER_ELEMENTS = 8;
const EPOCH_MS = 1_000;
/** Fields of a trades row, by place. */
const TRADE = { price: 0, size: 1, side: 2, eventMs: 3, action: 4 } as const;

/** One topic's part of a message, ready to be copied into any number of frames. */
export interface Block {
  bytes: Uint8Array;
  /** MessagePack elements in `bytes`. */
  elements: number;
  info: TopicInfo;
  /** Must stand in the message's `topics`. */
  listed: boolean;
}

/** The newest event time in a message's states, or its own time when there is none: what `eventMs` is told against. */
export function baseTime(deltas: Iterable<TopicDelta>, timeMs: number): number {
  let base = Number.NEGATIVE_INFINITY;
  for (const delta of deltas) {
    const at = timeField(delta.info.channel);
    const eventMs = at < 0 ? undefined : delta.values?.[at];
    if (typeof eventMs === 'number' && eventMs > base) base = eventMs;
  }
  return base === Number.NEGATIVE_INFINITY ? timeMs : base;
}

const scratch = new PackWriter(4_096);

/**
 * Encodes what happened to a topic for receivers that hold `held` (nothing, when left out or in another scale: the topic is
 * then listed). undefined when there is nothing to say.
 */
export function encodeBlock(
  kind: UpdateKind,
  delta: TopicDelta,
  held: TopicState | undefined,
  baseMs: number,
): Block | undefined {
  const listed = kind !== 'update' || held === undefined || !held.known || !sameEntry(held.info, delta.info);
  const before = listed ? undefined : held;
  scratch.clear();
  scratch.number(delta.info.id);
  const { kind: channelKind } = channelSpec(delta.info.channel);
  let elements: number;
  if (channelKind === 'state') elements = writeState(scratch, delta, before, baseMs);
  else if (channelKind === 'events') elements = writeTrades(scratch, kind, delta, before);
  else elements = writeBars(scratch, delta, before);
  if (elements === 0 && !listed) return undefined;
  return { bytes: elements === 0 ? new Uint8Array() : scratch.take(), elements, info: delta.info, listed };
}

/** Composes one message from blocks by copying their bytes. */
export function writeMessage(writer: PackWriter, header: Header, baseMs: number, blocks: readonly Block[]): void {
  let elements = HEADER_ELEMENTS;
  let listed = 0;
  for (const block of blocks) {
    elements += block.elements;
    if (block.listed) listed++;
  }
  writer.arrayHeader(elements);
  writer.number(KINDS.indexOf(header.kind));
  writer.number(header.partition);
  writer.number(header.epoch);
  writer.number(header.seq - header.seqFrom);
  writer.number(header.seq);
  writer.number(header.timeMs - header.epoch * EPOCH_MS);
  writer.number(header.timeMs - baseMs);
  writer.arrayHeader(listed * TOPIC_ELEMENTS);
  if (listed > 0) for (const block of blocks) if (block.listed) writeTopic(writer, block.info);
  for (const block of blocks) writer.raw(block.bytes);
}

/** A whole message for one receiver; `held` is what it holds (needed for updates only). */
export function encodeMessage(update: StreamUpdate, held?: PartitionState): Uint8Array {
  const baseMs = baseTime(update.topics, update.timeMs);
  const blocks: Block[] = [];
  for (const delta of update.topics) {
    const block = encodeBlock(
      update.kind,
      delta,
      held?.topics.get(`${delta.info.channel}|${delta.info.symbol}`),
      baseMs,
    );
    if (block !== undefined) blocks.push(block);
  }
  const writer = new PackWriter(1_024);
  writeMessage(writer, update, baseMs, blocks);
  return writer.take();
}

/** The message's head, and how many elements follow it. Throws a PackFault on anything else. */
export function readHeader(reader: PackReader): { header: Header; ageMs: number; elements: number } {
  const elements = reader.arrayHeader() - (HEADER_ELEMENTS - 1);
  if (elements < 1) throw new PackFault('no stream message');
  const kind = KINDS[reader.count(KINDS.length - 1)] as UpdateKind;
  const partition = reader.count(0xffff);
  const epoch = reader.count(Number.MAX_SAFE_INTEGER);
  const span = reader.count(Number.MAX_SAFE_INTEGER);
  const seq = reader.count(Number.MAX_SAFE_INTEGER);
  if (span > seq) throw new PackFault('out of bounds');
  const timeMs = safe(reader.integer() + epoch * EPOCH_MS);
  return { header: { kind, partition, epoch, seqFrom: seq - span, seq, timeMs }, ageMs: reader.integer(), elements };
}

/**
 * The rest of a message behind its head, resolved against what the receiver holds.
 * Throws a PackFault when it does not fit, also when it speaks of what the receiver does not hold.
 */
export function readBody(
  reader: PackReader,
  head: ReturnType<typeof readHeader>,
  held: PartitionState | undefined,
): StreamUpdate {
  const { header } = head;
  const baseMs = header.timeMs - head.ageMs;
  const listed = readTopics(reader);
  const sameEpoch = held?.epoch === header.epoch;
  const topics: TopicDelta[] = [];
  const told = new Set<TopicInfo>();
  let left = head.elements - 1;
  while (left > 0) {
    const id = reader.count(Number.MAX_SAFE_INTEGER);
    const info = listed.get(id);
    const before = info === undefined && sameEpoch ? held.byId(id) : undefined;
    const entry = info ?? before?.info;
    if (entry === undefined) throw new PackFault('unknown topic');
    const { delta, elements } = readBlock(reader, header.kind, entry, before, baseMs);
    topics.push(delta);
    told.add(entry);
    left -= elements + 1;
  }
  if (left < 0) throw new PackFault('elements do not add up');
  for (const info of listed.values()) if (!told.has(info)) topics.push({ info, reset: header.kind === 'snapshot' });
  return { ...header, topics };
}

interface ReadBlock {
  delta: TopicDelta;
  /** Behind the id. */
  elements: number;
}

function readBlock(
  reader: PackReader,
  kind: UpdateKind,
  info: TopicInfo,
  held: TopicState | undefined,
  baseMs: number,
): ReadBlock {
  const delta: TopicDelta = { info, reset: kind === 'snapshot' };
  const { kind: channelKind } = channelSpec(info.channel);
  if (channelKind === 'state') return readState(reader, delta, held, baseMs);
  return channelKind === 'events' ? readTrades(reader, kind, delta, held) : readBars(reader, delta, held);
}

// states

function timeField(channel: Channel): number {
  return TIME_FIELDS.get(channel) ?? findTimeField(channel);
}
const TIME_FIELDS = new Map<Channel, number>();
function findTimeField(channel: Channel): number {
  const spec = channelSpec(channel);
  const at = spec.kind === 'state' ? spec.fields.findIndex((field) => field.name === 'eventMs') : -1;
  TIME_FIELDS.set(channel, at);
  return at;
}

function writeState(writer: PackWriter, delta: TopicDelta, held: TopicState | undefined, baseMs: number): number {
  const { values } = delta;
  if (values === undefined) return 0;
  const timeAt = timeField(delta.info.channel);
  let mask = 0;
  let changed = 0;
  for (let i = 0; i < values.length; i++) {
    if ((values[i] ?? null) === (held?.values?.[i] ?? null)) continue;
    mask |= 1 << i;
    changed++;
  }
  if (mask === 0 && held !== undefined) return 0;
  const time = values[timeAt];
  const byHeld = wireDifference(held?.values?.[timeAt] ?? null, time ?? null);
  const byBase = typeof time === 'number' ? baseMs - time : byHeld;
  const fromHeld = timeAt < 0 || packedBytes(byHeld) < packedBytes(byBase) || typeof time !== 'number';
  if (fromHeld && timeAt >= 0 && (mask & (1 << timeAt)) !== 0) mask |= 1 << values.length;
  writer.number(mask);
  for (let i = 0; i < values.length; i++) {
    if ((mask & (1 << i)) === 0) continue;
    if (i === timeAt && !fromHeld) writeWire(writer, byBase);
    else writeWire(writer, wireDifference(held?.values?.[i] ?? null, values[i] ?? null));
  }
  return 2 + changed;
}

function readState(reader: PackReader, delta: TopicDelta, held: TopicState | undefined, baseMs: number): ReadBlock {
  const { fields } = channelSpec(delta.info.channel);
  const timeAt = timeField(delta.info.channel);
  const mask = reader.count(2 ** (fields.length + 1) - 1);
  const fromHeld = (mask & (1 << fields.length)) !== 0;
  const values: WireValue[] = fields.map((_, i) => held?.values?.[i] ?? null);
  let elements = 1;
  for (let i = 0; i < fields.length; i++) {
    if ((mask & (1 << i)) === 0) continue;
    elements++;
    const difference = reader.value();
    if (i === timeAt && !fromHeld) values[i] = safe(baseMs - number(difference));
    else values[i] = sum(values[i] ?? null, difference);
  }
  delta.values = values;
  return { delta, elements };
}

// trades

function writeTrades(writer: PackWriter, kind: UpdateKind, delta: TopicDelta, held: TopicState | undefined): number {
  const rows = delta.rows ?? [];
  if (rows.length === 0 && kind !== 'snapshot') return 0;
  writer.number(rows.length);
  if (kind === 'snapshot') writer.number(delta.hash ?? 0);
  let before: Row | undefined = held?.trades.at(-1)?.row;
  for (const row of rows) {
    writeWire(writer, wireDifference(before?.[TRADE.price] ?? null, row[TRADE.price] ?? null));
    writeWire(writer, row[TRADE.size] ?? null);
    writer.number(Number(row[TRADE.side] ?? 0) + 4 * Number(row[TRADE.action] ?? 0));
    writeWire(writer, wireDifference(before?.[TRADE.eventMs] ?? null, row[TRADE.eventMs] ?? null));
    before = row;
  }
  return 2 + (kind === 'snapshot' ? 1 : 0) + rows.length * 4;
}

function readTrades(reader: PackReader, kind: UpdateKind, delta: TopicDelta, held: TopicState | undefined): ReadBlock {
  const count = reader.count(reader.left);
  if (kind === 'snapshot') delta.hash = reader.count(0xffffffff);
  let before: Row | undefined = held?.trades.at(-1)?.row;
  const rows: Row[] = [];
  for (let i = 0; i < count; i++) {
    const price = sum(before?.[TRADE.price] ?? null, reader.value());
    const size = readWireValue(reader.value());
    if (size === undefined) throw new PackFault('no value');
    const flags = reader.count(15);
    const eventMs = sum(before?.[TRADE.eventMs] ?? null, reader.value());
    before = [price, size, flags & 3, eventMs, flags >> 2];
    rows.push(before);
  }
  delta.rows = rows;
  return { delta, elements: 1 + (kind === 'snapshot' ? 1 : 0) + count * 4 };
}

// bars

function barLength(channel: Channel): number {
  return TIMEFRAME_MS[channel.slice('bars.'.length) as Timeframe];
}

function writeBars(writer: PackWriter, delta: TopicDelta, held: TopicState | undefined): number {
  const rows = delta.rows ?? [];
  if (rows.length === 0) return 0;
  const length = barLength(delta.info.channel);
  let elements = 2;
  let startBefore = held?.bars.at(-1)?.startMs ?? 0;
  const earlier = new Map<number, Row>();
  writer.number(rows.length);
  for (const row of rows) {
    const startMs = row[0] as number;
    const before = earlier.get(startMs) ?? held?.bar(startMs);
    writer.number((startMs - startBefore) / length);
    let mask = 0;
    for (let i = 1; i < row.length; i++) if ((row[i] ?? null) !== (before?.[i] ?? null)) mask |= 1 << (i - 1);
    writer.number(mask);
    elements += 2;
    for (let i = 1; i < row.length; i++) {
      if ((mask & (1 << (i - 1))) === 0) continue;
      writeWire(writer, wireDifference(before?.[i] ?? null, row[i] ?? null));
      elements++;
    }
    earlier.set(startMs, row);
    startBefore = startMs;
  }
  return elements;
}

function readBars(reader: PackReader, delta: TopicDelta, held: TopicState | undefined): ReadBlock {
  const { fields } = channelSpec(delta.info.channel);
  const length = barLength(delta.info.channel);
  const count = reader.count(reader.left);
  let elements = 1;
  let startMs = held?.bars.at(-1)?.startMs ?? 0;
  const earlier = new Map<number, Row>();
  const rows: Row[] = [];
  for (let n = 0; n < count; n++) {
    startMs = safe(startMs + number(reader.value()) * length);
    const before = earlier.get(startMs) ?? held?.bar(startMs);
    const mask = reader.count(2 ** (fields.length - 1) - 1);
    elements += 2;
    const row: WireValue[] = [startMs];
    for (let i = 1; i < fields.length; i++) {
      const value = before?.[i] ?? null;
      if ((mask & (1 << (i - 1))) === 0) row.push(value);
      else {
        row.push(sum(value, reader.value()));
        elements++;
      }
    }
    earlier.set(startMs, row);
    rows.push(row);
  }
  delta.rows = rows;
  return { delta, elements };
}

// values

function sameEntry(a: TopicInfo, b: TopicInfo): boolean {
  return a === b || (a.id === b.id && a.priceScale === b.priceScale && a.sizeScale === b.sizeScale);
}

function writeWire(writer: PackWriter, value: WireValue): void {
  if (value === null) writer.nil();
  else if (typeof value === 'number') writer.number(value);
  else writer.string(value);
}

function sum(before: WireValue, difference: unknown): WireValue {
  const value = applyDifference(before, difference);
  if (value === undefined) throw new PackFault('no value');
  return value;
}

function number(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new PackFault('no integer');
  return value;
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new PackFault('out of bounds');
  return value;
}

function packedBytes(value: WireValue): number {
  if (typeof value !== 'number') return 9;
  if (value >= -32 && value < 0x80) return 1;
  if (value >= -0x80 && value < 0x100) return 2;
  if (value >= -0x8000 && value < 0x10000) return 3;
  return value >= -0x80000000 && value <= 0xffffffff ? 5 : 9;
}
