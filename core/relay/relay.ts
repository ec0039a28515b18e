/** The relay: takes what the core knows now, and keeps one hub per partition up to date (DESIGN §3.8). */
import type { Bar } from '#shared/bars.ts';
import type { Clock } from '#shared/clock.ts';
import type { Channel } from '#shared/protocol/channels.ts';
import { partitionOf } from '#shared/topics.ts';
import type { Logger } from '../ops/logger.ts';
import type { Service } from '../service.ts';
import { barRow, quoteRow, statsRow, statusRow, tradeRow } from './convert.ts';
import { webSocketDial } from './dial.ts';
import { HubLink, type Dial } from './hub-link.ts';
import type { LivePublisher } from './live.ts';
import { Sequencer } from './sequencer.ts';

export interface RelayOptions {
  /** Gateway, http(s) or ws(s). */
  edgeUrl: string;
  /** Bearer secret of `/relay`. */
  secret: string;
  /** Hub partitions; the edge must be set to the same number. */
  partitions: number;
  /** From nextEpoch: higher than that of any earlier start. */
  epoch: number;
  clock: Clock;
  logger: Logger;
  /** Length of the relay's own window; what changes twice within it is sent once (SPEC CF-2). */
  windowMs?: number;
  /** 0 to 1; spreads reconnects. */
  random?: () => number;
  /** Replaces the WebSocket in tests. */
  dial?: (partition: number) => Dial;
}

export interface RelayPartitionStatus {
  partition: number;
  link: HubLink['state'];
  epoch: number;
  seq: number;
  /** seq handed to the hub's socket; undefined while there is none. */
  sentSeq: number | undefined;
  connects: number;
  frames: number;
  bytes: number;
  refused: number;
}

export interface Relay extends Service {
  readonly publisher: LivePublisher;
  /** Bars of the past, for the snapshots (SPEC SU-9); starts that are known already stay as they are. */
  seedBars(bars: readonly Bar[]): void;
  status(): RelayPartitionStatus[];
  /** Resolves when everything published so far was handed to all hubs. */
  caughtUp(): Promise<void>;
}

const DEFAULT_WINDOW_MS = 5;
/** How long a drain waits for the hubs to take the rest. */
const DRAIN_MS = 2_000;
const POLL_MS = 10;

export function createRelay(options: RelayOptions): Relay {
  const { clock, logger, partitions, windowMs = DEFAULT_WINDOW_MS, random = Math.random } = options;
  const dial = options.dial ?? ((partition: number) => webSocketDial(options.edgeUrl, options.secret, partition));
  const sequencers = Array.from({ length: partitions }, (_, p) => new Sequencer(p, options.epoch, clock.nowMs()));
  const links = sequencers.map(
    (sequencer, partition) =>
      new HubLink({ partition, dial: dial(partition), clock, logger, random, owed: (have) => sequencer.owed(have) }),
  );
  let cancelFlush: (() => void) | undefined;
  let draining = false;
  let started: (() => void) | undefined;
  const ended = new Promise<void>((resolve) => {
    started = resolve;
  });

  function flush(): void {
    cancelFlush?.();
    cancelFlush = undefined;
    const nowMs = clock.nowMs();
    sequencers.forEach((sequencer, p) => {
      const update = sequencer.flush(nowMs);
      if (update !== undefined) links[p]?.send(update);
    });
  }

  const bySymbol = new Map<string, Sequencer>();
  function sequencerOf(symbol: string): Sequencer {
    let sequencer = bySymbol.get(symbol);
    if (sequencer === undefined) {
      sequencer = sequencers[partitionOf(symbol, partitions)] as Sequencer;
      bySymbol.set(symbol, sequencer);
    }
    return sequencer;
  }

  function changed(): void {
    if (!draining) cancelFlush ??= clock.schedule(windowMs, flush);
  }

  const NO_SCALES = { priceScale: 0, sizeScale: 0 };
  const barChannel = (bar: Bar): Channel => `bars.${bar.timeframe}`;
  const publisher: LivePublisher = {
    trade(trade) {
      sequencerOf(trade.instrument).publish('trades', trade.instrument, trade, tradeRow(trade));
      changed();
    },
    quote(quote) {
      sequencerOf(quote.instrument).publish('quotes', quote.instrument, quote, quoteRow(quote));
      changed();
    },
    bar(bar) {
      sequencerOf(bar.instrument).publish(barChannel(bar), bar.instrument, bar, barRow(bar));
      changed();
    },
    stats(stats) {
      sequencerOf(stats.instrument).publish('stats', stats.instrument, stats, statsRow(stats));
      changed();
    },
    status(status) {
      const symbol = `${status.venue}:*`;
      sequencerOf(symbol).publish('status', symbol, NO_SCALES, statusRow(status));
      changed();
    },
  };

  const handedOver = (): boolean =>
    cancelFlush === undefined && sequencers.every((s, p) => links[p]?.drained === true && links[p].sent?.seq === s.seq);

  async function until(condition: () => boolean, timeoutMs = Number.POSITIVE_INFINITY): Promise<void> {
    const endMs = clock.nowMs() + timeoutMs;
    while (!condition() && clock.nowMs() < endMs) {
      await new Promise<void>((resolve) => {
        clock.schedule(POLL_MS, resolve);
      });
    }
  }

  return {
    name: 'relay',
    publisher,
    seedBars(bars) {
      flush();
      for (const bar of bars) sequencerOf(bar.instrument).seedBar(barChannel(bar), bar.instrument, bar, barRow(bar));
      changed();
    },
    status: () =>
      sequencers.map((sequencer, partition) => {
        const link = links[partition] as HubLink;
        const { connects, frames, bytes } = link.counters;
        return {
          partition,
          link: link.state,
          epoch: sequencer.state.epoch,
          seq: sequencer.seq,
          sentSeq: link.sent?.seq,
          connects,
          frames,
          bytes,
          refused: sequencer.refused,
        };
      }),
    caughtUp: () => until(handedOver),
    async run() {
      for (const link of links) link.open();
      await ended;
    },
    async drain() {
      if (draining) return;
      draining = true;
      cancelFlush?.();
      flush();
      await until(() => links.every((link) => link.state !== 'live' || link.drained), DRAIN_MS);
      for (const link of links) link.close();
      started?.();
    },
  };
}
