import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer, type WebSocket as ServerSocket } from 'ws';
import type { ControlEvent } from '#shared/control.ts';
import { tapeLine } from '../../test/support/decode-log.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { rng } from '../../test/support/rng.ts';
import { silentLogger } from '../ops/logger.ts';
import { openBinanceFeed, type BinanceFeedOptions } from './binance-feed.ts';
import type { SourceBatch } from './source.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A venue on loopback: the connections that were made, in order. */
async function venue() {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const connections: { socket: ServerSocket; url: string }[] = [];
  const waiters: (() => void)[] = [];
  server.on('connection', (socket, request) => {
    connections.push({ socket, url: request.url ?? '' });
    for (const wake of waiters.splice(0)) wake();
  });
  closers.push(async () => {
    for (const { socket } of connections) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    baseUrl: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections,
    /** The n-th connection, from 1. */
    async connection(n: number): Promise<ServerSocket> {
      while (connections.length < n) await new Promise<void>((resolve) => waiters.push(resolve));
      return connections[n - 1]?.socket as ServerSocket;
    },
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function trade(id: number, symbol = 'BTCUSDT', price = '61800.30'): string {
  const data = {
    e: 'trade',
    E: 1_723_161_256_322,
    T: 1_723_161_256_322,
    s: symbol,
    t: id,
    p: price,
    q: '0.006',
    X: 'MARKET',
    m: false,
  };
  return JSON.stringify({ stream: `${symbol.toLowerCase()}@trade`, data });
}

const quote = JSON.stringify({
  stream: 'btcusdt@bookTicker',
  data: {
    e: 'bookTicker',
    u: 1,
    s: 'BTCUSDT',
    b: '61800.20',
    B: '2.507',
    a: '61800.30',
    A: '2.510',
    T: 1_723_161_256_313,
    E: 1,
  },
});

/** Runs a feed and keeps what it gives. */
function collect(options: Partial<BinanceFeedOptions> & { baseUrl: string; clock: ManualClock }, cursor?: string) {
  const source = openBinanceFeed({
    venue: 'binance_usdm',
    symbols: ['BTCUSDT', 'ethusdt'],
    logger: silentLogger,
    random: rng(1),
    ...options,
  });
  const stop = new AbortController();
  const batches: SourceBatch[] = [];
  const waiters: (() => void)[] = [];
  const running = (async () => {
    for await (const batch of source.batches(cursor, stop.signal)) {
      batches.push(batch);
      for (const wake of waiters.splice(0)) wake();
    }
  })();
  const stopped = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  closers.push(stopped);
  const ids = (): number[] =>
    batches.flatMap(({ trades }) => (trades === undefined ? [] : [...trades.tradeId.subarray(0, trades.length)]));
  const control = (): ControlEvent[] => batches.flatMap((batch) => batch.control);
  return {
    source,
    batches,
    ids,
    control,
    stopped,
    /** Waits for the n-th loss of the connection, and lets the wait for the next one pass. */
    async lost(n: number): Promise<void> {
      await this.until(
        () => control().filter((event) => event.type === 'connection' && event.state === 'disconnected').length === n,
      );
      options.clock.advance(500);
    },
    async until(condition: () => boolean): Promise<void> {
      while (!condition()) await new Promise<void>((resolve) => waiters.push(resolve));
    },
  };
}

describe('live feed', () => {
  it('MD-4 takes in the combined stream of its symbols', async () => {
    const server = await venue();
    const clock = new ManualClock(1_723_161_255_088);
    const feed = collect({ baseUrl: server.baseUrl, clock });
    const socket = await server.connection(1);
    expect(server.connections[0]?.url).toBe(
      '/stream?streams=btcusdt@trade/btcusdt@bookTicker/ethusdt@trade/ethusdt@bookTicker',
    );
    for (const text of [trade(1), quote, '{"stream":', '{"result":null,"id":1}']) socket.send(text);
    await feed.until(() => feed.batches.reduce((rows, { rowsRead }) => rows + rowsRead, 0) === 4);
    const lines = feed.batches.flatMap(({ trades, quotes }) => [
      ...(trades === undefined ? [] : [tapeLine(trades, 0)]),
      ...(quotes === undefined ? [] : [tapeLine(quotes, 0)]),
    ]);
    expect(lines).toEqual([
      '1723161256322000000,1723161255088000000,binance_usdm,BTCUSDT,61800.30,0.006,buy,1,MARKET',
      '1723161256313000000,1723161255088000000,binance_usdm,BTCUSDT,61800.20,2.507,61800.30,2.510',
    ]);
    expect(feed.batches.flatMap(({ rejections }) => rejections)).toEqual([
      { source: 'binance_usdm:btcusdt,ethusdt', line: 3, reason: 'not_json', excerpt: '{"stream":' },
    ]);
    expect(feed.control()).toMatchObject([{ type: 'connection', venue: 'binance_usdm', state: 'connected' }]);
  });

  it('TK-7 comes back after every loss, and says which trades it never saw', async () => {
    const server = await venue();
    const clock = new ManualClock();
    const feed = collect({ baseUrl: server.baseUrl, clock });
    const first = await server.connection(1);
    for (const id of [10, 11, 12]) first.send(trade(id));
    await feed.until(() => feed.ids().length === 3);
    first.terminate();
    await feed.lost(1);
    const second = await server.connection(2);
    for (const text of [trade(15), trade(16), trade(1, 'ETHUSDT'), trade(16), trade(17, 'BTCUSDT', '0'), trade(18)])
      second.send(text);
    await feed.until(() => feed.ids().length === 8);
    second.close(1001, 'going away');
    await feed.lost(2);
    const third = await server.connection(3);
    third.send(trade(19));
    await feed.until(() => feed.ids().length === 9);
    expect(feed.ids()).toEqual([10, 11, 12, 15, 16, 1, 16, 18, 19]);
    const kinds = feed.control().map((event) => (event.type === 'connection' ? event.state : event.type));
    expect(kinds).toEqual(['connected', 'disconnected', 'connected', 'gap', 'disconnected', 'connected']);
    expect(feed.control()[3]).toMatchObject({ instrument: 'binance_usdm:BTCUSDT', from: 13, to: 14 });
  });

  it('TK-7 LG-6 finds the gap between two lives of the process by its cursor', async () => {
    const server = await venue();
    const clock = new ManualClock();
    const before = collect({ baseUrl: server.baseUrl, clock });
    (await server.connection(1)).send(trade(100));
    await before.until(() => before.ids().length === 1);
    await before.stopped();
    const after = collect({ baseUrl: server.baseUrl, clock }, before.batches.at(-1)?.cursor);
    expect(after.source.id).toBe(before.source.id);
    (await server.connection(2)).send(trade(105));
    await after.until(() => after.ids().length === 1);
    expect(after.control().filter(({ type }) => type === 'gap')).toMatchObject([{ from: 101, to: 104 }]);
  });

  it('TK-7 takes a silent connection as dead', async () => {
    const server = await venue();
    const clock = new ManualClock();
    const feed = collect({ baseUrl: server.baseUrl, clock, silenceMs: 5_000 });
    (await server.connection(1)).send(trade(1));
    await feed.until(() => feed.ids().length === 1);
    clock.advance(4_999);
    expect(feed.control()).toHaveLength(1);
    clock.advance(1);
    await feed.lost(1);
    (await server.connection(2)).send(trade(2));
    await feed.until(() => feed.ids().length === 2);
    expect(feed.control()[1]).toMatchObject({ state: 'disconnected', reason: 'silent' });
  });

  it('TK-7 lets go of a connection that brings more than the log takes, and comes back', async () => {
    const server = await venue();
    const clock = new ManualClock();
    const source = openBinanceFeed({
      venue: 'binance_usdm',
      symbols: ['btcusdt'],
      logger: silentLogger,
      random: rng(1),
      baseUrl: server.baseUrl,
      clock,
      maxQueuedRows: 10,
    });
    const stop = new AbortController();
    const batches = source.batches(undefined, stop.signal)[Symbol.asyncIterator]();
    const first = batches.next();
    const socket = await server.connection(1);
    await first;
    const closed = once(socket, 'close');
    for (let id = 1; id <= 50; id++) socket.send(trade(id));
    await closed;
    const next: ControlEvent[] = [];
    let rows = 0;
    const reading = (async () => {
      for (let result = await batches.next(); result.done !== true; result = await batches.next()) {
        next.push(...result.value.control);
        rows += result.value.rowsRead;
      }
    })();
    while (clock.pending === 0) await turn();
    clock.advance(500);
    await server.connection(2);
    stop.abort();
    await reading;
    expect(next[0]).toMatchObject({ state: 'disconnected', reason: 'overloaded' });
    expect(rows).toBe(10);
  });

  it('TK-7 keeps on trying while nobody is there, ever more slowly', async () => {
    const clock = new ManualClock();
    const attempts: number[] = [];
    const stop = new AbortController();
    const source = openBinanceFeed({
      venue: 'binance',
      symbols: ['btcusdt'],
      logger: silentLogger,
      random: () => 1,
      clock,
      openSocket: (_url, events) => {
        attempts.push(clock.nowMs());
        queueMicrotask(() => events.close('refused'));
        return { close() {} };
      },
    });
    const running = (async () => {
      for await (const { control } of source.batches(undefined, stop.signal))
        expect(control).toMatchObject([{ state: 'disconnected', reason: 'refused' }]);
    })();
    while (attempts.length < 9) {
      await turn();
      clock.advance(clock.nextMs === undefined ? 0 : clock.nextMs - clock.nowMs());
    }
    stop.abort();
    await running;
    expect(attempts.slice(1).map((at, i) => at - (attempts[i] as number))).toEqual([
      500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000,
    ]);
  });

  it('MD-2 refuses a venue it does not know', () => {
    const options = {
      venue: 'nowhere',
      symbols: ['x'],
      logger: silentLogger,
      random: rng(1),
      clock: new ManualClock(),
    };
    expect(() => openBinanceFeed(options)).toThrow('There is no feed nowhere; known are binance,');
  });
});
