/** Fills the cache from the store at the start, so that the first readers do not all go to the store. */
import type { Bar } from '#shared/bars.ts';
import { TIMEFRAMES, type Timeframe } from '#shared/timeframes.ts';
import type { InstrumentRow, MarketStore } from '../stores/stores.ts';
import { instrumentId } from '#shared/topics.ts';
import type { HotCache } from './cache.ts';
import { barCodec } from './codecs.ts';
import { barKey, barVersion, referenceKey } from './keys.ts';

export interface WarmUpOptions {
  cache: HotCache;
  store: Pick<MarketStore, 'instruments' | 'bars'>;
  timeframes?: readonly Timeframe[];
  /** Newest bars of each instrument and timeframe. */
  barsEach?: number;
  /** The busiest instruments, by trades; the others come in when they are asked for. */
  maxInstruments?: number;
  signal?: AbortSignal;
}

export interface WarmUpReport {
  instruments: number;
  bars: number;
}

/** Writes references and newest bars. Stops without error when the signal aborts. Rejects when the store does. */
export async function warmUp(options: WarmUpOptions): Promise<WarmUpReport> {
  const { cache, store, timeframes = TIMEFRAMES, barsEach = 10, maxInstruments = 1_000, signal } = options;
  const rows = (await store.instruments()).sort(byActivity).slice(0, maxInstruments);
  const report: WarmUpReport = { instruments: 0, bars: 0 };
  for (const row of rows) {
    if (signal?.aborted === true) return report;
    const instrument = instrumentId(row.venue, row.symbol);
    await cache.fill(referenceKey(instrument), JSON.stringify(row), Math.max(0, row.lastEventMs));
    report.instruments++;
    for (const timeframe of timeframes) {
      const query = { instrument, timeframe, limit: barsEach, newestFirst: true };
      for await (const bars of store.bars(query)) report.bars += await fillBars(cache, bars);
    }
  }
  return report;
}

async function fillBars(cache: HotCache, bars: readonly Bar[]): Promise<number> {
  const outcomes = await Promise.all(
    bars.map((bar) =>
      cache.fill(barKey(bar.instrument, bar.timeframe, bar.startMs), barCodec.encode(bar), barVersion(bar)),
    ),
  );
  return outcomes.filter((outcome) => outcome === 'stored').length;
}

function byActivity(a: InstrumentRow, b: InstrumentRow): number {
  return b.trades - a.trades || (instrumentId(a.venue, a.symbol) < instrumentId(b.venue, b.symbol) ? -1 : 1);
}
