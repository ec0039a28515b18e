import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket as NodeWebSocket } from 'ws';
import { startEdge, type EdgeHost } from '../../core/dev/edge-host.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { createRelay, type Relay } from '../../core/relay/relay.ts';
import { connect, type EdgetapeClient } from '../../edge/client/client.ts';
import { rng } from '../support/rng.ts';
import { syntheticMarket, type SyntheticMarket } from '../support/synthetic-market.ts';

const CUTS = 20;
const SEED = 11;
const clock = systemClock();
const CHANNELS = ['quotes', 'trades', 'stats', 'bars.1m'];

/** A client whose sockets can be cut under it. */
function cuttable(
  url: string,
  encoding: 'msgpack' | 'json',
  conflateMs: number,
): { client: EdgetapeClient; cut: () => void } {
  const sockets: NodeWebSocket[] = [];
  class Cuttable extends NodeWebSocket {
    constructor(address: string) {
      super(address);
      sockets.push(this);
    }
  }
  const client = connect({
    url,
    encoding,
    conflateMs,
    WebSocket: Cuttable,
    random: () => 0,
    reconnectDelaysMs: { min: 20, max: 100 },
  });
  return { client, cut: () => sockets.at(-1)?.terminate() };
}

/** Everything an application can see of the instruments. */
function content(client: EdgetapeClient, instruments: readonly string[]): unknown {
  return instruments.flatMap((symbol) =>
    CHANNELS.map((channel) => {
      const { fields, rows } = client.topic(channel, symbol).getSnapshot();
      return { channel, symbol, fields, rows };
    }),
  );
}

describe('client over relay, hub and room in Miniflare', () => {
  let edge: EdgeHost;
  let relay: Relay;
  let running: Promise<void>;
  let market: SyntheticMarket;
  let stateDir: string;
  let feeding: ReturnType<typeof setInterval>;

  beforeAll(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'edgetape-edge-'));
    const secret = 'a-secret-of-this-test-only';
    const assetsDir = join(stateDir, 'assets');
    edge = await startEdge({
      port: 0,
      coreUrl: 'http://127.0.0.1:9',
      relaySecret: secret,
      stateDir,
      assetsDir,
      logger: silentLogger,
    });
    relay = createRelay({
      edgeUrl: edge.relayUrl,
      secret,
      partitions: 4,
      epoch: 1,
      clock,
      logger: silentLogger,
    });
    running = relay.run();
    market = syntheticMarket(relay.publisher, 12, rng(SEED));
    feeding = setInterval(() => {
      for (let i = 0; i < 3; i++) market.step(clock.nowMs());
    }, 5);
  }, 60_000);
  afterAll(async () => {
    clearInterval(feeding);
    await relay?.drain();
    await running;
    await edge?.stop();
    await rm(stateDir, { recursive: true, force: true });
  });

  for (const encoding of ['msgpack', 'json'] as const) {
    it(`SQ-5 a client cut off ${CUTS} times holds what one holds that never left (${encoding}, seed ${SEED})`, async () => {
      const url = `${edge.relayUrl}/v1/stream`;
      const steady = cuttable(url, encoding, 50);
      const cut = cuttable(url, encoding, 0);
      const clients = [steady.client, cut.client];
      try {
        for (const client of clients) client.subscribe(CHANNELS, market.instruments);
        const random = rng(SEED + 1);
        for (let n = 0; n < CUTS; n++) {
          const updates = cut.client.metrics().updates + 5 + Math.floor(random() * 25);
          await expect
            .poll(() => cut.client.status().phase === 'live' && cut.client.metrics().updates >= updates, {
              timeout: 20_000,
              interval: 5,
            })
            .toBe(true);
          const { connections } = cut.client.metrics();
          cut.cut();
          await expect
            .poll(() => cut.client.metrics().connections, { timeout: 20_000, interval: 5 })
            .toBeGreaterThan(connections);
        }
        await expect.poll(() => cut.client.status().phase, { timeout: 20_000 }).toBe('live');
        clearInterval(feeding);
        await relay.caughtUp();
        // A heartbeat is sent behind everything it speaks of: the second one from here is behind all of the market.
        for (const client of clients) {
          const { heartbeats } = client.metrics();
          await expect.poll(() => client.metrics().heartbeats, { timeout: 20_000 }).toBeGreaterThan(heartbeats + 1);
        }
        expect(cut.client.metrics()).toMatchObject({ checksumMismatches: 0, faults: 0 });
        expect(steady.client.metrics()).toMatchObject({ checksumMismatches: 0, faults: 0, gaps: 0 });
        expect(cut.client.metrics().connections).toBeGreaterThan(CUTS);
        const held = content(cut.client, market.instruments);
        expect(held).toEqual(content(steady.client, market.instruments));
        expect(JSON.stringify(held)).toContain('"tradeCount"');
      } finally {
        for (const client of clients) client.close();
        feeding = setInterval(() => market.step(clock.nowMs()), 5);
      }
    }, 90_000);
  }
});
