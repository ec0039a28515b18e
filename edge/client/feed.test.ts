import { describe, expect, it } from 'vitest';
import { encodeMessage } from '#shared/protocol/codec.ts';
import { StreamReceiver } from '#shared/protocol/receiver.ts';
import { PartitionState } from '#shared/protocol/state.ts';
import { Feed, type FeedEffect, type FeedEvent, type FeedPhase } from './feed.ts';

const SYMBOL = 'simulated:ACME';
const INFO = { id: 1, channel: 'quotes' as const, symbol: SYMBOL, priceScale: 2, sizeScale: 0 };

function carried(
  kind: 'snapshot' | 'catchup' | 'update',
  seqFrom: number,
  seq: number,
  bid = 100,
  epoch = 1,
): FeedEvent {
  const values = [bid, 5, bid + 1, 7, 1_000];
  const update = {
    kind,
    partition: 0,
    epoch,
    seqFrom,
    seq,
    timeMs: 2_000,
    topics: [{ info: INFO, reset: kind === 'snapshot', values }],
  };
  return { type: 'binary', bytes: encodeMessage(update) };
}

function text(message: object): FeedEvent {
  return { type: 'text', text: JSON.stringify(message) };
}

const welcome = text({
  type: 'welcome',
  protocol: 1,
  connection: 'c1',
  serverTimeMs: 5_000,
  conflateMs: 50,
  partitions: 4,
  limits: { messageBytes: 16_384, messagesPer10s: 100, subscriptions: 1_000, symbolsPerMessage: 500 },
});
const subscribed = (id: number): FeedEvent =>
  text({ type: 'subscribed', id, subscriptions: [{ channel: 'quotes', symbols: [SYMBOL] }], conflateMs: 50 });
const heartbeat = (seq: number, checksum: number, epoch = 1): FeedEvent =>
  text({ type: 'heartbeat', serverTimeMs: 6_000, streams: [{ partition: 0, epoch, seq, checksum }] });
const skip = text({ type: 'skip', partition: 0, seqFrom: 11, seq: 12 });
const shutdown = text({ type: 'shutdown', reconnectAfterMs: 700 });
const subscribe: FeedEvent = { type: 'subscribe', channels: ['quotes'], symbols: [SYMBOL] };

function checksumAt(bid: number): number {
  const state = new PartitionState(0);
  state.apply({
    kind: 'snapshot',
    partition: 0,
    epoch: 1,
    seqFrom: 10,
    seq: 10,
    timeMs: 1,
    topics: [{ info: INFO, reset: true, values: [bid, 5, bid + 1, 7, 1_000] }],
  });
  return state.checksum();
}

/** A feed in the phase, with one topic at seq 10. */
function feedIn(phase: FeedPhase): Feed {
  const feed = new Feed(new StreamReceiver());
  const to = (...events: FeedEvent[]): void => events.forEach((event) => feed.handle(event));
  to(subscribe);
  if (phase === 'connecting') return feed;
  to(welcome, subscribed(1), carried('snapshot', 10, 10));
  if (phase === 'resyncing') to(carried('update', 12, 12));
  if (phase === 'closed') to({ type: 'close' });
  expect(feed.phase).toBe(phase);
  return feed;
}

function sent(effects: readonly FeedEffect[]): unknown[] {
  return effects.flatMap((effect) => (effect.type === 'send' ? [effect.message] : []));
}

/** Phase after the event, by phase before: no cell may be missing. */
const TABLE: Record<string, { event: FeedEvent; after: Record<FeedPhase, FeedPhase> }> = {
  welcome: {
    event: welcome,
    after: { connecting: 'connecting', live: 'resyncing', resyncing: 'resyncing', closed: 'closed' },
  },
  'the next update': {
    event: carried('update', 11, 11, 101),
    after: { connecting: 'connecting', live: 'live', resyncing: 'resyncing', closed: 'closed' },
  },
  'an old update': {
    event: carried('update', 9, 10),
    after: { connecting: 'connecting', live: 'live', resyncing: 'resyncing', closed: 'closed' },
  },
  'an update behind a gap': {
    event: carried('update', 13, 14),
    after: { connecting: 'connecting', live: 'resyncing', resyncing: 'resyncing', closed: 'closed' },
  },
  'an update of another epoch': {
    event: carried('update', 11, 11, 100, 2),
    after: { connecting: 'connecting', live: 'resyncing', resyncing: 'resyncing', closed: 'closed' },
  },
  'a snapshot': {
    event: carried('snapshot', 20, 20),
    after: { connecting: 'connecting', live: 'live', resyncing: 'live', closed: 'closed' },
  },
  'a right heartbeat': {
    event: heartbeat(10, checksumAt(100)),
    after: { connecting: 'connecting', live: 'live', resyncing: 'resyncing', closed: 'closed' },
  },
  'a wrong heartbeat': {
    event: heartbeat(10, 1),
    after: { connecting: 'connecting', live: 'resyncing', resyncing: 'resyncing', closed: 'closed' },
  },
  skip: {
    event: skip,
    after: { connecting: 'connecting', live: 'resyncing', resyncing: 'resyncing', closed: 'closed' },
  },
  shutdown: {
    event: shutdown,
    after: { connecting: 'connecting', live: 'connecting', resyncing: 'connecting', closed: 'closed' },
  },
  'lost, 1006': {
    event: { type: 'lost', closeCode: 1006 },
    after: { connecting: 'connecting', live: 'connecting', resyncing: 'connecting', closed: 'closed' },
  },
  'lost, 4001': {
    event: { type: 'lost', closeCode: 4001 },
    after: { connecting: 'connecting', live: 'connecting', resyncing: 'connecting', closed: 'closed' },
  },
  'lost, 4101': {
    event: { type: 'lost', closeCode: 4101 },
    after: { connecting: 'closed', live: 'closed', resyncing: 'closed', closed: 'closed' },
  },
  silent: {
    event: { type: 'silent' },
    after: { connecting: 'connecting', live: 'connecting', resyncing: 'connecting', closed: 'closed' },
  },
  close: {
    event: { type: 'close' },
    after: { connecting: 'closed', live: 'closed', resyncing: 'closed', closed: 'closed' },
  },
  garbage: {
    event: { type: 'binary', bytes: new Uint8Array([0xc1, 7]) },
    after: { connecting: 'connecting', live: 'live', resyncing: 'resyncing', closed: 'closed' },
  },
};

describe('feed phases', () => {
  for (const [name, { event, after }] of Object.entries(TABLE)) {
    for (const [before, expected] of Object.entries(after) as [FeedPhase, FeedPhase][]) {
      it(`SQ-2 ${before} ── ${name} ──► ${expected}`, () => {
        const feed = feedIn(before);
        feed.handle(event);
        expect(feed.phase).toBe(expected);
      });
    }
  }
});

describe('feed effects', () => {
  it('SU-2 asks for what is wanted only when welcomed, and again with positions after a loss', () => {
    const feed = new Feed(new StreamReceiver());
    expect(sent(feed.handle(subscribe))).toEqual([]);
    expect(sent(feed.handle(welcome))).toEqual([{ type: 'subscribe', id: 1, channels: ['quotes'], symbols: [SYMBOL] }]);
    feed.handle(subscribed(1));
    feed.handle(carried('snapshot', 10, 10));
    feed.handle({ type: 'lost', closeCode: 1006 });
    const [again] = sent(feed.handle(welcome));
    expect(again).toMatchObject({ type: 'subscribe', positions: [{ partition: 0, epoch: 1, seq: 10 }] });
    expect(feed.phase).toBe('connecting');
    feed.handle(subscribed(2));
    expect(feed.phase).toBe('resyncing');
    feed.handle(carried('catchup', 11, 12, 102));
    expect(feed.phase).toBe('live');
  });

  it('SQ-2 asks for one resync a gap, however many updates follow', () => {
    const feed = feedIn('live');
    expect(sent(feed.handle(carried('update', 12, 12)))).toMatchObject([
      { type: 'resync', partition: 0, reason: 'gap' },
    ]);
    expect(sent(feed.handle(carried('update', 13, 13)))).toEqual([]);
    expect(feed.counters.gaps).toBe(1);
  });

  it('CK-3 a wrong checksum asks for a resync and forbids to resume from the wrong state', () => {
    const feed = feedIn('live');
    expect(sent(feed.handle(heartbeat(10, 1)))).toMatchObject([{ type: 'resync', reason: 'checksum' }]);
    expect(feed.counters.checksumMismatches).toBe(1);
    feed.handle({ type: 'lost', closeCode: 1006 });
    expect(sent(feed.handle(welcome))).toEqual([{ type: 'subscribe', id: 3, channels: ['quotes'], symbols: [SYMBOL] }]);
  });

  it('CK-1 a right heartbeat moves the position, so that a later resume starts there', () => {
    const feed = feedIn('live');
    feed.handle(heartbeat(15, checksumAt(100)));
    expect(feed.counters.checksumMismatches).toBe(0);
    feed.handle({ type: 'lost', closeCode: 1006 });
    expect(sent(feed.handle(welcome))).toMatchObject([{ positions: [{ partition: 0, epoch: 1, seq: 15 }] }]);
  });

  it('ER-4 a shutdown names when to come back', () => {
    expect(feedIn('live').handle(shutdown)).toContainEqual({ type: 'reconnect', afterMs: 700 });
  });

  it('ER-1 a refused subscription is not asked for again; a retryable one is', () => {
    const feed = feedIn('live');
    feed.handle({ type: 'subscribe', channels: ['nonsense'], symbols: ['a:B'] });
    const refused = feed.handle(
      text({ type: 'error', id: 2, code: 'unknown_channel', message: 'no', retryable: false }),
    );
    expect(refused).toEqual([
      {
        type: 'refused',
        code: 'unknown_channel',
        message: 'no',
        groups: [{ channels: ['nonsense'], symbols: ['a:B'] }],
      },
    ]);
    feed.handle({ type: 'subscribe', channels: ['trades'], symbols: [SYMBOL] });
    const [retry] = feed.handle(
      text({ type: 'error', id: 3, code: 'rate_limited', message: 'slow down', retryable: true, retryAfterMs: 40 }),
    );
    expect(retry).toMatchObject({ type: 'retry', afterMs: 40 });
    if (retry?.type !== 'retry') throw new Error('no retry');
    expect(sent(feed.handle({ type: 'retry', message: retry.message }))).toMatchObject([
      { type: 'subscribe', id: 4, channels: ['trades'] },
    ]);
  });

  it('PV-5 hostile bytes and texts change nothing but a counter', () => {
    const feed = feedIn('live');
    for (const hostile of ['', '{', '[]', '{"type":"update"}', '{"type":"heartbeat","streams":7}', 'x'.repeat(100)]) {
      expect(feed.handle({ type: 'text', text: hostile })).toEqual([]);
    }
    expect(feed.counters.faults).toBe(6);
    expect(feed.phase).toBe('live');
  });
});
