/** JSON form of stream messages: fields by name, decimals at their full value (down.ts, ReadableUpdate). */
import type * as v from 'valibot';
import { channelSpec, isChannel, type Channel, type FieldSpec, type WireValue } from './channels.ts';
import type { catchupSchema, ReadableUpdate, snapshotSchema, updateSchema } from './down.ts';
import type { PartitionState, StreamUpdate } from './state.ts';
import { topicKey, type Row, type TopicDelta, type TopicInfo, type TopicState } from './topic-state.ts';
import {
  readDecimalText,
  readWireValue,
  rescaleWire,
  scaleOf,
  wireText,
  type ScaledInteger,
  type TopicScales,
} from './wire-value.ts';

export type ReadableMessage =
  | v.InferOutput<typeof snapshotSchema>
  | v.InferOutput<typeof catchupSchema>
  | v.InferOutput<typeof updateSchema>;
type ReadableFields = Record<string, string | number | null>;

/** One topic's part of a message; of a state in an update, the fields that differ from `held`. */
export function readableUpdate(delta: TopicDelta, held?: TopicState): ReadableUpdate {
  const { info } = delta;
  const { fields } = channelSpec(info.channel);
  const readable: ReadableUpdate = { channel: info.channel, symbol: info.symbol };
  const { values } = delta;
  if (values !== undefined) {
    const changed = held?.values === undefined ? undefined : rowFields(fields, held.values, held.info);
    const now = rowFields(fields, values, info);
    readable.fields =
      changed === undefined
        ? now
        : Object.fromEntries(Object.entries(now).filter(([name, value]) => changed[name] !== value));
  }
  if (delta.rows !== undefined) readable.rows = delta.rows.map((row) => rowFields(fields, row, info));
  if (delta.hash !== undefined && channelSpec(info.channel).kind === 'events') readable.hash = delta.hash;
  return readable;
}

/** A whole message; `held`: what its receiver holds (needed for updates only). */
export function readableMessage(update: StreamUpdate, held?: PartitionState): ReadableMessage {
  const { kind, seqFrom, topics, ...carried } = update;
  const updates = topics.map((delta) =>
    readableUpdate(
      delta,
      kind === 'update' ? held?.topics.get(topicKey(delta.info.channel, delta.info.symbol)) : undefined,
    ),
  );
  return kind === 'snapshot' ? { type: kind, ...carried, updates } : { type: kind, seqFrom, ...carried, updates };
}

/** The uniform form of a message; undefined when a channel or a value does not fit. */
export function readReadable(message: ReadableMessage, held: PartitionState | undefined): StreamUpdate | undefined {
  const { type: kind, partition, epoch, seq, timeMs } = message;
  const topics: TopicDelta[] = [];
  for (const update of message.updates) {
    const { channel } = update;
    if (!isChannel(channel)) return undefined;
    const before = held?.epoch === epoch ? held.topics.get(topicKey(channel, update.symbol)) : undefined;
    const delta = readUpdate(channel, update, kind === 'snapshot' ? undefined : before);
    if (delta === undefined) return undefined;
    topics.push({ ...delta, reset: kind === 'snapshot' });
  }
  return { kind, partition, epoch, seqFrom: message.type === 'snapshot' ? seq : message.seqFrom, seq, timeMs, topics };
}

function readUpdate(channel: Channel, update: ReadableUpdate, held: TopicState | undefined): TopicDelta | undefined {
  const { fields } = channelSpec(channel);
  const scales = { priceScale: held?.info.priceScale ?? 0, sizeScale: held?.info.sizeScale ?? 0 };
  const read = [...(update.fields === undefined ? [] : [update.fields]), ...(update.rows ?? [])].map((row) =>
    readFields(fields, row, scales),
  );
  if (read.includes(undefined)) return undefined;
  const info: TopicInfo =
    held !== undefined && held.info.priceScale === scales.priceScale && held.info.sizeScale === scales.sizeScale
      ? held.info
      : { id: held?.info.id ?? -1, channel, symbol: update.symbol, ...scales };
  const rows = (read as (ScaledInteger | undefined)[][]).map((row, n) =>
    row.map((field, i): WireValue => {
      const spec = fields[i] as FieldSpec;
      if (field !== undefined) return rescaleWire(field.value, field.decimals, scaleOf(spec.scale, info));
      if (n > 0 || update.fields === undefined || held?.values === undefined) return null;
      return rescaleWire(held.values[i] ?? null, scaleOf(spec.scale, held.info), scaleOf(spec.scale, info));
    }),
  );
  const delta: TopicDelta = { info, reset: false };
  const [first] = rows;
  if (update.fields !== undefined && first !== undefined) delta.values = first;
  if (update.rows !== undefined) delta.rows = update.fields === undefined ? rows : rows.slice(1);
  if (update.hash !== undefined) delta.hash = update.hash;
  return delta;
}

/** Fields in order; undefined entries were not told. Grows `scales` to what the texts need. */
function readFields(
  fields: readonly FieldSpec[],
  row: ReadableFields,
  scales: TopicScales,
): (ScaledInteger | undefined)[] | undefined {
  const read: (ScaledInteger | undefined)[] = [];
  for (const field of fields) {
    const told = row[field.name];
    const value = told === undefined ? undefined : readField(field, told);
    if (value === undefined && told !== undefined) return undefined;
    if (value !== undefined && value.value !== null) {
      if (field.scale === 'price') scales.priceScale = Math.max(scales.priceScale, value.decimals);
      else if (field.scale === 'size') scales.sizeScale = Math.max(scales.sizeScale, value.decimals);
      else if (value.decimals > field.scale) return undefined;
    }
    read.push(value);
  }
  return read;
}

function readField(field: FieldSpec, told: string | number | null): ScaledInteger | undefined {
  if (told === null) return { value: null, decimals: 0 };
  if (field.scale !== 0) return typeof told === 'string' ? readDecimalText(told) : undefined;
  const value = readWireValue(told);
  return value === undefined ? undefined : { value, decimals: 0 };
}

function rowFields(fields: readonly FieldSpec[], row: Row, scales: TopicScales): ReadableFields {
  const named: ReadableFields = {};
  fields.forEach((field, i) => {
    const value = row[i] ?? null;
    named[field.name] = value === null || field.scale === 0 ? value : wireText(value, scaleOf(field.scale, scales));
  });
  return named;
}
