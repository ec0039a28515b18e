/**
 * Bars the plain way: lists of trades, bigints, no state. Written apart from the engine and sharing none of its code, so that the two
 * can disagree. Values at 18 places.
 */

export interface TapeRow {
  instrument: string;
  kind: 'trade' | 'cancel' | 'correction';
  /** '' = none. */
  id: string;
  ms: number;
  sub: number;
  /** Decimal text. */
  price: string;
  size: string;
  side: '' | 'buy' | 'sell';
}

export interface PlainBar {
  open: bigint;
  high: bigint;
  low: bigint;
  close: bigint;
  volume: bigint;
  buyVolume: bigint;
  sellVolume: bigint;
  /** At 36 places. */
  pv: bigint;
  tradeCount: number;
  revision: number;
}

const LENGTHS: [string, number][] = [
  ['1m', 60_000],
  ['5m', 300_000],
  ['15m', 900_000],
  ['1h', 3_600_000],
  ['1d', 86_400_000],
];

export function at18(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(18, '0'));
}

interface Counted {
  row: TapeRow;
  order: number;
  price: bigint;
  size: bigint;
}

/** Rows in log order. Keys `instrument timeframe start`; only bars that hold a trade. All bars are final at the end. */
export function plainBars(rows: readonly TapeRow[], graceMs: number): Map<string, PlainBar> {
  const late = new Map<string, number>();
  const alive = new Set<Counted>();
  const byId = new Map<string, Counted | 'cancelled'>();
  const amendments = new Map<string, { row: TapeRow; order: number }>();
  const watermarks = new Map<string, number>();
  const keys = (row: TapeRow): [string, number][] =>
    LENGTHS.map(([tf, length]) => {
      const start = row.ms - (row.ms % length);
      return [`${row.instrument} ${tf} ${start}`, start + length];
    });
  const changed = (row: TapeRow, watermark: number): void => {
    for (const [key, end] of keys(row)) if (end + graceMs <= watermark) late.set(key, (late.get(key) ?? 0) + 1);
  };
  rows.forEach((row, order) => {
    const venue = row.instrument.split(':')[0] as string;
    if (row.kind === 'trade') watermarks.set(venue, Math.max(watermarks.get(venue) ?? -1, row.ms));
    const watermark = watermarks.get(venue) ?? -1;
    const name = `${row.instrument} ${row.id}`;
    if (row.kind === 'trade') {
      if (row.id !== '' && byId.has(name)) return;
      const counted: Counted = { row, order, price: at18(row.price), size: at18(row.size) };
      const amendment = row.id === '' ? undefined : amendments.get(name);
      if (amendment?.row.kind === 'cancel') {
        byId.set(name, 'cancelled');
        return;
      }
      if (amendment !== undefined) {
        counted.price = at18(amendment.row.price);
        counted.size = at18(amendment.row.size);
      }
      if (row.id !== '') byId.set(name, counted);
      alive.add(counted);
      changed(row, watermark);
      return;
    }
    const before = amendments.get(name);
    if (before?.row.kind === 'cancel') return;
    if (row.kind === 'correction' && before !== undefined) {
      if (row.ms < before.row.ms || (row.ms === before.row.ms && row.sub < before.row.sub)) return;
    }
    amendments.set(name, { row, order });
    const target = byId.get(name);
    if (target === undefined || target === 'cancelled') return;
    if (row.kind === 'cancel') {
      alive.delete(target);
      byId.set(name, 'cancelled');
    } else {
      target.price = at18(row.price);
      target.size = at18(row.size);
    }
    changed(target.row, watermark);
  });
  const groups = new Map<string, Counted[]>();
  for (const counted of alive) {
    for (const [key] of keys(counted.row)) groups.set(key, [...(groups.get(key) ?? []), counted]);
  }
  return new Map([...groups].map(([key, group]) => [key, barOf(group, 1 + (late.get(key) ?? 0))]));
}

function place({ row, order }: Counted): [number, number, number, number] {
  return [row.ms, row.sub, /^\d+$/.test(row.id) ? Number(row.id) : order, order];
}

function barOf(group: Counted[], revision: number): PlainBar {
  const sorted = [...group].sort((a, b) => {
    const left = place(a);
    const right = place(b);
    for (let i = 0; i < 4; i++) if (left[i] !== right[i]) return (left[i] as number) - (right[i] as number);
    return 0;
  });
  const prices = sorted.map((t) => t.price);
  const sum = (list: Counted[]): bigint => list.reduce((total, t) => total + t.size, 0n);
  return {
    open: prices[0] as bigint,
    high: prices.reduce((a, b) => (a > b ? a : b)),
    low: prices.reduce((a, b) => (a < b ? a : b)),
    close: prices.at(-1) as bigint,
    volume: sum(sorted),
    buyVolume: sum(sorted.filter((t) => t.row.side === 'buy')),
    sellVolume: sum(sorted.filter((t) => t.row.side === 'sell')),
    pv: sorted.reduce((total, t) => total + t.price * t.size, 0n),
    tradeCount: sorted.length,
    revision,
  };
}
