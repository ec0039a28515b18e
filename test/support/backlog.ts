/** Made-up trades as frames into a log, in bulk: what a market leaves behind while nobody reads. Seeded. */
import { encodeTrades } from '#shared/frame.ts';
import { LIMITS } from '#shared/limits.ts';
import { tradeColumns, type TradeColumns } from '#shared/ticks.ts';
import { partitionOf, TOPICS } from '#shared/topics.ts';
import type { Log } from '../../core/log/log.ts';
import { rng } from './rng.ts';

export interface BacklogOptions {
  ticks: number;
  partitions: number;
  /** Instruments of each partition. */
  instruments?: number;
  /** Event time between two ticks of one partition. */
  stepMs?: number;
  seed?: number;
}

/** Start of the made-up market: 2024-08-09T00:00:00Z. */
export const BACKLOG_START_MS = 1_723_161_600_000;
const FRAMES_PER_TRANSACTION = 400;

/** Instruments of one partition of so many, by the log's own rule (SPEC LG-3). */
export function instrumentsOf(partition: number, partitions: number, count: number): string[] {
  const names: string[] = [];
  for (let i = 0; names.length < count; i++) {
    const name = `simulated:S${i}`;
    if (partitionOf(name, partitions) === partition) names.push(name);
  }
  return names;
}

/** Frames of LIMITS.frameTicks trades, by rising event time; partitions take turns. The columns are used again for the next frame. */
export function* backlogFrames(options: BacklogOptions): Generator<{ partition: number; trades: TradeColumns }> {
  const { ticks, partitions, instruments = 25, stepMs = 1, seed = 1 } = options;
  const random = rng(seed);
  const books = Array.from({ length: partitions }, (_, partition) => {
    const columns = tradeColumns(LIMITS.frameTicks);
    for (const name of instrumentsOf(partition, partitions, instruments)) columns.instruments.intern(name);
    return { columns, prices: Float64Array.from({ length: instruments }, () => 10_000), made: 0 };
  });
  for (let made = 0, turn = 0; made < ticks; turn++) {
    const partition = turn % partitions;
    const book = books[partition] as (typeof books)[number];
    const n = Math.min(LIMITS.frameTicks, ticks - made);
    fill(book.columns, n, made, book.made, stepMs, book.prices, random);
    book.made += n;
    made += n;
    yield { partition, trades: { ...book.columns, length: n } };
  }
}

function fill(
  columns: TradeColumns,
  n: number,
  arrival: number,
  made: number,
  stepMs: number,
  prices: Float64Array,
  random: () => number,
): void {
  for (let i = 0; i < n; i++) {
    const instrument = Math.floor(random() * prices.length);
    const price = Math.max(100, (prices[instrument] as number) + Math.floor(random() * 5) - 2);
    prices[instrument] = price;
    columns.instrument[i] = instrument;
    columns.side[i] = random() < 0.5 ? 1 : 2;
    columns.eventMs[i] = BACKLOG_START_MS + (made + i) * stepMs;
    columns.recvMs[i] = BACKLOG_START_MS + (made + i) * stepMs + 3;
    columns.price[i] = price;
    columns.priceDecimals[i] = 2;
    columns.pricePrinted[i] = 2;
    columns.size[i] = 1 + Math.floor(random() * 900);
    columns.tradeId[i] = made + i;
    columns.arrival[i] = arrival + i;
  }
}

/** Appends the frames of the backlog to the trades topic, which is made when it is not there. */
export async function preload(log: Log, options: BacklogOptions): Promise<void> {
  await log.ensureTopics([{ name: TOPICS.trades, partitions: options.partitions }]);
  let transaction = await log.transaction('preload');
  let frames = 0;
  for (const { partition, trades } of backlogFrames(options)) {
    transaction.append(TOPICS.trades, partition, encodeTrades(trades));
    if (++frames % FRAMES_PER_TRANSACTION > 0) continue;
    await transaction.commit();
    transaction = await log.transaction('preload');
  }
  await transaction.commit();
}
