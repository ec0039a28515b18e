/** The windows' view of the past (core/windows/changes.ts) over the market store. */
import type { Bar, Profile } from '#shared/bars.ts';
import type { Timeframe } from '#shared/timeframes.ts';
import type { TradeColumns } from '#shared/ticks.ts';
import type { TickHistory } from '../windows/changes.ts';
import type { MarketStore } from './stores.ts';

export interface HistoryOptions {
  store: MarketStore;
  /** Brings the store up to the end of the log; the sink's. */
  flush: () => Promise<void>;
}

/**
 * The store is brought up to the log's end before each question, so an answer holds at least what the asker has consumed. It may
 * hold more: the asker knows by `arrival` what it has not come to yet.
 */
export function createHistory({ store, flush }: HistoryOptions): TickHistory {
  return {
    async *trades(instrument: string, fromMs: number, toMs: number): AsyncGenerator<TradeColumns> {
      await flush();
      yield* store.trades({ instrument, fromMs, toMs });
    },
    async bar(instrument: string, timeframe: Timeframe, startMs: number): Promise<Bar | undefined> {
      await flush();
      const bars = store.bars({ instrument, timeframe, fromMs: startMs, toMs: startMs + 1, limit: 1 });
      for await (const [bar] of bars) return bar;
      return undefined;
    },
    async profile(instrument: string, startMs: number): Promise<Profile | undefined> {
      await flush();
      for await (const [profile] of store.profiles({ instrument, fromMs: startMs, toMs: startMs + 1, limit: 1 }))
        return profile;
      return undefined;
    },
  };
}
