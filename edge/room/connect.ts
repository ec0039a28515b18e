/** What a client says when it connects (SPEC PV-1, PV-3, SU-6, SU-8). */
import { LIMITS } from '#shared/limits.ts';
import type { Position } from '#shared/position.ts';
import { OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION } from '#shared/protocol/version.ts';
import { readCursor } from './frames.ts';
import { DEFAULT_CONFLATE_MS } from './room-core.ts';
import { topicProduct } from './topic-list.ts';

export type StreamRequest =
  | { ok: true; encoding: 'json' | 'msgpack'; conflateMs: number }
  | { ok: false; code: 'unsupported_version' | 'bad_request'; message: string };

export function readStreamRequest(query: URLSearchParams): StreamRequest {
  const version = Number(query.get('v') ?? PROTOCOL_VERSION);
  if (!(version >= OLDEST_PROTOCOL_VERSION && version <= PROTOCOL_VERSION && Number.isInteger(version))) {
    const message = `Served versions: ${OLDEST_PROTOCOL_VERSION} to ${PROTOCOL_VERSION}.`;
    return { ok: false, code: 'unsupported_version', message };
  }
  const encoding = query.get('encoding') ?? 'msgpack';
  if (encoding !== 'json' && encoding !== 'msgpack') {
    return { ok: false, code: 'bad_request', message: 'encoding is json or msgpack.' };
  }
  const conflateMs = readConflate(query);
  if (conflateMs === undefined)
    return { ok: false, code: 'bad_request', message: 'conflateMs is a number from 0 to 5000.' };
  return { ok: true, encoding, conflateMs };
}

export type SseRequest =
  | { ok: true; keys: string[]; conflateMs: number; positions: Map<number, Position> }
  | {
      ok: false;
      code: 'unknown_channel' | 'bad_request' | 'unsupported_version' | 'too_many_subscriptions';
      message: string;
    };

/** @param lastEventId the header of a client that comes back; one that is none of ours counts as none */
export function readSseRequest(query: URLSearchParams, lastEventId: string | null): SseRequest {
  const stream = readStreamRequest(new URLSearchParams([...query].filter(([name]) => name !== 'encoding')));
  if (!stream.ok) return stream;
  const list = (name: string): string[] => (query.get(name) ?? '').split(',').filter((item) => item !== '');
  const [channels, symbols] = [list('channels'), list('symbols')];
  if (channels.length === 0 || symbols.length === 0) {
    return { ok: false, code: 'bad_request', message: 'channels and symbols are needed, each a list with commas.' };
  }
  if (
    channels.length > 16 ||
    symbols.length > LIMITS.symbolsPerMessage ||
    channels.length * symbols.length > LIMITS.subscriptionsPerClient
  ) {
    return {
      ok: false,
      code: 'too_many_subscriptions',
      message: `At most ${LIMITS.subscriptionsPerClient} topics, ${LIMITS.symbolsPerMessage} symbols.`,
    };
  }
  const product = topicProduct(channels, symbols);
  if (!product.ok)
    return { ok: false, code: product.code === 'bad_message' ? 'bad_request' : product.code, message: product.message };
  const cursor = readCursor(lastEventId ?? query.get('lastEventId') ?? '') ?? [];
  const positions = new Map(cursor.map(({ partition, epoch, seq }) => [partition, { epoch, seq }]));
  return { ok: true, keys: product.keys, conflateMs: stream.conflateMs, positions };
}

function readConflate(query: URLSearchParams): number | undefined {
  const text = query.get('conflateMs');
  if (text === null || text === '') return DEFAULT_CONFLATE_MS;
  const conflateMs = Number(text);
  return conflateMs >= 0 && conflateMs <= 5_000 ? conflateMs : undefined;
}
