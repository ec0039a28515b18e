/** Messages from a client (SPEC SU-2). JSON text or one MessagePack map in a binary frame. */
import * as v from 'valibot';
import { LIMITS } from '../limits.ts';

const requestId = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));
const channels = v.pipe(v.array(v.pipe(v.string(), v.maxLength(32))), v.minLength(1), v.maxLength(16));
const symbols = v.pipe(
  v.array(v.pipe(v.string(), v.maxLength(LIMITS.nameChars * 2 + 1))),
  v.minLength(1),
  v.maxLength(LIMITS.symbolsPerMessage),
);
const integer = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER));

export const positionSchema = v.strictObject({ partition: integer, epoch: integer, seq: integer });

export const subscribeSchema = v.strictObject({
  type: v.literal('subscribe'),
  id: requestId,
  channels,
  symbols,
  /** Where the client already is: it then gets what it missed instead of a snapshot, where that is still known. */
  positions: v.optional(v.pipe(v.array(positionSchema), v.maxLength(64))),
});
export const unsubscribeSchema = v.strictObject({ type: v.literal('unsubscribe'), id: requestId, channels, symbols });
export const conflateSchema = v.strictObject({
  type: v.literal('conflate'),
  id: requestId,
  conflateMs: v.pipe(v.number(), v.minValue(0), v.maxValue(5_000)),
});
/** The client's state of the partition is not to be trusted: send it anew. */
export const resyncSchema = v.strictObject({
  type: v.literal('resync'),
  id: requestId,
  partition: integer,
  reason: v.picklist(['gap', 'checksum']),
});
export const pingSchema = v.strictObject({ type: v.literal('ping'), id: requestId });

export const upSchema = v.variant('type', [
  subscribeSchema,
  unsubscribeSchema,
  conflateSchema,
  resyncSchema,
  pingSchema,
]);
export type Up = v.InferOutput<typeof upSchema>;
