/**
 * Question: how fast are log frames written and read, and what do they weigh?
 * Method: frames of 500 trades and of 500 quotes, shaped like the recorded ones; median of nine runs of 2,000 frames, CPU time. Beside
 * it: the same ticks as JSON.
 */
import { decodeFrame, encodeQuotes, encodeTrades } from '#shared/frame.ts';
import { NO_TIME, quoteColumns, tradeColumns } from '#shared/ticks.ts';
import { plainTicks } from '../support/arbitrary-ticks.ts';
import { rng } from '../support/rng.ts';

const TICKS = 500;
const FRAMES = 2_000;
const RUNS = 9;
const START_MS = 1_723_161_255_000;

export async function run(): Promise<void> {
  const trades = sampleTrades();
  const quotes = sampleQuotes();
  measure('trades', () => encodeTrades(trades), plainTicks(trades));
  measure('quotes', () => encodeQuotes(quotes), plainTicks(quotes));
}

function measure(name: string, encode: () => Uint8Array, plain: readonly unknown[]): void {
  const frame = encode();
  const json = JSON.stringify(plain);
  const rows: [string, number, number, number][] = [
    ['frame', rate(encode, FRAMES), rate(() => decodeFrame(frame), FRAMES), frame.length],
    [
      'JSON',
      rate(() => JSON.stringify(plain), FRAMES / 50),
      rate(() => JSON.parse(json) as unknown, FRAMES / 50),
      json.length,
    ],
  ];
  for (const [form, write, read, bytes] of rows)
    console.log(
      `${name}, ${form}: write ${(write / 1e6).toFixed(1)} M/s, read ${(read / 1e6).toFixed(1)} M/s, ${(bytes / TICKS).toFixed(1)} bytes a tick`,
    );
}

/** Ticks a second of CPU time: the work is one thread's, and the machine may be shared. */
function rate(work: () => unknown, times: number): number {
  const runs: number[] = [];
  for (let r = 0; r < RUNS; r++) {
    const before = process.cpuUsage();
    for (let i = 0; i < times; i++) work();
    const { user, system } = process.cpuUsage(before);
    runs.push(user + system);
  }
  runs.sort((a, b) => a - b);
  return (times * TICKS * 1e6) / (runs[RUNS >> 1] as number);
}

function sampleTrades() {
  const random = rng(1);
  const columns = tradeColumns(TICKS);
  columns.length = TICKS;
  const conditions = columns.strings.intern('MARKET');
  for (const symbol of ['BTCUSDT', 'ETHUSDT', 'BTCUSD_PERP']) columns.instruments.intern(`binance_usdm:${symbol}`);
  for (let i = 0; i < TICKS; i++) {
    columns.instrument[i] = Math.floor(random() * 3);
    columns.side[i] = random() < 0.5 ? 1 : 2;
    columns.eventMs[i] = START_MS + i * 3;
    columns.recvMs[i] = START_MS - 1_200 + i * 3;
    columns.recvSubNs[i] = Math.floor(random() * 1_000_000);
    columns.price[i] = 6_183_763 + Math.floor(random() * 2_000);
    columns.priceDecimals[i] = 1 + Math.floor(random() * 2);
    columns.pricePrinted[i] = 8;
    columns.size[i] = Math.floor(10 ** (random() * 7));
    columns.sizeDecimals[i] = 3 + Math.floor(random() * 3);
    columns.sizePrinted[i] = 8;
    columns.tradeId[i] = 3_000_000_000 + i;
    columns.conditions[i] = conditions;
    columns.arrival[i] = 100_000 + i * 4;
  }
  return columns;
}

function sampleQuotes() {
  const random = rng(2);
  const columns = quoteColumns(TICKS);
  columns.length = TICKS;
  columns.instruments.intern('asx:BHP');
  columns.recvMs.fill(NO_TIME);
  for (let i = 0; i < TICKS; i++) {
    columns.eventMs[i] = START_MS + i * 11;
    columns.bidPrice[i] = 3_666 + Math.floor(random() * 5);
    columns.askPrice[i] = 3_671 + Math.floor(random() * 5);
    columns.bidSize[i] = Math.floor(random() * 100_000);
    columns.askSize[i] = Math.floor(random() * 100_000);
    columns.bidPriceDecimals[i] = 2;
    columns.askPriceDecimals[i] = 2;
    columns.arrival[i] = 100_000 + i;
  }
  return columns;
}
