/**
 * Log records of bars, profiles and statistics: a version byte, a kind byte, then one MessagePack array
 * `[instruments, row, row, …]`. A row is an array; its first element is the index of its instrument. Sums are integers
 * where they fit into 2^53 - 1, else decimal text, so that no reader needs 64-bit integers.
 */
import { Packr } from 'msgpackr';
import type { Bar, BarState, Profile, ProfileRow, Stats } from '#shared/bars.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';

export const RECORD_VERSION = 1;
export const RECORD_KIND = { bars: 0x42, profiles: 0x50, stats: 0x53 } as const;
export const BAR_STATES: readonly BarState[] = ['provisional', 'final', 'revised'];

const packr = new Packr({ useRecords: false });
const SUM_TEXT = /^-?\d{1,512}$/;

type Field = number | string;

class Instruments {
  readonly values: string[] = [];
  readonly #index = new Map<string, number>();

  of(instrument: string): number {
    let index = this.#index.get(instrument);
    if (index === undefined) {
      index = this.values.push(instrument) - 1;
      this.#index.set(instrument, index);
    }
    return index;
  }
}

function pack(kind: number, instruments: Instruments, rows: readonly unknown[]): Uint8Array {
  const body = packr.pack([instruments.values, ...rows]);
  const bytes = new Uint8Array(body.length + 2);
  bytes[0] = RECORD_VERSION;
  bytes[1] = kind;
  bytes.set(body, 2);
  return bytes;
}

/** Rows with their instrument; undefined when the bytes are no record of this kind and version, or `read` refuses a row. */
function unpack<T>(
  bytes: Uint8Array,
  kind: number,
  read: (row: unknown[], instrument: string) => T | undefined,
): T[] | undefined {
  if (bytes.length < 3 || bytes[0] !== RECORD_VERSION || bytes[1] !== kind) return undefined;
  let content: unknown;
  try {
    content = packr.unpack(bytes.subarray(2));
  } catch {
    return undefined;
  }
  if (!Array.isArray(content)) return undefined;
  const instruments: unknown = content[0];
  if (!Array.isArray(instruments)) return undefined;
  const result: T[] = [];
  for (let i = 1; i < content.length; i++) {
    const row: unknown = content[i];
    if (!Array.isArray(row)) return undefined;
    const instrument: unknown = instruments[row[0] as number];
    if (typeof instrument !== 'string') return undefined;
    const value = read(row, instrument);
    if (value === undefined) return undefined;
    result.push(value);
  }
  return result;
}

function sum(value: bigint): Field {
  return value <= 9_007_199_254_740_991n && value >= -9_007_199_254_740_991n ? Number(value) : value.toString();
}

function readSum(value: unknown): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === 'string' && SUM_TEXT.test(value) ? BigInt(value) : undefined;
}

function allNumbers(row: readonly unknown[], from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (typeof row[i] !== 'number') return false;
  return true;
}

export function encodeBars(bars: readonly Bar[]): Uint8Array {
  const instruments = new Instruments();
  const rows = bars.map((bar) => [
    instruments.of(bar.instrument),
    TIMEFRAMES.indexOf(bar.timeframe),
    bar.startMs,
    bar.priceScale,
    bar.sizeScale,
    bar.open,
    bar.high,
    bar.low,
    bar.close,
    bar.tradeCount,
    BAR_STATES.indexOf(bar.state),
    bar.revision,
    sum(bar.volume),
    sum(bar.buyVolume),
    sum(bar.sellVolume),
    sum(bar.pv),
  ]);
  return pack(RECORD_KIND.bars, instruments, rows);
}

/** undefined when the bytes are no record of bars. Never throws. */
export function decodeBars(bytes: Uint8Array): Bar[] | undefined {
  return unpack(bytes, RECORD_KIND.bars, (row, instrument) => {
    if (!allNumbers(row, 1, 12)) return undefined;
    const [, tf, startMs, priceScale, sizeScale, open, high, low, close, tradeCount, stateIndex, revision] = row as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const timeframe = TIMEFRAMES[tf];
    const state = BAR_STATES[stateIndex];
    const volume = readSum(row[12]);
    const buyVolume = readSum(row[13]);
    const sellVolume = readSum(row[14]);
    const pv = readSum(row[15]);
    if (timeframe === undefined || state === undefined || volume === undefined || buyVolume === undefined)
      return undefined;
    if (sellVolume === undefined || pv === undefined) return undefined;
    return {
      instrument,
      timeframe,
      startMs,
      priceScale,
      sizeScale,
      open,
      high,
      low,
      close,
      volume,
      buyVolume,
      sellVolume,
      pv,
      tradeCount,
      state,
      revision,
    };
  });
}

export function encodeProfiles(profiles: readonly Profile[]): Uint8Array {
  const instruments = new Instruments();
  const rows = profiles.map((profile) => {
    const cells: Field[] = [];
    for (const row of profile.rows) {
      cells.push(row.price, row.tradeCount, sum(row.volume), sum(row.buyVolume), sum(row.sellVolume));
    }
    const state = BAR_STATES.indexOf(profile.state);
    return [
      instruments.of(profile.instrument),
      profile.startMs,
      profile.priceScale,
      profile.sizeScale,
      state,
      profile.revision,
      cells,
    ];
  });
  return pack(RECORD_KIND.profiles, instruments, rows);
}

/** undefined when the bytes are no record of profiles. Never throws. */
export function decodeProfiles(bytes: Uint8Array): Profile[] | undefined {
  return unpack(bytes, RECORD_KIND.profiles, (row, instrument) => {
    const cells = row[6];
    if (!allNumbers(row, 1, 6) || !Array.isArray(cells) || cells.length % 5 !== 0) return undefined;
    const [, startMs, priceScale, sizeScale, stateIndex, revision] = row as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const state = BAR_STATES[stateIndex];
    if (state === undefined) return undefined;
    const rows: ProfileRow[] = [];
    for (let i = 0; i < cells.length; i += 5) {
      const volume = readSum(cells[i + 2]);
      const buyVolume = readSum(cells[i + 3]);
      const sellVolume = readSum(cells[i + 4]);
      if (!allNumbers(cells, i, i + 2) || volume === undefined || buyVolume === undefined || sellVolume === undefined)
        return undefined;
      rows.push({ price: cells[i] as number, tradeCount: cells[i + 1] as number, volume, buyVolume, sellVolume });
    }
    return { instrument, startMs, priceScale, sizeScale, state, revision, rows };
  });
}

const STATS_NUMBERS = [
  'priceScale',
  'sizeScale',
  'eventMs',
  'lastPrice',
  'spread',
  'spreadBps',
  'vwap30s',
  'average30s',
  'trades30s',
  'realisedVolatility',
  'change',
  'changeFraction',
  'dayOpen',
  'dayHigh',
  'dayLow',
  'dayTrades',
] as const satisfies readonly (keyof Stats)[];

export function encodeStats(stats: readonly Stats[]): Uint8Array {
  const instruments = new Instruments();
  const rows = stats.map((s) => [
    instruments.of(s.instrument),
    ...STATS_NUMBERS.map((name) => s[name]),
    sum(s.volume30s),
    sum(s.dayVolume),
  ]);
  return pack(RECORD_KIND.stats, instruments, rows);
}

/** undefined when the bytes are no record of statistics. Never throws. */
export function decodeStats(bytes: Uint8Array): Stats[] | undefined {
  return unpack(bytes, RECORD_KIND.stats, (row, instrument) => {
    const end = 1 + STATS_NUMBERS.length;
    const volume30s = readSum(row[end]);
    const dayVolume = readSum(row[end + 1]);
    if (!allNumbers(row, 1, end) || volume30s === undefined || dayVolume === undefined) return undefined;
    const numbers = Object.fromEntries(STATS_NUMBERS.map((name, i) => [name, row[i + 1] as number]));
    return { instrument, ...(numbers as Record<(typeof STATS_NUMBERS)[number], number>), volume30s, dayVolume };
  });
}
