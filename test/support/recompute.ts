/**
 * Bars and profiles of a CSV tape, computed the plain way: every row split at its commas, every number a bigint fraction, every
 * window a list of its trades. Written apart from the engine and sharing no code with it, so that the two can disagree.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';

const LENGTH_NS: Record<string, bigint> = {
  '1m': 60n * 1_000_000_000n,
  '5m': 300n * 1_000_000_000n,
  '15m': 900n * 1_000_000_000n,
  '1h': 3_600n * 1_000_000_000n,
  '1d': 86_400n * 1_000_000_000n,
};

interface TapeTrade {
  venue: string;
  symbol: string;
  timeNs: bigint;
  /** Decimal with 18 places. */
  price: bigint;
  size: bigint;
  side: string;
}

const PLACES = 18;
const ONE = 10n ** BigInt(PLACES);

function fixed(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  if (fraction.length > PLACES) throw new Error(`more than ${PLACES} places: ${text}`);
  return BigInt(whole) * ONE + BigInt(fraction.padEnd(PLACES, '0') || '0');
}

/** Prints a decimal of `places` places without padding zeros. */
function plain(value: bigint, places: number): string {
  const text = value.toString().padStart(places + 1, '0');
  const whole = text.slice(0, text.length - places);
  const fraction = text.slice(text.length - places).replace(/0+$/, '');
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

export async function readTape(path: string): Promise<string[][]> {
  const input = createReadStream(path);
  const lines = createInterface({
    input: path.endsWith('.gz') ? input.pipe(createGunzip()) : input,
    crlfDelay: Infinity,
  });
  const rows: string[][] = [];
  for await (const line of lines) rows.push(line.split(','));
  return rows;
}

export async function readTrades(paths: readonly string[]): Promise<TapeTrade[]> {
  const trades: TapeTrade[] = [];
  for (const path of paths) {
    const [header = [], ...rows] = await readTape(path);
    const at = (name: string): number => header.indexOf(name);
    for (const row of rows) {
      trades.push({
        venue: row[at('venue')] ?? '',
        symbol: row[at('symbol')] ?? '',
        timeNs: BigInt(row[at('ts_event_ns')] ?? ''),
        price: fixed(row[at('price')] ?? ''),
        size: fixed(row[at('size')] ?? ''),
        side: row[at('side')] ?? '',
      });
    }
  }
  return trades;
}

/** Windows of the tape in the order of the CSV: venue, symbol, start. */
function windows(trades: readonly TapeTrade[], lengthNs: bigint): [TapeTrade, bigint, TapeTrade[]][] {
  const groups = new Map<string, TapeTrade[]>();
  for (const trade of trades) {
    const start = (trade.timeNs / lengthNs) * lengthNs;
    const key = `${trade.venue},${trade.symbol},${start.toString().padStart(20, '0')}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [trade]);
    else group.push(trade);
  }
  return [...groups.entries()]
    .sort(([a], [b]) => compareKeys(a, b))
    .map(([key, group]) => [group[0] as TapeTrade, BigInt(key.split(',')[2] as string), group]);
}

function compareKeys(a: string, b: string): number {
  const left = a.split(',');
  const right = b.split(',');
  for (let i = 0; i < 3; i++) {
    if ((left[i] as string) < (right[i] as string)) return -1;
    if ((left[i] as string) > (right[i] as string)) return 1;
  }
  return 0;
}

function utc(startNs: bigint): string {
  return new Date(Number(startNs / 1_000_000n)).toISOString().replace('.000Z', 'Z');
}

/** Half-even quotient at 12 places. */
function vwap(pv: bigint, volume: bigint): string {
  const scaled = pv * 10n ** 12n;
  const divisor = volume * ONE;
  let quotient = scaled / divisor;
  const rest = (scaled % divisor) * 2n;
  if (rest > divisor || (rest === divisor && quotient % 2n === 1n)) quotient += 1n;
  return plain(quotient, 12);
}

/** Rows `venue,symbol,start_ns,start_utc,open,high,low,close,volume,vwap,trade_count`, sorted, without state and revision. */
export function recomputeBars(trades: readonly TapeTrade[], timeframe: string): string[] {
  const lengthNs = LENGTH_NS[timeframe];
  if (lengthNs === undefined) throw new Error(`no timeframe ${timeframe}`);
  return windows(trades, lengthNs).map(([first, startNs, group]) => {
    const ordered = [...group].sort((a, b) => (a.timeNs < b.timeNs ? -1 : a.timeNs > b.timeNs ? 1 : 0));
    const prices = ordered.map((t) => t.price);
    const high = prices.reduce((a, b) => (b > a ? b : a));
    const low = prices.reduce((a, b) => (b < a ? b : a));
    const volume = ordered.reduce((sum, t) => sum + t.size, 0n);
    const pv = ordered.reduce((sum, t) => sum + t.price * t.size, 0n);
    return [
      first.venue,
      first.symbol,
      startNs,
      utc(startNs),
      plain(prices[0] as bigint, PLACES),
      plain(high, PLACES),
      plain(low, PLACES),
      plain(prices.at(-1) as bigint, PLACES),
      plain(volume, PLACES),
      vwap(pv, volume),
      ordered.length,
    ].join(',');
  });
}

/** Rows `venue,symbol,start_ns,start_utc,price,volume,buy_volume,sell_volume,trade_count`, by venue, symbol, start, price. */
export function recomputeProfiles(trades: readonly TapeTrade[]): string[] {
  return windows(trades, LENGTH_NS['5m'] as bigint).flatMap(([first, startNs, group]) => {
    const rows = new Map<bigint, TapeTrade[]>();
    for (const trade of group) rows.set(trade.price, [...(rows.get(trade.price) ?? []), trade]);
    const sum = (list: TapeTrade[]): string =>
      plain(
        list.reduce((total, t) => total + t.size, 0n),
        PLACES,
      );
    return [...rows.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([price, list]) =>
        [
          first.venue,
          first.symbol,
          startNs,
          utc(startNs),
          plain(price, PLACES),
          sum(list),
          sum(list.filter((t) => t.side === 'buy')),
          sum(list.filter((t) => t.side === 'sell')),
          list.length,
        ].join(','),
      );
  });
}
