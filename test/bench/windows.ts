/**
 * Ticks a second through the window engine on one core: pre-built batches of 500 (what a log frame decodes to), with duplicate checks
 * by id, eligibility by condition code, panes, bars of 1m 5m 15m 1h 1d, VWAP sums, volume profile, and a drain of what is final every
 * 50 batches. Beside it the naive way on the same ticks: a JSON object per tick, a Set of ids, a Map of bar objects, float sums.
 */
import { existsSync } from 'node:fs';
import { SIDE_NAMES, type TradeColumns, tradeColumns } from '#shared/ticks.ts';
import { createWindowEngine } from '../../core/windows/engine.ts';
import { TAPES } from '../support/data.ts';
import { readTape } from '../support/recompute.ts';
import { rng } from '../support/rng.ts';
import type { TapeRow } from '../support/window-oracle.ts';
import { batchOf } from '../support/window-run.ts';

const BATCH = 500;
const TICKS = 1_000_000;
const ROUNDS = 7;
const NAIVE_TICKS = 200_000;
const DRAIN_BATCHES = 50;
const START_MS = Date.UTC(2024, 0, 3, 14, 30);

/** @param perSecond ticks a second of event time, over all instruments */
function synthetic(ticks: number, instruments: number, perSecond: number): TradeColumns[] {
  const random = rng(1);
  const price = Array.from({ length: instruments }, () => 1_000 + Math.floor(random() * 50_000));
  const ids = new Float64Array(instruments);
  const codes = ['', '@', '@F', '@', '@  I', '@ TI', 'F'];
  const batches: TradeColumns[] = [];
  for (let from = 0; from < ticks; from += BATCH) {
    const columns = tradeColumns(BATCH);
    for (let i = 0; i < BATCH; i++) {
      const x = Math.floor(instruments * random() ** 3);
      // In order, but for one in a hundred that comes up to 50 ms late.
      const at = ((from + i) * 1000) / perSecond - (random() < 0.01 ? random() * 50 : 0);
      const ms = START_MS + Math.max(0, Math.floor(at));
      price[x] = Math.max(100, (price[x] as number) + Math.floor(random() * 5) - 2);
      let mantissa = price[x] as number;
      let decimals = 2;
      while (decimals > 0 && mantissa % 10 === 0) {
        mantissa /= 10;
        decimals--;
      }
      columns.instrument[i] = columns.instruments.intern(`sip_utp:SYM${x}`);
      columns.side[i] = Math.floor(random() * 3);
      columns.eventMs[i] = ms;
      columns.eventSubNs[i] = Math.floor(Math.max(0, at % 1) * 1_000_000);
      columns.recvMs[i] = ms + 3;
      columns.price[i] = mantissa;
      columns.priceDecimals[i] = decimals;
      columns.size[i] = 1 + Math.floor(random() * 900);
      columns.tradeId[i] = ids[x] as number;
      ids[x] = (ids[x] as number) + 1;
      columns.conditions[i] = columns.strings.intern(codes[Math.floor(random() * codes.length)] as string);
      columns.arrival[i] = from + i;
    }
    batches.push({ ...columns, length: BATCH });
  }
  return batches;
}

function* rowsOf(batches: readonly TradeColumns[]): Generator<string> {
  for (const b of batches) {
    for (let i = 0; i < b.length; i++) {
      yield JSON.stringify({
        s: b.instruments.values[b.instrument[i] as number],
        t: b.eventMs[i],
        p: (b.price[i] as number) / 10 ** (b.priceDecimals[i] as number),
        q: (b.size[i] as number) / 10 ** (b.sizeDecimals[i] as number),
        side: SIDE_NAMES[b.side[i] as 0 | 1 | 2],
        id: b.tradeId[i],
      });
    }
  }
}

interface NaiveBar {
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  pv: number;
  n: number;
  vwap: number;
}

function naive(lines: readonly string[]): number {
  const seen = new Set<string>();
  const bars = new Map<string, NaiveBar>();
  const profiles = new Map<string, Map<number, number>>();
  const lengths = [60_000, 300_000, 900_000, 3_600_000, 86_400_000];
  for (const line of lines) {
    const tick = JSON.parse(line) as { s: string; t: number; p: number; q: number; id: number };
    if (tick.id >= 0) {
      const id = `${tick.s}:${tick.id}`;
      if (seen.has(id)) continue;
      seen.add(id);
    }
    for (const length of lengths) {
      const key = `${tick.s}:${length}:${Math.floor(tick.t / length)}`;
      const bar = bars.get(key);
      if (bar === undefined) {
        const { p, q } = tick;
        bars.set(key, { open: p, high: p, low: p, close: p, volume: q, pv: p * q, n: 1, vwap: p });
        continue;
      }
      bar.high = Math.max(bar.high, tick.p);
      bar.low = Math.min(bar.low, tick.p);
      bar.close = tick.p;
      bar.volume += tick.q;
      bar.pv += tick.p * tick.q;
      bar.n += 1;
      bar.vwap = bar.pv / bar.volume;
    }
    const key = `${tick.s}:${Math.floor(tick.t / 300_000)}`;
    const profile = profiles.get(key) ?? new Map<number, number>();
    profiles.set(key, profile);
    profile.set(tick.p, (profile.get(tick.p) ?? 0) + tick.q);
  }
  return bars.size;
}

/** CPU seconds that this thread has used: other work on the machine does not count. */
function cpuSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

/** Median ticks a CPU second over the rounds, each on a new engine. */
function measure(batches: readonly TradeColumns[], rounds: number): { rate: number; bars: number } {
  const rates: number[] = [];
  let bars = 0;
  const ticks = batches.reduce((sum, batch) => sum + batch.length, 0);
  for (let round = 0; round < rounds; round++) {
    const engine = createWindowEngine();
    bars = 0;
    const start = cpuSeconds();
    for (let k = 0; k < batches.length; k++) {
      engine.onTrades(batches[k] as TradeColumns, k);
      if (k % DRAIN_BATCHES === 0) bars += engine.drain({ provisional: false }).bars.length;
    }
    bars += engine.drain({ provisional: true }).bars.length;
    rates.push(ticks / (cpuSeconds() - start));
  }
  return { rate: median(rates), bars };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] as number;
}

function report(name: string, batches: readonly TradeColumns[]): void {
  const { rate, bars } = measure(batches, ROUNDS);
  const ticks = batches.reduce((sum, batch) => sum + batch.length, 0);
  const lines = [...rowsOf(batches.slice(0, Math.ceil(NAIVE_TICKS / BATCH)))];
  const naiveRates = Array.from({ length: 3 }, () => {
    const start = cpuSeconds();
    naive(lines);
    return lines.length / (cpuSeconds() - start);
  });
  const base = median(naiveRates);
  const million = (n: number): string => (n / 1e6).toFixed(2).padStart(6);
  console.log(
    `${name.padEnd(44)} ${ticks.toLocaleString('en').padStart(9)} ticks ${bars.toLocaleString('en').padStart(7)} bars ` +
      `engine ${million(rate)} M/s  naive ${million(base)} M/s  ratio ${(rate / base).toFixed(1)}`,
  );
}

async function tape(path: string): Promise<TradeColumns[]> {
  const [header = [], ...rows] = await readTape(path);
  const at = (row: string[], name: string): string => row[header.indexOf(name)] ?? '';
  const batches: TradeColumns[] = [];
  for (let from = 0; from < rows.length; from += BATCH) {
    const part = rows.slice(from, from + BATCH).map((row): TapeRow => {
      const ns = at(row, 'ts_event_ns');
      return {
        instrument: `${at(row, 'venue')}:${at(row, 'symbol')}`,
        kind: 'trade',
        id: at(row, 'trade_id'),
        ms: Number(ns.slice(0, -6)),
        sub: Number(ns.slice(-6)),
        price: at(row, 'price'),
        size: at(row, 'size'),
        side: at(row, 'side') as TapeRow['side'],
      };
    });
    batches.push(batchOf(part, from));
  }
  return batches;
}

export async function run(): Promise<void> {
  console.log(
    `method: batches of ${BATCH}, median of ${ROUNDS} rounds on new engines, CPU time of the thread; naive: median of 3 over ${NAIVE_TICKS} ticks`,
  );
  report('200 instruments, skewed, 20,000 ticks/s', synthetic(TICKS, 200, 20_000));
  report('200 instruments, skewed, 2,000 ticks/s', synthetic(TICKS, 200, 2_000));
  report('2,000 instruments, skewed, 20,000 ticks/s', synthetic(TICKS, 2_000, 20_000));
  report('1 instrument, 20,000 ticks/s', synthetic(TICKS, 1, 20_000));
  for (const [name, path] of [
    ['ASX trades, 10-12 March 2014', TAPES.asxTrades],
    ['Binance trades, 8 August 2024', TAPES.cryptoTrades],
  ] as const) {
    if (existsSync(path)) report(name, await tape(path));
    else console.log(`${name}: skipped, the tape is not there`);
  }
}
