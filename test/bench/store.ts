/**
 * Question: how many trades a second does the embedded store take, what do they weigh on disk, and how fast does it answer?
 * Method: two million trades, shaped like the recorded ones, in batches of 65,500 through the store's own writer; CPU time over all
 * threads of the process. Beside it: the stock client given the same trades as JSON objects. Then warm questions, 100 of each.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@clickhouse/client';
import { createChdbConnection } from 'chdb/connection';
import type { Bar } from '#shared/bars.ts';
import { tradeColumns, type TradeColumns } from '#shared/ticks.ts';
import { openClickHouse } from '../../core/stores/clickhouse.ts';
import type { MarketStore } from '../../core/stores/stores.ts';
import { rng } from '../support/rng.ts';

const BATCHES = 32;
const FRAMES = 131;
const FRAME_TICKS = 500;
const INSTRUMENTS = 50;
const BASE_BATCHES = 3;
const START_MS = 1_723_161_255_000;
const QUESTIONS = 100;

type Client = ReturnType<typeof createClient>;
type Connection = NonNullable<NonNullable<Parameters<typeof createClient>[0]>['connection']>;

export async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'edgetape-bench-'));
  try {
    const random = rng(1);
    const counter = { arrival: 0, ms: START_MS };
    const batches = Array.from({ length: BATCHES }, () => makeBatch(random, counter));
    const store = await openClickHouse({ path: folder });
    await store.migrate();
    const written = await timed(async () => {
      for (const [i, batch] of batches.entries()) await store.writeTrades(batch, `trades:0:${i}-${i}`);
    });
    report('native blocks', BATCHES * FRAMES * FRAME_TICKS, written);
    await questions(store);
    await store.close();
    const connection = createChdbConnection({ path: join(folder, 'clickhouse') }) as unknown as Connection;
    const client = createClient({ connection });
    await baseline(client, batches.slice(0, BASE_BATCHES));
    await weight(client);
    await client.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function makeBatch(random: () => number, counter: { arrival: number; ms: number }): TradeColumns[] {
  return Array.from({ length: FRAMES }, () => {
    const columns = tradeColumns(FRAME_TICKS);
    columns.length = FRAME_TICKS;
    const conditions = columns.strings.intern('MARKET');
    for (let i = 0; i < FRAME_TICKS; i++) {
      const instrument = Math.floor(random() ** 2 * INSTRUMENTS);
      counter.ms += random() < 0.3 ? Math.floor(random() * 20) : 0;
      columns.instrument[i] = columns.instruments.intern(`bench:S${instrument}`);
      columns.eventMs[i] = counter.ms;
      columns.recvMs[i] = counter.ms - 1_200 + Math.floor(random() * 100);
      columns.recvSubNs[i] = Math.floor(random() * 1_000_000);
      columns.price[i] = 6_183_763 + instrument * 1_000 + Math.floor(random() * 200);
      columns.priceDecimals[i] = 2;
      columns.pricePrinted[i] = 8;
      columns.size[i] = Math.floor(10 ** (random() * 6));
      columns.sizeDecimals[i] = 5;
      columns.sizePrinted[i] = 8;
      columns.side[i] = random() < 0.5 ? 1 : 2;
      columns.conditions[i] = conditions;
      columns.tradeId[i] = counter.arrival;
      columns.arrival[i] = counter.arrival++;
    }
    return columns;
  });
}

interface Timing {
  ms: number;
  cpuUs: number;
}

async function timed(work: () => Promise<void>): Promise<Timing> {
  const cpu = process.cpuUsage();
  const from = performance.now();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { ms: performance.now() - from, cpuUs: user + system };
}

function report(name: string, rows: number, { ms, cpuUs }: Timing): void {
  const rate = Math.round((rows / ms) * 1_000).toLocaleString('en');
  console.log(
    `${name}: ${rate} rows/s, ${(cpuUs / rows).toFixed(2)} µs of CPU a row (${rows.toLocaleString('en')} rows)`,
  );
}

async function baseline(client: Client, batches: readonly TradeColumns[][]): Promise<void> {
  await client.command({ query: 'CREATE TABLE baseline AS trades' });
  const objects = batches.map((frames) => frames.flatMap(asObjects));
  const timing = await timed(async () => {
    for (const values of objects) await client.insert({ table: 'baseline', values, format: 'JSONEachRow' });
  });
  report('baseline, JSON objects', BASE_BATCHES * FRAMES * FRAME_TICKS, timing);
}

function asObjects(columns: TradeColumns): Record<string, string | number>[] {
  return Array.from({ length: columns.length }, (_, i) => ({
    venue: 'bench',
    symbol: columns.instruments.values[columns.instrument[i] as number] as string,
    event_time: ((columns.eventMs[i] as number) / 1_000).toString(),
    receive_time: ((columns.recvMs[i] as number) / 1_000).toString(),
    arrival: columns.arrival[i] as number,
    side: 'buy',
    price: columns.price[i] as number,
    price_decimals: columns.priceDecimals[i] as number,
    price_printed: columns.pricePrinted[i] as number,
    size: columns.size[i] as number,
    size_decimals: columns.sizeDecimals[i] as number,
    size_printed: columns.sizePrinted[i] as number,
    trade_id: columns.tradeId[i] as number,
    conditions: 'MARKET',
  }));
}

async function weight(client: Client): Promise<void> {
  const query = `SELECT sum(data_compressed_bytes) / sum(rows) AS bytes FROM system.parts WHERE table = 'trades' AND active`;
  const [row] = await (await client.query({ query, format: 'JSONEachRow' })).json<{ bytes: number }>();
  console.log(`on disk: ${row?.bytes.toFixed(2)} bytes a trade, all 17 columns`);
}

async function questions(store: MarketStore): Promise<void> {
  const base = { timeframe: '1m' as const, priceScale: 2, sizeScale: 5, open: 1, high: 2, low: 1, close: 2 };
  const sums = {
    volume: 1n,
    buyVolume: 1n,
    sellVolume: 0n,
    pv: 1n,
    tradeCount: 1,
    state: 'final' as const,
    revision: 1,
  };
  for (let i = 0; i < INSTRUMENTS; i++) {
    const bars = Array.from({ length: 390 }, (_, minute): Bar => {
      return { ...base, ...sums, instrument: `bench:S${i}`, startMs: START_MS + minute * 60_000 };
    });
    await store.writeBars(bars, `aggregates-1m:0:${i}-${i}`);
  }
  const asked: [string, (i: number) => Promise<unknown>][] = [
    [
      '390 bars of one instrument',
      (i) => drain(store.bars({ instrument: `bench:S${i % INSTRUMENTS}`, timeframe: '1m' })),
    ],
    [
      'newest 100 trades of one',
      (i) => drain(store.trades({ instrument: `bench:S${i % INSTRUMENTS}`, limit: 100, newestFirst: true })),
    ],
    ['newest 100 trades of all', () => drain(store.trades({ limit: 100, newestFirst: true }))],
    ['instruments', () => store.instruments()],
  ];
  for (const [name, ask] of asked) {
    const times: number[] = [];
    for (let i = 0; i < QUESTIONS; i++) times.push((await timed(async () => void (await ask(i)))).ms);
    times.sort((a, b) => a - b);
    const at = (share: number): string =>
      (times[Math.min(QUESTIONS - 1, Math.floor(share * QUESTIONS))] as number).toFixed(1);
    console.log(`${name}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms`);
  }
}

async function drain(batches: AsyncIterable<unknown>): Promise<void> {
  for await (const batch of batches) void batch;
}
