/** Messages from a client: read, limited, and carried out (SPEC SU-2..SU-7, PV-5). */
import * as v from 'valibot';
import { CLOSE } from '#shared/errors.ts';
import { LIMITS } from '#shared/limits.ts';
import { unpackValue } from '#shared/protocol/msgpack.ts';
import { upSchema, type Up } from '#shared/protocol/up.ts';
import type { RoomCore } from './room-core.ts';
import type { Session } from './session.ts';
import { topicProduct } from './topic-list.ts';

/** @param data text is JSON, bytes are one MessagePack map */
export function receive(core: RoomCore, session: Session, data: string | Uint8Array): void {
  session.drain.heard(core.nowMs);
  const count = session.rate.count(core.nowMs);
  if (count > LIMITS.clientMessagesPer10s * 2) {
    session.sink.close(CLOSE.tooManyMessages, 'too many messages');
    core.leave(session);
    return;
  }
  if (count > LIMITS.clientMessagesPer10s) {
    const retryAfterMs = session.rate.retryAfterMs(core.nowMs);
    core.refuse(
      session,
      'rate_limited',
      `At most ${LIMITS.clientMessagesPer10s} messages in 10 s.`,
      undefined,
      retryAfterMs,
    );
    return;
  }
  if (data.length > LIMITS.clientMessageBytes) {
    core.refuse(session, 'too_large', `A message has at most ${LIMITS.clientMessageBytes} bytes.`);
    return;
  }
  const result = v.safeParse(upSchema, parse(data));
  if (result.success) carryOut(core, session, result.output);
  else core.refuse(session, 'bad_message', describe(result.issues[0]), requestId(parse(data)));
}

function carryOut(core: RoomCore, session: Session, message: Up): void {
  switch (message.type) {
    case 'ping':
      core.tell(session, { type: 'pong', id: message.id, serverTimeMs: core.nowMs });
      break;
    case 'conflate':
      core.conflate(session, message.conflateMs, message.id);
      break;
    case 'resync':
      core.resync(session, message.partition, message.reason);
      break;
    default: {
      const product = topicProduct(message.channels, message.symbols);
      if (!product.ok) core.refuse(session, product.code, product.message, message.id);
      else if (message.type === 'unsubscribe') core.unsubscribe(session, product.keys, message.id);
      else {
        const positions = new Map(message.positions?.map(({ partition, epoch, seq }) => [partition, { epoch, seq }]));
        core.subscribe(session, product.keys, positions, message.id);
      }
    }
  }
}

function parse(data: string | Uint8Array): unknown {
  if (typeof data !== 'string') return unpackValue(data);
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}

/** The request's id, where even a message that does not fit has one. */
function requestId(message: unknown): number | undefined {
  if (typeof message !== 'object' || message === null || !('id' in message)) return undefined;
  return Number.isSafeInteger(message.id) ? (message.id as number) : undefined;
}

function describe(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue);
  return path === null
    ? 'The message is none of subscribe, unsubscribe, conflate, resync, ping.'
    : `${path.slice(0, 64)} does not fit.`;
}
