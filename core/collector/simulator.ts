/** The simulated market as a source: endless, paced by the clock, taken up again where it was (SPEC MD-12). */
import type { Clock } from '#shared/clock.ts';
import { quoteColumns, tradeColumns } from '#shared/ticks.ts';
import { sleep } from './pacing.ts';
import { SimulatedMarket, type MarketState, type Oddities } from './simulated-market.ts';
import type { Source, SourceBatch } from './source.ts';

export interface SimulatorOptions {
  seed: number;
  /** Ticks a second over all symbols. */
  rate: number;
  clock: Clock;
  /** Time between two batches, ms. */
  intervalMs?: number;
  oddities?: Oddities;
}

const INTERVAL_MS = 25;
/** Ticks that one batch holds at most; a faster market comes in more batches. */
const BATCH_TICKS = 4_096;
/** Longest stretch of time made up at once: after a pause of the process the market goes on from now. */
const MAX_STEP_MS = 1_000;

export function createSimulator(options: SimulatorOptions): Source {
  const { seed, rate, clock, intervalMs = INTERVAL_MS, oddities } = options;
  return {
    id: `simulator-${seed}`,
    simulated: true,
    finite: false,
    totalBytes: undefined,
    bytesRead: () => 0,
    async *batches(cursor: string | undefined, signal: AbortSignal): AsyncGenerator<SourceBatch> {
      // Ids begin at the time, so that a market with another seed in the same log does not look like duplicates of this one.
      const firstTradeId = clock.nowMs() * 100;
      const from = cursor === undefined ? seed : (JSON.parse(cursor) as MarketState);
      const market = new SimulatedMarket(from, oddities, firstTradeId);
      const stepMs = Math.max(1, Math.min(MAX_STEP_MS, Math.floor((BATCH_TICKS / 2 / rate) * 1_000)));
      let lastMs = clock.nowMs() - intervalMs;
      while (!signal.aborted) {
        const nowMs = clock.nowMs();
        lastMs = Math.max(lastMs, nowMs - MAX_STEP_MS);
        while (lastMs < nowMs && !signal.aborted) {
          const untilMs = Math.min(nowMs, lastMs + stepMs);
          const trades = tradeColumns(BATCH_TICKS);
          const quotes = quoteColumns(BATCH_TICKS);
          market.step(untilMs, untilMs - lastMs, rate, trades, quotes);
          lastMs = untilMs;
          const ticks = trades.length + quotes.length;
          if (ticks === 0) continue;
          yield {
            trades: trades.length > 0 ? trades : undefined,
            quotes: quotes.length > 0 ? quotes : undefined,
            control: [],
            rejections: [],
            rowsRead: ticks,
            cursor: JSON.stringify(market.state()),
          };
        }
        await sleep(clock, intervalMs, signal);
      }
    },
  };
}
