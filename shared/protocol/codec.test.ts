import fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { CHANNELS, channelSpec, type Channel, type WireValue } from '#shared/protocol/channels.ts';
import { encodeBlock, encodeMessage } from '#shared/protocol/codec.ts';
import { readableMessage } from '#shared/protocol/readable.ts';
import { StreamReceiver } from '#shared/protocol/receiver.ts';
import { LinkDecoder, LinkEncoder } from '#shared/protocol/relay.ts';
import { PartitionState, type StreamUpdate } from '#shared/protocol/state.ts';
import { SERVER_RETENTION, type Row, type TopicDelta, type TopicInfo } from '#shared/protocol/topic-state.ts';
import { TIMEFRAME_MS, type Timeframe } from '#shared/timeframes.ts';

const wireValue: fc.Arbitrary<WireValue> = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -200_000, max: 200_000 }) },
  { weight: 2, arbitrary: fc.maxSafeInteger() },
  { weight: 1, arbitrary: fc.bigInt({ min: 2n ** 53n, max: 2n ** 90n }).map(String) },
  { weight: 1, arbitrary: fc.constant(null) },
);

function rowOf(channel: Channel): fc.Arbitrary<Row> {
  const { kind, fields } = channelSpec(channel);
  const small = fc.integer({ min: 0, max: 2 });
  return fc.tuple(
    ...fields.map((field, i): fc.Arbitrary<WireValue> => {
      if (kind === 'bars' && i === 0) {
        const length = TIMEFRAME_MS[channel.slice('bars.'.length) as Timeframe];
        return fc.integer({ min: 0, max: 8 }).map((n) => 1_723_161_600_000 + n * length);
      }
      if (kind === 'events' && (i === 2 || i === 4)) return small;
      return field.name === 'eventMs'
        ? fc.integer({ min: 0, max: 300 }).map((ms) => 1_723_161_600_000 + ms)
        : wireValue;
    }),
  );
}

interface Change {
  channel: Channel;
  symbol: string;
  /** Growth of the scales before this change. */
  grow: number;
  row: Row;
}
const change: fc.Arbitrary<Change> = fc
  .record({
    channel: fc.constantFrom(...CHANNELS),
    symbol: fc.constantFrom('a:X', 'b:Y'),
    grow: fc.constantFrom(0, 0, 0, 0, 1),
  })
  .chain((c) => rowOf(c.channel).map((row) => ({ ...c, row })));

/** What a core does: numbers the changes and holds the truth. */
class Truth {
  readonly state = new PartitionState(3, SERVER_RETENTION);
  readonly #infos = new Map<string, TopicInfo>();

  constructor() {
    this.state.apply({ kind: 'snapshot', partition: 3, epoch: 9, seqFrom: 0, seq: 0, timeMs: 0, topics: [] });
  }

  /** One message for all of `changes`. */
  update(changes: readonly Change[]): StreamUpdate {
    const seqFrom = this.state.seq + 1;
    const topics = new Map<string, TopicDelta>();
    changes.forEach(({ channel, symbol, grow, row }, i) => {
      const key = `${channel}|${symbol}`;
      let info = this.#infos.get(key) ?? { id: this.#infos.size, channel, symbol, priceScale: 2, sizeScale: 0 };
      if (grow > 0 && info.priceScale < 6 && !topics.has(key)) info = { ...info, priceScale: info.priceScale + grow };
      this.#infos.set(key, info);
      const delta: TopicDelta = topics.get(key) ?? { info, reset: false };
      topics.set(key, delta);
      if (channelSpec(channel).kind === 'state') delta.values = row;
      else delta.rows = [...(delta.rows ?? []), row];
      delta.seqs = channelSpec(channel).kind === 'state' ? [seqFrom + i] : [...(delta.seqs ?? []), seqFrom + i];
    });
    return {
      kind: 'update',
      partition: 3,
      epoch: 9,
      seqFrom,
      seq: seqFrom + changes.length - 1,
      timeMs: 1_723_161_600_100,
      topics: [...topics.values()],
    };
  }
}

function content(state: PartitionState | undefined): unknown {
  if (state === undefined) return undefined;
  return [...state.topics.values()]
    .filter((t) => t.known)
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map((t) => [t.key, t.values, t.bars.map((b) => b.row), t.newestTrades(), t.hash]);
}

describe('packed stream', () => {
  it("PV-4 SQ-2 any stream, cut anywhere, gives receivers the sender's state and checksum", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(change, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 12 }),
        fc.nat(),
        (windows, joinSeed) => {
          const truth = new Truth();
          const early = new StreamReceiver();
          const late = new StreamReceiver();
          const json = new StreamReceiver();
          const linkSide = new LinkEncoder();
          const linkEnd = new LinkDecoder();
          const hub = truth.state.clone();
          const joinAt = joinSeed % windows.length;
          early.binary(encodeMessage(truth.state.snapshot()));
          json.text(JSON.stringify(readableMessage(truth.state.snapshot())));
          windows.forEach((changes, n) => {
            if (n === joinAt) late.binary(encodeMessage(truth.state.snapshot()));
            const update = truth.update(changes);
            const bytes = encodeMessage(update, truth.state);
            const text = JSON.stringify(readableMessage(update, truth.state));
            truth.state.apply(update);
            expect(early.binary(bytes)).toMatchObject([{ type: 'stream' }]);
            if (n >= joinAt) expect(late.binary(bytes)).toMatchObject([{ type: 'stream' }]);
            expect(json.text(text)).toMatchObject({ type: 'stream' });
            const link = linkEnd.read(linkSide.frame(update));
            expect(link).toEqual({ type: 'frame', request: 0, update });
            hub.apply(update);
          });
          for (const receiver of [early, late]) {
            expect(content(receiver.partitions.get(3))).toEqual(content(truth.state));
            expect(receiver.partitions.get(3)?.checksum()).toBe(truth.state.checksum());
          }
          expect(json.partitions.get(3)?.checksum()).toBe(truth.state.checksum());
          expect(hub.checksum()).toBe(truth.state.checksum());
        },
      ),
      { numRuns: 300 },
    );
  });

  it('SQ-3 SQ-5 a receiver that was away is brought up by a catchup', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(change, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 10 }),
        fc.nat(),
        (windows, seed) => {
          const truth = new Truth();
          const away = new StreamReceiver();
          const awayJson = new StreamReceiver();
          away.binary(encodeMessage(truth.state.snapshot()));
          awayJson.text(JSON.stringify(readableMessage(truth.state.snapshot())));
          const leaves = seed % windows.length;
          windows.forEach((changes, n) => {
            const update = truth.update(changes);
            if (n < leaves) {
              away.binary(encodeMessage(update, truth.state));
              awayJson.text(JSON.stringify(readableMessage(update, truth.state)));
            }
            truth.state.apply(update);
          });
          const have = away.positions()[0];
          const catchup = truth.state.catchup(have);
          expect(catchup).toBeDefined();
          if (catchup === undefined) return;
          expect(away.binary(encodeMessage(catchup))).toMatchObject([{ type: 'stream' }]);
          expect(content(away.partitions.get(3))).toEqual(content(truth.state));
          awayJson.text(JSON.stringify(readableMessage(catchup)));
          expect(awayJson.partitions.get(3)?.checksum()).toBe(truth.state.checksum());
        },
      ),
      { numRuns: 300 },
    );
  });

  it('PV-4 is plain MessagePack: a stock decoder reads it as one flat array', () => {
    const truth = new Truth();
    const update = truth.update([
      { channel: 'quotes', symbol: 'a:X', grow: 0, row: [6_183_763, 378_826, 6_183_764, null, 1_723_161_600_090] },
    ]);
    expect(new Unpackr().unpack(encodeMessage(update, truth.state))).toEqual([
      2,
      3,
      9,
      0,
      1,
      1_723_161_591_100,
      10,
      [0, 'quotes', 'a:X', 2, 0],
      0,
      23,
      6_183_763,
      378_826,
      6_183_764,
      0,
    ]);
  });

  it('PV-4 a quote that moved in one size costs four bytes', () => {
    const truth = new Truth();
    const first = truth.update([
      { channel: 'quotes', symbol: 'a:X', grow: 0, row: [6_183_763, 500, 6_183_764, 700, 1_723_161_600_090] },
    ]);
    truth.state.apply(first);
    const held = truth.state.topics.get('quotes|a:X');
    const second = truth.update([
      { channel: 'quotes', symbol: 'a:X', grow: 0, row: [6_183_763, 480, 6_183_764, 700, 1_723_161_600_095] },
    ]);
    const [delta] = second.topics;
    expect(delta && encodeBlock('update', delta, held, 1_723_161_600_100)?.bytes.length).toBe(4);
  });

  it('PV-5 hostile bytes never throw and are answered with a fault or a gap', () => {
    const truth = new Truth();
    const update = truth.update([{ channel: 'quotes', symbol: 'a:X', grow: 0, row: [1, 2, 3, 4, 5] }]);
    const whole = encodeMessage({ ...update, kind: 'snapshot' });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => {
            const bytes = whole.slice();
            bytes[at] = byte;
            return bytes;
          }),
          fc.nat(whole.length).map((n) => whole.slice(0, n)),
        ),
        (bytes) => {
          const receiver = new StreamReceiver();
          receiver.binary(bytes);
          receiver.binary(whole);
          receiver.binary(bytes);
          new LinkDecoder().read(bytes);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('PV-5 hostile text never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(new StreamReceiver().text(text).type).toBe('fault');
      }),
    );
  });

  it('SQ-2 updates out of order are told as gap and duplicate', () => {
    const truth = new Truth();
    const receiver = new StreamReceiver();
    receiver.binary(encodeMessage(truth.state.snapshot()));
    const row = (n: number): Change => ({ channel: 'quotes', symbol: 'a:X', grow: 0, row: [n, 2, 3, 4, 5] });
    const messages = [1, 2, 3].map((n) => {
      const update = truth.update([row(n)]);
      const bytes = encodeMessage(update, truth.state);
      truth.state.apply(update);
      return bytes;
    }) as [Uint8Array, Uint8Array, Uint8Array];
    expect(receiver.binary(messages[0])).toMatchObject([{ type: 'stream' }]);
    expect(receiver.binary(messages[0])).toEqual([{ type: 'duplicate', partition: 3 }]);
    expect(receiver.binary(messages[2])).toEqual([{ type: 'gap', partition: 3 }]);
    expect(receiver.binary(messages[1])).toMatchObject([{ type: 'stream' }]);
  });

  it('CK-1 a heartbeat finds a receiver whose state differs, and moves the position of one that agrees', () => {
    const truth = new Truth();
    const receiver = new StreamReceiver();
    receiver.binary(encodeMessage(truth.state.snapshot()));
    const update = truth.update([{ channel: 'quotes', symbol: 'a:X', grow: 0, row: [1, 2, 3, 4, 5] }]);
    receiver.binary(encodeMessage(update, truth.state));
    truth.state.apply(update);
    const stream = { partition: 3, epoch: 9, seq: 40, checksum: truth.state.checksum() };
    expect(receiver.verify({ type: 'heartbeat', serverTimeMs: 0, streams: [{ ...stream, checksum: 1 }] })).toEqual([3]);
    expect(receiver.verify({ type: 'heartbeat', serverTimeMs: 0, streams: [stream] })).toEqual([]);
    expect(receiver.positions()).toEqual([{ partition: 3, epoch: 9, seq: 40 }]);
  });
});
