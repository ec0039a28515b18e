/** Bars, profiles and statistics to and from the columns of sql/clickhouse. Pure. */
import type { Bar, BarState, Profile, ProfileRow, Stats } from '#shared/bars.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { int64At, type NativeBlock } from './native-reader.ts';
import { NativeWriter } from './native-writer.ts';

const STATES: readonly BarState[] = ['provisional', 'final', 'revised'];
const STATE_TYPE = "Enum8('provisional' = 0, 'final' = 1, 'revised' = 2)";
const TIMEFRAME_TYPE = "Enum8('1m' = 0, '5m' = 1, '15m' = 2, '1h' = 3, '1d' = 4)";
const START_TYPE = "DateTime64(3, 'UTC')";

/** True when version `a` is to be kept rather than `b` (SPEC ST-3). */
export function isNewer(
  a: { revision: number; tradeCount: number },
  b: { revision: number; tradeCount: number },
): boolean {
  return a.revision === b.revision ? a.tradeCount >= b.tradeCount : a.revision > b.revision;
}

/** Revision in the upper half, trade count in the lower. */
function versions(block: NativeWriter, rows: readonly { revision: number; tradeCount: number }[]): void {
  const words = new Uint32Array(rows.length * 2);
  for (const [i, row] of rows.entries()) words.set([row.tradeCount, row.revision], i * 2);
  block.raw('version', 'UInt64', words);
}

function instruments(block: NativeWriter, rows: readonly { instrument: string }[]): void {
  const ids = rows.map((row) => row.instrument);
  block.lowCardinality(
    'venue',
    ids.map((id) => id.slice(0, id.indexOf(':'))),
  );
  block.lowCardinality(
    'symbol',
    ids.map((id) => id.slice(id.indexOf(':') + 1)),
  );
}

export function barBlock(bars: readonly Bar[]): NativeWriter {
  const block = new NativeWriter(bars.length);
  instruments(block, bars);
  block.uint8(
    'timeframe',
    bars.map((b) => TIMEFRAMES.indexOf(b.timeframe)),
    TIMEFRAME_TYPE,
  );
  block.int64(
    'start',
    bars.map((b) => b.startMs),
    START_TYPE,
  );
  block.uint8(
    'price_scale',
    bars.map((b) => b.priceScale),
  );
  block.uint8(
    'size_scale',
    bars.map((b) => b.sizeScale),
  );
  for (const name of ['open', 'high', 'low', 'close'] as const)
    block.int64(
      name,
      bars.map((b) => b[name]),
    );
  block.int128(
    'volume',
    bars.map((b) => b.volume),
  );
  block.int128(
    'buy_volume',
    bars.map((b) => b.buyVolume),
  );
  block.int128(
    'sell_volume',
    bars.map((b) => b.sellVolume),
  );
  block.int256(
    'pv',
    bars.map((b) => b.pv),
  );
  block.uint32(
    'trade_count',
    bars.map((b) => b.tradeCount),
  );
  block.uint8(
    'state',
    bars.map((b) => STATES.indexOf(b.state)),
    STATE_TYPE,
  );
  block.uint32(
    'revision',
    bars.map((b) => b.revision),
  );
  versions(block, bars);
  return block;
}

export const BAR_SELECT =
  'venue, symbol, timeframe, start, price_scale, size_scale, open, high, low, close, volume, buy_volume, sell_volume, pv, trade_count, state, revision';

export function readBars(block: NativeBlock): Bar[] {
  const id = instrumentReader(block);
  const start = block.words('start');
  const [open, high, low, close] = [block.words('open'), block.words('high'), block.words('low'), block.words('close')];
  const [volume, buyVolume] = [block.bigints('volume'), block.bigints('buy_volume')];
  const [sellVolume, pv] = [block.bigints('sell_volume'), block.bigints('pv')];
  return Array.from({ length: block.rows }, (_, i) => ({
    instrument: id(i),
    timeframe: TIMEFRAMES[block.numbers('timeframe')[i] as 0],
    startMs: int64At(start, i * 2),
    ...versionFields(block, i),
    open: int64At(open, i * 2),
    high: int64At(high, i * 2),
    low: int64At(low, i * 2),
    close: int64At(close, i * 2),
    volume: volume[i] as bigint,
    buyVolume: buyVolume[i] as bigint,
    sellVolume: sellVolume[i] as bigint,
    pv: pv[i] as bigint,
    tradeCount: block.numbers('trade_count')[i] as number,
  }));
}

function versionFields(block: NativeBlock, i: number) {
  return {
    priceScale: block.numbers('price_scale')[i] as number,
    sizeScale: block.numbers('size_scale')[i] as number,
    state: STATES[block.numbers('state')[i] as number] as BarState,
    revision: block.numbers('revision')[i] as number,
  };
}

function instrumentReader(block: NativeBlock): (row: number) => string {
  const venue = block.dictionary('venue');
  const symbol = block.dictionary('symbol');
  return (row) => `${venue.keys[venue.indices[row] as number]}:${symbol.keys[symbol.indices[row] as number]}`;
}

/** Trades of a profile: the lower half of its version. */
export function profileTrades(profile: Profile): number {
  let trades = 0;
  for (const row of profile.rows) trades += row.tradeCount;
  return trades;
}

export function profileBlock(profiles: readonly Profile[]): NativeWriter {
  const block = new NativeWriter(profiles.length);
  const column = <T>(pick: (row: ProfileRow) => T): T[][] => profiles.map((p) => p.rows.map(pick));
  instruments(block, profiles);
  block.int64(
    'start',
    profiles.map((p) => p.startMs),
    START_TYPE,
  );
  block.uint8(
    'price_scale',
    profiles.map((p) => p.priceScale),
  );
  block.uint8(
    'size_scale',
    profiles.map((p) => p.sizeScale),
  );
  block.int64Arrays(
    'prices',
    column((row) => row.price),
  );
  block.int128Arrays(
    'volumes',
    column((row) => row.volume),
  );
  block.int128Arrays(
    'buy_volumes',
    column((row) => row.buyVolume),
  );
  block.int128Arrays(
    'sell_volumes',
    column((row) => row.sellVolume),
  );
  block.uint32Arrays(
    'trade_counts',
    column((row) => row.tradeCount),
  );
  block.uint8(
    'state',
    profiles.map((p) => STATES.indexOf(p.state)),
    STATE_TYPE,
  );
  block.uint32(
    'revision',
    profiles.map((p) => p.revision),
  );
  versions(
    block,
    profiles.map((p) => ({ revision: p.revision, tradeCount: profileTrades(p) })),
  );
  return block;
}

export const PROFILE_SELECT =
  'venue, symbol, start, price_scale, size_scale, prices, volumes, buy_volumes, sell_volumes, trade_counts, state, revision';

export function readProfiles(block: NativeBlock): Profile[] {
  const id = instrumentReader(block);
  const start = block.words('start');
  const { ends, values: prices } = block.arrays('prices');
  const volumes = bigints(block, 'volumes');
  const buys = bigints(block, 'buy_volumes');
  const sells = bigints(block, 'sell_volumes');
  const counts = block.arrays('trade_counts').values;
  if (prices.kind !== 'words' || counts.kind !== 'numbers')
    throw new Error('Profiles are not stored as they should be');
  return Array.from({ length: block.rows }, (_, i) => {
    const from = i === 0 ? 0 : (ends[i - 1] as number);
    const rows: ProfileRow[] = [];
    for (let at = from; at < (ends[i] as number); at++) {
      rows.push({
        price: int64At(prices.words, at * 2),
        volume: volumes[at] as bigint,
        buyVolume: buys[at] as bigint,
        sellVolume: sells[at] as bigint,
        tradeCount: counts.numbers[at] as number,
      });
    }
    return { instrument: id(i), startMs: int64At(start, i * 2), ...versionFields(block, i), rows };
  });
}

function bigints(block: NativeBlock, name: string): bigint[] {
  const { values } = block.arrays(name);
  if (values.kind !== 'bigints') throw new Error('Profiles are not stored as they should be');
  return values.bigints;
}

const STATS_INTEGERS = [
  ['event_ms', 'eventMs'],
  ['last_price', 'lastPrice'],
  ['spread', 'spread'],
  ['change', 'change'],
  ['day_open', 'dayOpen'],
  ['day_high', 'dayHigh'],
  ['day_low', 'dayLow'],
] as const;
const STATS_FLOATS = [
  ['spread_bps', 'spreadBps'],
  ['vwap_30s', 'vwap30s'],
  ['average_30s', 'average30s'],
  ['realised_volatility', 'realisedVolatility'],
  ['change_fraction', 'changeFraction'],
] as const;
const STATS_COUNTS = [
  ['trades_30s', 'trades30s'],
  ['day_trades', 'dayTrades'],
] as const;
const STATS_SUMS = [
  ['volume_30s', 'volume30s'],
  ['day_volume', 'dayVolume'],
] as const;
export const STATS_SELECT = [
  'venue, symbol, price_scale, size_scale',
  ...[...STATS_INTEGERS, ...STATS_FLOATS, ...STATS_COUNTS, ...STATS_SUMS].map(([name]) => name),
].join(', ');

/** Newest event time wins; of two with the same, the one that was written later. */
export function statsBlock(stats: readonly Stats[]): NativeWriter {
  const block = new NativeWriter(stats.length);
  instruments(block, stats);
  block.uint8(
    'price_scale',
    stats.map((s) => s.priceScale),
  );
  block.uint8(
    'size_scale',
    stats.map((s) => s.sizeScale),
  );
  for (const [name, field] of STATS_INTEGERS)
    block.int64(
      name,
      stats.map((s) => s[field]),
    );
  for (const [name, field] of STATS_FLOATS)
    block.float64(
      name,
      stats.map((s) => s[field]),
    );
  for (const [name, field] of STATS_COUNTS)
    block.uint32(
      name,
      stats.map((s) => s[field]),
    );
  for (const [name, field] of STATS_SUMS)
    block.int128(
      name,
      stats.map((s) => s[field]),
    );
  block.int64(
    'version',
    stats.map((s) => (Number.isFinite(s.eventMs) ? s.eventMs : 0)),
    'UInt64',
  );
  return block;
}

export function readStats(block: NativeBlock): Stats[] {
  const id = instrumentReader(block);
  return Array.from({ length: block.rows }, (_, i) => {
    const fields: Record<string, number | bigint> = {};
    for (const [name, field] of STATS_INTEGERS) fields[field] = int64At(block.words(name), i * 2);
    for (const [name, field] of [...STATS_FLOATS, ...STATS_COUNTS]) fields[field] = block.numbers(name)[i] as number;
    for (const [name, field] of STATS_SUMS) fields[field] = block.bigints(name)[i] as bigint;
    fields['priceScale'] = block.numbers('price_scale')[i] as number;
    fields['sizeScale'] = block.numbers('size_scale')[i] as number;
    return { instrument: id(i), ...fields } as unknown as Stats;
  });
}
