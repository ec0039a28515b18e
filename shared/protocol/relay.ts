/**
 * Links inside the product: relay → hub → room. MessagePack arrays, absolute values. Receivers ignore message types and
 * trailing elements they do not know, so that both ends of a link may be of different releases for a while.
 *
 *   [0, version, epoch, seq]                                   hello: what the hub holds (epoch -1: nothing); asks for the rest
 *   [1, request, kind, partition, epoch, span, seq, timeMs, topics, deltas]       frame
 *   [2, request, epoch, seq, replace, add, remove]             interest of a room, by `channel|symbol`
 *   [3]                                                        the hub lost its state: say hello and interest again
 *
 *   topics  [id, channel, symbol, priceScale, sizeScale, …]: new to this link, or changed
 *   deltas  [[id, reset, values, rows, seqs, hash, floorSeq], …]; seqs as distance to seq; nil where absent
 */
import * as v from 'valibot';
import { MAX_DECIMALS } from '../decimal.ts';
import type { Position } from '../position.ts';
import { TIMEFRAME_MS, type Timeframe } from '../timeframes.ts';
import { channelSpec, CHANNELS, type Channel } from './channels.ts';
import { KINDS } from './codec.ts';
import { packValue, unpackValue, type Packable } from './msgpack.ts';
import type { StreamUpdate, UpdateKind } from './state.ts';
import type { Row, TopicDelta, TopicInfo } from './topic-state.ts';
import { readWireValue } from './wire-value.ts';

/** Version of the links; a newer peer may speak more, never differently. */
export const LINK_VERSION = 1;
const TYPE = { hello: 0, frame: 1, interest: 2, lost: 3 } as const;

export interface Hello {
  type: 'hello';
  version: number;
  position: Position | undefined;
}
/** `request`: the interest it answers, 0 when it answers none. */
export interface LinkFrame {
  type: 'frame';
  request: number;
  update: StreamUpdate;
}
/** `position`: where the room is with the topics it adds; undefined when they are new to it. */
export interface Interest {
  type: 'interest';
  request: number;
  position: Position | undefined;
  /** The list is the whole interest, not an addition. */
  replace: boolean;
  add: string[];
  remove: string[];
}
/** `undescribed`: a frame about topics that this end was never told, for it began later than the other. */
export type LinkMessage = Hello | LinkFrame | Interest | { type: 'lost' | 'unknown' | 'undescribed' };

const integer = v.pipe(v.number(), v.safeInteger());
const count = v.pipe(integer, v.minValue(0));
const epoch = v.pipe(integer, v.minValue(-1));
const wire = v.pipe(
  v.union([v.null(), v.number(), v.string()]),
  v.check((value) => readWireValue(value) !== undefined),
);
const row = v.pipe(v.array(wire), v.maxLength(32));
const keys = v.array(v.pipe(v.string(), v.maxLength(200)));

export const helloLinkSchema = v.looseTuple([v.literal(TYPE.hello), count, epoch, count]);
export const frameLinkSchema = v.looseTuple([
  v.literal(TYPE.frame),
  count,
  v.pipe(count, v.maxValue(KINDS.length - 1)),
  count,
  count,
  count,
  count,
  integer,
  v.array(v.union([count, v.string()])),
  v.array(
    v.looseTuple([
      count,
      v.boolean(),
      v.nullable(row),
      v.nullable(v.array(row)),
      v.nullable(v.array(count)),
      v.nullable(count),
      v.nullable(count),
    ]),
  ),
]);
export const interestLinkSchema = v.looseTuple([
  v.literal(TYPE.interest),
  count,
  epoch,
  count,
  v.boolean(),
  keys,
  keys,
]);

const topicSchema = v.tuple([
  count,
  v.picklist(CHANNELS),
  v.pipe(v.string(), v.maxLength(160)),
  v.pipe(count, v.maxValue(MAX_DECIMALS)),
  v.pipe(count, v.maxValue(MAX_DECIMALS)),
]);
const TOPIC_ELEMENTS = 5;

export function encodeHello(position: Position | undefined): Uint8Array {
  return packValue([TYPE.hello, LINK_VERSION, position?.epoch ?? -1, position?.seq ?? 0]);
}

export function encodeInterest(interest: Omit<Interest, 'type'>): Uint8Array {
  const { request, position, replace, add, remove } = interest;
  return packValue([TYPE.interest, request, position?.epoch ?? -1, position?.seq ?? 0, replace, add, remove]);
}

export function encodeLost(): Uint8Array {
  return packValue([TYPE.lost]);
}

/** The sending side of a link: knows which dictionary entries the other end has. */
export class LinkEncoder {
  #epoch = -1;
  readonly #told = new Map<number, TopicInfo>();

  frame(update: StreamUpdate, request = 0): Uint8Array {
    if (update.epoch !== this.#epoch) this.#told.clear();
    this.#epoch = update.epoch;
    const topics: Packable[] = [];
    for (const { info } of update.topics) {
      if (this.#told.get(info.id) === info) continue;
      this.#told.set(info.id, info);
      topics.push(info.id, info.channel, info.symbol, info.priceScale, info.sizeScale);
    }
    const { seq } = update;
    const deltas = update.topics.map((delta): Packable => [
      delta.info.id,
      delta.reset,
      delta.values ?? null,
      delta.rows ?? null,
      delta.seqs?.map((at) => Math.max(0, seq - at)) ?? null,
      delta.hash ?? null,
      delta.floorSeq ?? null,
    ]);
    const { kind, partition, seqFrom, timeMs } = update;
    return packValue([
      TYPE.frame,
      request,
      KINDS.indexOf(kind),
      partition,
      update.epoch,
      seq - seqFrom,
      seq,
      timeMs,
      topics,
      deltas,
    ]);
  }
}

/** The receiving side of a link. */
export class LinkDecoder {
  #epoch = -1;
  readonly #topics = new Map<number, TopicInfo>();

  /** undefined when the bytes are no link message; `unknown` for types of later releases. */
  read(bytes: Uint8Array): LinkMessage | undefined {
    const value = unpackValue(bytes);
    if (!Array.isArray(value)) return undefined;
    switch (value[0]) {
      case TYPE.hello: {
        const result = v.safeParse(helloLinkSchema, value);
        if (!result.success) return undefined;
        const [, version, at, seq] = result.output;
        return { type: 'hello', version, position: position(at, seq) };
      }
      case TYPE.interest: {
        const result = v.safeParse(interestLinkSchema, value);
        if (!result.success) return undefined;
        const [, request, at, seq, replace, add, remove] = result.output;
        return { type: 'interest', request, position: position(at, seq), replace, add, remove };
      }
      case TYPE.frame:
        return this.#frame(value);
      case TYPE.lost:
        return { type: 'lost' };
      default:
        return typeof value[0] === 'number' ? { type: 'unknown' } : undefined;
    }
  }

  #frame(value: unknown): LinkFrame | { type: 'undescribed' } | undefined {
    const result = v.safeParse(frameLinkSchema, value);
    if (!result.success) return undefined;
    const [, request, kind, partition, at, span, seq, timeMs, topics, deltas] = result.output;
    if (span > seq) return undefined;
    if (at !== this.#epoch) this.#topics.clear();
    this.#epoch = at;
    for (let i = 0; i < topics.length; i += TOPIC_ELEMENTS) {
      const entry = v.safeParse(topicSchema, topics.slice(i, i + TOPIC_ELEMENTS));
      if (!entry.success) return undefined;
      const [id, channel, symbol, priceScale, sizeScale] = entry.output;
      this.#topics.set(id, { id, channel, symbol, priceScale, sizeScale });
    }
    const update: StreamUpdate = {
      kind: KINDS[kind] as UpdateKind,
      partition,
      epoch: at,
      seqFrom: seq - span,
      seq,
      timeMs,
      topics: [],
    };
    for (const [id, reset, values, rows, seqs, hash, floorSeq] of deltas) {
      const info = this.#topics.get(id);
      if (info === undefined) return { type: 'undescribed' };
      if ((values !== null && !fits(info.channel, values)) || rows?.some((r) => !fits(info.channel, r)) === true)
        return undefined;
      if (rows !== null && seqs !== null && seqs.length !== rows.length) return undefined;
      const delta: TopicDelta = { info, reset };
      if (values !== null) delta.values = values;
      if (rows !== null) delta.rows = rows;
      if (seqs !== null) delta.seqs = seqs.map((distance) => Math.max(0, seq - distance));
      if (hash !== null) delta.hash = hash;
      if (floorSeq !== null) delta.floorSeq = floorSeq;
      update.topics.push(delta);
    }
    return { type: 'frame', request, update };
  }
}

/** Whether a row is one that the packed form can carry. */
export function fits(channel: Channel, values: Row): boolean {
  const spec = channelSpec(channel);
  if (values.length !== spec.fields.length) return false;
  if (spec.kind === 'bars') {
    const startMs = values[0];
    return typeof startMs === 'number' && startMs % TIMEFRAME_MS[channel.slice('bars.'.length) as Timeframe] === 0;
  }
  return spec.kind !== 'events' || (isSmall(values[2]) && isSmall(values[4]));
}

function isSmall(value: unknown): boolean {
  return value === 0 || value === 1 || value === 2;
}

function position(at: number, seq: number): Position | undefined {
  return at < 0 ? undefined : { epoch: at, seq };
}
