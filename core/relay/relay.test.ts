import { describe, expect, it } from 'vitest';
import type { Bar } from '#shared/bars.ts';
import { encodeHello, LinkDecoder, type LinkFrame } from '#shared/protocol/relay.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { silentLogger } from '../ops/logger.ts';
import { nextEpoch } from './epoch.ts';
import type { LinkEvents } from './hub-link.ts';
import { createRelay, type Relay } from './relay.ts';

/** A hub that is told by the test what to do. */
class FakeHub {
  events: LinkEvents | undefined;
  decoder = new LinkDecoder();
  readonly frames: LinkFrame['update'][] = [];
  bufferedAmount = 0;
  dials = 0;

  readonly dial = (
    events: LinkEvents,
  ): { bufferedAmount: number; send(data: string | Uint8Array): void; close(): void } => {
    this.dials++;
    this.events = events;
    this.decoder = new LinkDecoder();
    const amount = (): number => this.bufferedAmount;
    return {
      get bufferedAmount() {
        return amount();
      },
      send: (data) => {
        const message = typeof data === 'string' ? undefined : this.decoder.read(data);
        if (message?.type === 'frame') this.frames.push(message.update);
      },
      close() {},
    };
  };

  hello(position?: { epoch: number; seq: number }): void {
    this.events?.open();
    this.events?.message(encodeHello(position));
  }
}

function setUp(): { clock: ManualClock; hub: FakeHub; relay: Relay } {
  const clock = new ManualClock();
  const hub = new FakeHub();
  const relay = createRelay({
    edgeUrl: 'http://edge',
    secret: 's',
    partitions: 1,
    epoch: 9,
    clock,
    logger: silentLogger,
    windowMs: 20,
    random: () => 0.5,
    dial: () => hub.dial,
  });
  void relay.run();
  return { clock, hub, relay };
}

const scales = { priceScale: 2, sizeScale: 0 };
const quote = (bidPrice: number) => ({
  instrument: 'v:A',
  ...scales,
  eventMs: 1,
  bidPrice,
  bidSize: 1,
  askPrice: 2,
  askSize: Number.NaN,
});
const trade = (price: number) => ({
  instrument: 'v:A',
  ...scales,
  eventMs: 1,
  price,
  size: 1,
  side: 1,
  tradeId: '',
  conditions: '',
  action: 0,
});
const bar = (state: Bar['state'], close: number, revision: number): Bar => ({
  instrument: 'v:A',
  ...scales,
  timeframe: '1m',
  startMs: 60_000,
  open: 1,
  high: 9,
  low: 1,
  close,
  volume: 3n,
  buyVolume: 1n,
  sellVolume: 2n,
  pv: 10n,
  tradeCount: 2,
  state,
  revision,
});

describe('relay', () => {
  it('SQ-1 CF-2 numbers every change, sends the newest quote of a window and every trade', () => {
    const { clock, hub, relay } = setUp();
    hub.hello();
    for (const price of [1, 2, 3]) relay.publisher.quote(quote(price));
    for (const price of [4, 5]) relay.publisher.trade(trade(price));
    clock.advance(20);
    const update = hub.frames.at(-1);
    expect(update).toMatchObject({ kind: 'update', epoch: 9, seqFrom: 1, seq: 5 });
    expect(update?.topics).toMatchObject([
      { info: { channel: 'quotes', symbol: 'v:A' }, values: [3, 1, 2, null, 1], seqs: [3] },
      {
        info: { channel: 'trades' },
        rows: [
          [4, 1, 1, 1, 0],
          [5, 1, 1, 1, 0],
        ],
        seqs: [4, 5],
      },
    ]);
  });

  it('CF-2 conflates provisional bars, never final and revised ones', () => {
    const { clock, hub, relay } = setUp();
    hub.hello();
    relay.publisher.bar(bar('provisional', 1, 0));
    relay.publisher.bar(bar('provisional', 2, 0));
    relay.publisher.bar(bar('final', 3, 1));
    relay.publisher.bar(bar('revised', 4, 2));
    relay.publisher.bar(bar('revised', 5, 3));
    clock.advance(20);
    const rows = hub.frames.at(-1)?.topics[0]?.rows ?? [];
    expect(rows.map((row) => [row[4], row[11]])).toEqual([
      [3, 1],
      [4, 2],
      [5, 3],
    ]);
    expect(rows[0]?.[8]).toBe(33_333_333_333);
  });

  it('MD-3 a scale that grows moves what waits to the new one', () => {
    const { clock, hub, relay } = setUp();
    hub.hello();
    relay.publisher.trade(trade(150));
    relay.publisher.trade({ ...trade(1_505), priceScale: 3 });
    relay.publisher.trade(trade(151));
    clock.advance(20);
    expect(hub.frames.at(-1)?.topics[0]).toMatchObject({
      info: { priceScale: 3 },
      rows: [[1_500], [1_505], [1_510]].map(([p]) => [p, 1, 1, 1, 0]),
    });
  });

  it('SQ-3 a hub that comes back gets what it missed, one of another epoch a snapshot', () => {
    const { clock, hub, relay } = setUp();
    hub.hello();
    relay.publisher.trade(trade(1));
    clock.advance(20);
    hub.events?.close('cut');
    relay.publisher.trade(trade(2));
    clock.advance(1_000);
    expect(hub.dials).toBe(2);
    hub.hello({ epoch: 9, seq: 1 });
    expect(hub.frames.at(-1)).toMatchObject({
      kind: 'catchup',
      seqFrom: 2,
      seq: 2,
      topics: [{ rows: [[2, 1, 1, 1, 0]] }],
    });
    hub.hello({ epoch: 8, seq: 1 });
    expect(hub.frames.at(-1)).toMatchObject({
      kind: 'snapshot',
      seq: 2,
      topics: [
        {
          rows: [
            [1, 1, 1, 1, 0],
            [2, 1, 1, 1, 0],
          ],
        },
      ],
    });
  });

  it('SQ-5 a hub that takes too slowly is spared, and brought up when it has caught up', () => {
    const { clock, hub, relay } = setUp();
    hub.hello();
    hub.bufferedAmount = 5_000_000;
    const sent = hub.frames.length;
    for (const price of [1, 2, 3]) {
      relay.publisher.trade(trade(price));
      clock.advance(20);
    }
    expect(hub.frames.length).toBe(sent);
    hub.bufferedAmount = 0;
    relay.publisher.trade(trade(4));
    clock.advance(20);
    expect(hub.frames.at(-1)?.topics[0]?.rows?.length).toBe(4);
  });

  it('SU-9 bars of the past go behind what is known, and change nothing that is', () => {
    const { clock, hub, relay } = setUp();
    hub.hello();
    relay.publisher.bar(bar('provisional', 7, 0));
    relay.seedBars([bar('final', 1, 1), { ...bar('final', 2, 1), startMs: 0 }]);
    clock.advance(20);
    const closes = relay.status()[0]?.seq;
    expect(closes).toBe(2);
    expect(
      hub.frames.flatMap((frame) => frame.topics.flatMap((topic) => topic.rows ?? [])).map((row) => [row[0], row[4]]),
    ).toEqual([
      [60_000, 7],
      [0, 2],
    ]);
  });

  it('dials again when nothing is heard, and not before', () => {
    const { clock, hub } = setUp();
    hub.hello();
    clock.advance(14_000);
    expect(hub.dials).toBe(1);
    clock.advance(10_000);
    expect(hub.dials).toBe(2);
  });
});

it('SQ-1 an epoch is never taken twice, whatever the clock does', async () => {
  let kept: number | undefined;
  const store = {
    load: () => Promise.resolve(kept),
    save(epoch: number) {
      kept = epoch;
      return Promise.resolve();
    },
  };
  expect(await nextEpoch(store, 1_700_000_000_500)).toBe(1_700_000_000);
  expect(await nextEpoch(store, 1_700_000_000_600)).toBe(1_700_000_001);
  expect(await nextEpoch(store, 0)).toBe(1_700_000_002);
});
