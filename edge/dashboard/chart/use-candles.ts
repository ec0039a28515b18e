import { useEffect, useEffectEvent, useRef, useState, type RefObject } from 'react';
import type { SymbolInfo } from '#shared/market.ts';
import type { Timeframe } from '#shared/timeframes.ts';
import { useHot } from '../data/hooks.ts';
import { fetchBars, RestError } from '../data/rest.ts';
import { useSession } from '../data/session.ts';
import { useUi } from '../data/ui-state.ts';
import { BarBook, fromHistory, type ChartBar } from './bar-book.ts';
import { createCandles, type Candles } from './candles.ts';

export interface HistoryState {
  loading: boolean;
  error: string | undefined;
  /** How many bars the chart holds; only whether it is 0 is kept up to date. */
  bars: number;
}

/** So many changed bars at once are a history, not a tick. */
const BULK_BARS = 20;
/** Markers beyond these would only hide the candles. */
const MARKED_BARS = 200;

/**
 * Runs a chart in `container`: history from REST, live bars from the stream. `onBar` hears of the bar under the crosshair, or
 * the newest, whenever it changes.
 */
export function useCandles(
  container: RefObject<HTMLElement | null>,
  info: SymbolInfo,
  timeframe: Timeframe,
  attempt: number,
  onBar: (bar: ChartBar | undefined) => void,
): HistoryState {
  const { places } = useSession();
  const theme = useUi((state) => state.theme);
  const [history, setHistory] = useState<HistoryState>({ loading: true, error: undefined, bars: 0 });
  const book = useRef(new BarBook());
  const candles = useRef<Candles>(undefined);
  const newest = useRef(Number.NEGATIVE_INFINITY);
  const pointed = useRef<number>(undefined);
  const older = useRef<string>(undefined);
  const axisPlaces = useRef<number>(undefined);

  const tellBar = useEffectEvent(() => onBar(book.current.get(pointed.current ?? newest.current)));
  const apply = useEffectEvent((changed: readonly ChartBar[]) => {
    const chart = candles.current;
    const last = changed.at(-1);
    if (!chart || !last) return;
    const first = newest.current === Number.NEGATIVE_INFINITY;
    const seen = places.see(info.symbol, ...changed.flatMap(({ open, high, low, close }) => [open, high, low, close]));
    if (seen !== axisPlaces.current) chart.setPlaces(seen);
    axisPlaces.current = seen;
    newest.current = Math.max(newest.current, last.startMs);
    if (first || changed.length > BULK_BARS) chart.replace(book.current.all());
    else for (const bar of changed) chart.update(bar);
    if (first) {
      chart.fit();
      setHistory((state) => ({ ...state, bars: book.current.size }));
    }
    if (changed.some(({ state }) => state === 'revised')) {
      chart.markRevised(
        book.current
          .all()
          .filter(({ state }) => state === 'revised')
          .slice(-MARKED_BARS),
      );
    }
    tellBar();
  });

  const load = useEffectEvent(async (cursor: string | undefined, signal: AbortSignal) => {
    try {
      const page = await fetchBars(info.symbol, timeframe, cursor, signal);
      if (signal.aborted) return;
      older.current = page.older;
      apply(book.current.merge(page.bars.map(fromHistory)));
      setHistory({ loading: false, error: undefined, bars: book.current.size });
    } catch (cause) {
      if (signal.aborted) return;
      older.current = cursor;
      const error = cause instanceof RestError ? cause.message : 'The answer could not be read.';
      setHistory({ loading: false, error, bars: book.current.size });
    }
  });

  useEffect(() => {
    if (!container.current) return undefined;
    const chart = createCandles(container.current);
    candles.current = chart;
    chart.replace(book.current.all());
    chart.onCrosshair((startMs) => {
      pointed.current = startMs !== undefined && book.current.get(startMs) ? startMs : undefined;
      tellBar();
    });
    const abort = new AbortController();
    chart.onNearStart(() => {
      const cursor = older.current;
      older.current = undefined;
      if (cursor !== undefined) void load(cursor, abort.signal);
    });
    return () => {
      abort.abort();
      candles.current = undefined;
      chart.remove();
    };
  }, [container]);

  useEffect(() => {
    const abort = new AbortController();
    void load(undefined, abort.signal);
    return () => abort.abort();
  }, [attempt]);

  useEffect(() => candles.current?.recolour(), [theme]);
  useHot(`bars.${timeframe}`, info.symbol, ({ rows }) => apply(book.current.mergeRows(rows)));
  return history;
}
