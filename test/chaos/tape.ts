/** A tape for those without recorded ones, and how long a tape is. */
import { writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { readTape } from '../support/recompute.ts';
import { rng } from '../support/rng.ts';

const START_NS = 1_723_161_600_000_000_000n;
const SYMBOLS = 12;

/** Trades of twelve instruments over `minutes` of market, one every 5 ms in the middle. */
export function writeTape(path: string, minutes: number, seed: number): void {
  const random = rng(seed);
  const rows = ['ts_event_ns,ts_recv_ns,venue,symbol,price,size,side,trade_id,conditions'];
  const prices = Array.from({ length: SYMBOLS }, (_, i) => 1_000 + i * 731);
  const endMs = minutes * 60_000;
  for (let ms = 0, id = 1; ms < endMs; ms += Math.floor(random() * 11), id++) {
    const symbol = Math.floor(random() * SYMBOLS);
    const price = Math.max(50, (prices[symbol] as number) + Math.floor(random() * 7) - 3);
    prices[symbol] = price;
    const event = START_NS + BigInt(ms) * 1_000_000n;
    const size = `${Math.floor(random() * 40)}.${1 + Math.floor(random() * 8)}`;
    rows.push(
      `${event},${event + 900_000n},simulated,T${symbol},${(price / 100).toFixed(2)},${size},${random() < 0.5 ? 'buy' : 'sell'},${id},`,
    );
  }
  writeFileSync(path, gzipSync(`${rows.join('\n')}\n`));
}

/** Event time between the first and the last trade of the tapes, ms. */
export async function spanMs(paths: readonly string[]): Promise<number> {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const path of paths) {
    const [header = [], ...rows] = await readTape(path);
    const column = header.indexOf('ts_event_ns');
    for (const row of rows) {
      const ms = Number(row[column]) / 1e6;
      if (ms < first) first = ms;
      if (ms > last) last = ms;
    }
  }
  return Math.max(0, last - first);
}
