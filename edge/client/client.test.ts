import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { BEACON, BEACON_REPLY } from '#shared/protocol/beacon.ts';
import { encodeMessage } from '#shared/protocol/codec.ts';
import type { Up } from '#shared/protocol/up.ts';
import { connect, type ClientStatus, type EdgetapeClient } from './client.ts';

const SYMBOL = 'simulated:ACME';
const INFO = { id: 1, channel: 'quotes' as const, symbol: SYMBOL, priceScale: 2, sizeScale: 0 };
/** Gzipped bytes of the client with its decoder and its checks, for a page that bundles nothing else. */
const SIZE_LIMIT = 17_500;

/** A server of one connection at a time, told by the test what to say. */
class Peer {
  readonly server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  readonly urls: string[] = [];
  readonly #connections: WebSocket[] = [];
  readonly #messages: string[] = [];
  #wake: () => void = () => undefined;

  constructor() {
    this.server.on('connection', (socket, request) => {
      this.urls.push(request.url ?? '');
      this.#connections.push(socket);
      socket.on('message', (data: Buffer) => {
        this.#messages.push(data.toString());
        this.#wake();
      });
      this.#wake();
    });
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1/stream`;
  }

  connection(): Promise<WebSocket> {
    return this.#take(() => this.#connections.shift());
  }

  /** The next message of the kind; others before it are passed over. */
  async message<T extends Up['type']>(type: T): Promise<Extract<Up, { type: T }>> {
    for (;;) {
      const text = await this.#take(() => this.#messages.shift());
      if (text === BEACON) continue;
      const message = JSON.parse(text) as Up;
      if (message.type === type) return message as Extract<Up, { type: T }>;
    }
  }

  async beacon(): Promise<void> {
    while ((await this.#take(() => this.#messages.shift())) !== BEACON) continue;
  }

  async #take<T>(from: () => T | undefined): Promise<T> {
    for (;;) {
      const value = from();
      if (value !== undefined) return value;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const open: { peer: Peer; client: EdgetapeClient }[] = [];
afterEach(() => {
  for (const { peer, client } of open.splice(0)) {
    client.close();
    for (const socket of peer.server.clients) socket.terminate();
    peer.server.close();
  }
});

async function started(
  options: { onStatus?: (status: ClientStatus) => void } = {},
): Promise<{ peer: Peer; client: EdgetapeClient }> {
  const peer = new Peer();
  await once(peer.server, 'listening');
  let token = 0;
  const client = connect({
    url: peer.url,
    conflateMs: 50,
    token: () => `t${++token}`,
    random: () => 0,
    frames: (publish) => queueMicrotask(publish),
    ...options,
  });
  open.push({ peer, client });
  return { peer, client };
}

function welcome(socket: WebSocket): void {
  const limits = { messageBytes: 16_384, messagesPer10s: 100, subscriptions: 1_000, symbolsPerMessage: 500 };
  socket.send(
    JSON.stringify({
      type: 'welcome',
      protocol: 1,
      connection: 'c',
      serverTimeMs: 1,
      conflateMs: 50,
      partitions: 1,
      limits,
    }),
  );
}

function carried(
  socket: WebSocket,
  kind: 'snapshot' | 'catchup' | 'update',
  seqFrom: number,
  seq: number,
  bid: number,
): void {
  const topics = [{ info: INFO, reset: kind === 'snapshot', values: [bid, 5, bid + 1, null, 1_000] }];
  socket.send(encodeMessage({ kind, partition: 0, epoch: 1, seqFrom, seq, timeMs: 2_000, topics }));
}

async function subscribed(peer: Peer, socket: WebSocket): Promise<Extract<Up, { type: 'subscribe' }>> {
  welcome(socket);
  const asked = await peer.message('subscribe');
  const subscriptions = [{ channel: 'quotes', symbols: [SYMBOL] }];
  socket.send(JSON.stringify({ type: 'subscribed', id: asked.id, subscriptions, conflateMs: 50 }));
  return asked;
}

function changed(client: EdgetapeClient): Promise<void> {
  return new Promise((resolve) => {
    const end = client.topic('quotes', SYMBOL).subscribe(() => {
      end();
      resolve();
    });
  });
}

describe('client over a socket', () => {
  it('SU-5 subscribes, shows snapshots and updates, and keeps a snapshot identical until something changes', async () => {
    const { peer, client } = await started();
    client.subscribe(['quotes'], [SYMBOL]);
    const topic = client.topic('quotes', SYMBOL);
    expect(topic.getSnapshot().fields).toBeUndefined();
    const socket = await peer.connection();
    await subscribed(peer, socket);
    let next = changed(client);
    carried(socket, 'snapshot', 5, 5, 10_050);
    await next;
    const first = topic.getSnapshot();
    expect(first.fields).toEqual({
      bidPrice: '100.5',
      bidSize: '5',
      askPrice: '100.51',
      askSize: null,
      eventMs: 1_000,
    });
    expect(topic.getSnapshot()).toBe(first);
    next = changed(client);
    carried(socket, 'update', 6, 6, 10_051);
    await next;
    expect(topic.getSnapshot().fields?.['bidPrice']).toBe('100.51');
    expect(client.status()).toMatchObject({ phase: 'live', conflateMs: 50 });
    expect(client.metrics()).toMatchObject({ connections: 1, gaps: 0, faults: 0 });
  });

  it('SQ-3 comes back by itself with its positions, a fresh token and the same window', async () => {
    const { peer, client } = await started();
    client.subscribe(['quotes'], [SYMBOL]);
    const first = await peer.connection();
    await subscribed(peer, first);
    let next = changed(client);
    carried(first, 'snapshot', 5, 5, 10_000);
    await next;
    first.terminate();
    const second = await peer.connection();
    const asked = await subscribed(peer, second);
    expect(asked.positions).toEqual([{ partition: 0, epoch: 1, seq: 5 }]);
    next = changed(client);
    carried(second, 'catchup', 6, 9, 10_400);
    await next;
    expect(client.topic('quotes', SYMBOL).getSnapshot().fields?.['bidPrice']).toBe('104');
    expect(client.status().phase).toBe('live');
    const [one, two] = peer.urls.map((url) => new URL(url, peer.url).searchParams);
    expect(one?.get('token')).toBe('t1');
    expect(two?.get('token')).toBe('t2');
    expect(two?.get('conflateMs')).toBe('50');
    expect(two?.get('encoding')).toBe('msgpack');
    expect(two?.get('v')).toBe('1');
  });

  it('ER-4 a close code that forbids to come back ends it', async () => {
    const closed = Promise.withResolvers<ClientStatus>();
    const { peer } = await started({ onStatus: (status) => status.phase === 'closed' && closed.resolve(status) });
    const socket = await peer.connection();
    socket.close(4101, 'no such token');
    expect(await closed.promise).toMatchObject({ phase: 'closed', reason: 'no such token' });
    expect(peer.urls).toHaveLength(1);
  });

  it('SU-10 says by a beacon that it has consumed what came, and ignores the reply', async () => {
    const { peer, client } = await started();
    const socket = await peer.connection();
    welcome(socket);
    await peer.beacon();
    socket.send(BEACON_REPLY);
    socket.send(JSON.stringify({ type: 'skip', partition: 0, seqFrom: 1, seq: 2 }));
    await peer.beacon();
    expect(client.metrics()).toMatchObject({ faults: 0, skips: 1 });
  });
});

it('the client fits into a page: bundled and gzipped it stays under its size', async () => {
  const entryPoints = [new URL('client.ts', import.meta.url).pathname];
  const { outputFiles } = await build({
    entryPoints,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  });
  const bytes = gzipSync(outputFiles[0]?.contents ?? new Uint8Array(), { level: 9 }).length;
  console.log(`client bundle: ${bytes} bytes gzipped`);
  expect(bytes).toBeLessThan(SIZE_LIMIT);
});
