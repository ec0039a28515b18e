/**
 * Messages to a client (SPEC SU-3..SU-9), in their logical form. On a JSON socket and over SSE they are exactly this, with
 * updates as ReadableUpdate; on a MessagePack socket `snapshot`, `catchup` and `update` carry packed updates (SPEC PV-4).
 */
import * as v from 'valibot';
import { ERRORS, type ErrorCode } from '../errors.ts';

const integer = v.pipe(v.number(), v.integer());

export const welcomeSchema = v.object({
  type: v.literal('welcome'),
  protocol: integer,
  connection: v.string(),
  serverTimeMs: integer,
  conflateMs: v.number(),
  partitions: integer,
  limits: v.object({
    messageBytes: integer,
    messagesPer10s: integer,
    subscriptions: integer,
    symbolsPerMessage: integer,
  }),
});

/** Answers every change of subscriptions: the whole resulting set, and what was refused. All of a message is applied, or nothing. */
export const subscribedSchema = v.object({
  type: v.literal('subscribed'),
  id: integer,
  subscriptions: v.array(v.object({ channel: v.string(), symbols: v.array(v.string()) })),
  conflateMs: v.number(),
});

/**
 * The readable form of one update. Fields by name, decimals as strings at their full value; a state update holds the fields
 * that changed, a snapshot holds them all. `rows`: trades, oldest first, or bars by start. `hash`: rolling hash of a trades topic.
 */
export const readableUpdateSchema = v.object({
  channel: v.string(),
  symbol: v.string(),
  fields: v.optional(v.record(v.string(), v.nullable(v.union([v.string(), v.number()])))),
  rows: v.optional(v.array(v.record(v.string(), v.nullable(v.union([v.string(), v.number()]))))),
  hash: v.optional(integer),
});
export type ReadableUpdate = v.InferOutput<typeof readableUpdateSchema>;

const carried = {
  partition: integer,
  epoch: integer,
  seq: integer,
  timeMs: integer,
  updates: v.array(readableUpdateSchema),
};
/** Replaces what the client holds of the topics named. */
export const snapshotSchema = v.object({ type: v.literal('snapshot'), ...carried });
/** What happened in seqFrom..seq, as absolute states and the rows missed: the answer to a position that is still in the ring. */
export const catchupSchema = v.object({ type: v.literal('catchup'), seqFrom: integer, ...carried });
/** What happened in seqFrom..seq. */
export const updateSchema = v.object({ type: v.literal('update'), seqFrom: integer, ...carried });

/** Every 2 s and only behind the updates it speaks of. `checksum`: of the client's subscribed topics of the partition at `seq`. */
export const heartbeatSchema = v.object({
  type: v.literal('heartbeat'),
  serverTimeMs: integer,
  streams: v.array(v.object({ partition: integer, epoch: integer, seq: integer, checksum: integer })),
});
/** Nothing is sent for seqFrom..seq because the client was too slow; a snapshot follows. */
export const skipSchema = v.object({ type: v.literal('skip'), partition: integer, seqFrom: integer, seq: integer });
export const shutdownSchema = v.object({ type: v.literal('shutdown'), reconnectAfterMs: integer });
export const pongSchema = v.object({ type: v.literal('pong'), id: integer, serverTimeMs: integer });
export const errorSchema = v.object({
  type: v.literal('error'),
  id: v.optional(integer),
  code: v.picklist(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  message: v.string(),
  retryable: v.boolean(),
  retryAfterMs: v.optional(integer),
});

export const downSchema = v.variant('type', [
  welcomeSchema,
  subscribedSchema,
  snapshotSchema,
  catchupSchema,
  updateSchema,
  heartbeatSchema,
  skipSchema,
  shutdownSchema,
  pongSchema,
  errorSchema,
]);
export type Down = v.InferOutput<typeof downSchema>;
