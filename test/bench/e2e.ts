/**
 * Question: how long is a trade on its way from the collector to a number in a client, over the whole embedded product?
 * Method: a source hands batches of trades to the collector; log on SQLite, windows, sink into chDB, relay, hub and room in
 * Miniflare all run; a client of the public SDK in a thread of its own notes when each trade is decoded. The time starts when the
 * source hands the trade over, so appending is in it. Beside it: the same trades as JSON over one plain WebSocket, nothing else.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { WebSocket, WebSocketServer } from 'ws';
import { NO_TIME, tradeColumns } from '#shared/ticks.ts';
import type { Source, SourceBatch } from '../../core/collector/source.ts';
import { startEdge } from '../../core/dev/edge-host.ts';
import { createPipeline } from '../../core/dev/pipeline.ts';
import { openSqliteLog } from '../../core/log/sqlite.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { createSupervisor } from '../../core/ops/supervisor.ts';
import { systemClock } from '../../core/ops/system-clock.ts';
import { createRelay } from '../../core/relay/relay.ts';
import { openClickHouse } from '../../core/stores/clickhouse.ts';
import { systemClock as preciseClock } from '../../edge/client/platform.ts';
import type { ReaderNews, ReaderTask } from '../support/stream-reader.ts';

const SYMBOLS = Array.from({ length: 20 }, (_, i) => `simulated:S${i}`);
const BATCH = 5;
const EVERY_MS = 10;
const SECONDS = 10;
const WARM_MS = 2_000;
const WINDOWS_MS = [0, 50] as const;

/** Trades with sizes 1, 2, 3, … at a steady rate; `sentMs` has the time at which each was handed over. */
class CountingSource implements Source {
  readonly id = 'bench';
  readonly simulated = true;
  readonly finite = false;
  readonly totalBytes = undefined;
  readonly sentMs: number[] = [0];

  bytesRead(): number {
    return this.sentMs.length;
  }

  async *batches(_cursor: string | undefined, signal: AbortSignal): AsyncIterable<SourceBatch> {
    while (!signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      yield {
        trades: this.#trades(),
        quotes: undefined,
        control: [],
        rejections: [],
        rowsRead: BATCH,
        cursor: String(this.sentMs.length),
      };
    }
  }

  #trades(): SourceBatch['trades'] {
    const trades = tradeColumns(BATCH);
    const nowMs = preciseClock.nowMs();
    for (let row = 0; row < BATCH; row++) {
      const size = this.sentMs.push(nowMs) - 1;
      trades.instrument[row] = trades.instruments.intern(SYMBOLS[size % SYMBOLS.length] ?? '');
      trades.eventMs[row] = Math.floor(nowMs);
      trades.recvMs[row] = NO_TIME;
      trades.price[row] = 10_000 + (size % 97);
      trades.priceDecimals[row] = trades.pricePrinted[row] = 2;
      trades.size[row] = size;
      trades.tradeId[row] = size;
      trades.arrival[row] = row;
    }
    trades.length = BATCH;
    return trades;
  }
}

export async function run(): Promise<void> {
  console.log(
    `method: ${(BATCH * 1_000) / EVERY_MS} trades/s in batches of ${BATCH} over ${SYMBOLS.length} symbols, ${SECONDS} s a row; handed to the collector → decoded`,
  );
  const direct = await plainSocket();
  print('baseline: JSON on one plain ws', direct, direct);
  const dir = await mkdtemp(join(tmpdir(), 'edgetape-bench-'));
  try {
    await product(dir, direct);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function product(dir: string, baseline: readonly number[]): Promise<void> {
  const clock = systemClock();
  const logger = silentLogger;
  const log = await openSqliteLog({ path: join(dir, 'log.sqlite'), clock, logger });
  const store = await openClickHouse({ path: join(dir, 'clickhouse') });
  await store.migrate();
  const secret = 'a-secret-of-this-bench-only';
  const edge = await startEdge({
    port: 0,
    coreUrl: 'http://127.0.0.1:9',
    relaySecret: secret,
    stateDir: join(dir, 'edge'),
    assetsDir: join(dir, 'assets'),
    logger,
  });
  const relay = createRelay({ edgeUrl: edge.relayUrl, secret, partitions: 4, epoch: 1, clock, logger });
  const supervisor = createSupervisor({ clock, logger });
  const source = new CountingSource();
  const pipeline = createPipeline({
    log,
    store,
    sources: [source],
    partitions: 4,
    live: relay.publisher,
    clock,
    logger,
  });
  void supervisor.start(relay);
  void pipeline.start(supervisor);
  try {
    for (const conflateMs of WINDOWS_MS) {
      const delays = await supervisor.unlessFailed(
        measure({ url: `${edge.relayUrl}/v1/stream`, symbols: SYMBOLS, conflateMs }, source.sentMs),
      );
      print(`window ${conflateMs} ms`, delays, baseline);
    }
  } finally {
    await supervisor.drain([...pipeline.drainSteps(supervisor), { name: 'relay', drain: () => relay.drain() }], 10_000);
    await edge.stop();
    await log.close();
    await store.close();
  }
}

/** Delays of every trade that came in the time measured, ms. */
async function measure(task: ReaderTask, sentMs: readonly number[]): Promise<number[]> {
  const worker = new Worker(new URL('../support/stream-reader.ts', import.meta.url), { workerData: task });
  const delays: number[] = [];
  const done = Promise.withResolvers<void>();
  let fromMs = Number.POSITIVE_INFINITY;
  worker.on('error', (error) => done.reject(error));
  worker.on('message', (news: ReaderNews) => {
    if (news.type === 'live') {
      if (fromMs < Number.POSITIVE_INFINITY) return;
      fromMs = preciseClock.nowMs() + WARM_MS;
      setTimeout(() => done.resolve(), WARM_MS + SECONDS * 1_000);
      return;
    }
    for (const [size, decodedMs] of news.trades)
      if (decodedMs >= fromMs) delays.push(decodedMs - (sentMs[size] ?? Number.NaN));
  });
  try {
    await done.promise;
  } finally {
    await worker.terminate();
  }
  return delays;
}

async function plainSocket(): Promise<number[]> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const delays: number[] = [];
  client.on('message', (data: Buffer) => {
    const { sentMs } = JSON.parse(data.toString()) as { sentMs: number };
    delays.push(preciseClock.nowMs() - sentMs);
  });
  const [socket] = (await once(server, 'connection')) as [WebSocket];
  const timer = setInterval(() => {
    for (let i = 0; i < BATCH; i++) {
      socket.send(
        JSON.stringify({ symbol: SYMBOLS[i], price: '100.01', size: '12', side: 'buy', sentMs: preciseClock.nowMs() }),
      );
    }
  }, EVERY_MS);
  await new Promise((resolve) => setTimeout(resolve, (SECONDS * 1_000) / 2));
  clearInterval(timer);
  client.close();
  server.close();
  return delays;
}

function print(name: string, delays: readonly number[], baseline: readonly number[]): void {
  const at = (values: readonly number[], share: number): number => {
    const sorted = values.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
  };
  const figures = [0.5, 0.99, 1].map((share) => at(delays, share).toFixed(1).padStart(7));
  const ratio = (at(delays, 0.5) / at(baseline, 0.5)).toFixed(1);
  console.log(
    `${name.padEnd(32)} p50 ${figures[0]}  p99 ${figures[1]}  max ${figures[2]} ms   ${delays.length} trades   ${ratio} × the baseline's p50`,
  );
}
