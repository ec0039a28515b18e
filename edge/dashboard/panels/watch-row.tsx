import { useEffect, useRef, type ReactNode } from 'react';
import type { SymbolInfo } from '#shared/market.ts';
import { useHot, usePulse, useWatch } from '../data/hooks.ts';
import { useSession } from '../data/session.ts';
import { useUi } from '../data/ui-state.ts';
import { age, compact, decimal, percent, rounded, toneOf } from '../format.ts';
import { arrowOf, directionOf, flash, type Direction } from './flash.ts';
import { write } from './panel.tsx';
import { drawSparkline, sparkStyle } from './sparkline.ts';

export interface WatchRowProps {
  info: SymbolInfo;
  index: number;
  top: number;
  selected: boolean;
  onSelect: (symbol: string) => void;
}

const ROW_CHANNELS = ['stats', 'quotes', 'bars.1m'] as const;
const SPARK_BARS = 60;
const QUIET_MS = 30_000;

/** One symbol. React makes the cells; the numbers are written into them as they come. */
export function WatchRow({ info, index, top, selected, onSelect }: WatchRowProps): ReactNode {
  const { symbol } = info;
  const { client, places } = useSession();
  const theme = useUi((state) => state.theme);
  const row = useRef<HTMLDivElement>(null);
  const price = useRef<HTMLSpanElement>(null);
  const arrow = useRef<HTMLSpanElement>(null);
  const change = useRef<HTMLSpanElement>(null);
  const spread = useRef<HTMLElement>(null);
  const volume = useRef<HTMLSpanElement>(null);
  const since = useRef<HTMLDivElement>(null);
  const spark = useRef<HTMLCanvasElement>(null);
  const last = useRef<{ price: string | undefined; direction: Direction | undefined }>({
    price: undefined,
    direction: undefined,
  });
  const stale = useRef(true);

  useWatch(ROW_CHANNELS, [symbol]);

  useHot('stats', symbol, ({ fields }) => {
    const now = fields?.['lastPrice'];
    if (fields === undefined || typeof now !== 'string') return;
    const direction = directionOf(last.current.price, now);
    last.current = { price: now, direction: direction ?? last.current.direction };
    if (price.current) {
      write(price.current, decimal(now, places.see(symbol, now)));
      if (direction) flash(price.current, direction);
    }
    if (arrow.current) {
      write(arrow.current, arrowOf(last.current.direction));
      arrow.current.className = `arrow ${last.current.direction ?? ''}`;
    }
    if (change.current) {
      const fraction = Number(fields['changeFraction'] ?? Number.NaN);
      write(change.current, percent(fraction), `${decimal(fields['change'])} since the day's open (UTC)`);
      change.current.className = toneOf(fraction);
    }
    if (volume.current)
      write(volume.current, compact(fields['dayVolume']), `Volume of the day (UTC): ${decimal(fields['dayVolume'])}`);
    if (spread.current)
      write(spread.current, `${rounded(fields['spreadBps'], 1)} bp`, `Spread ${decimal(fields['spread'])}`);
  });

  // The line is drawn on the pulse: four times a second is enough for it.
  useHot('bars.1m', symbol, () => {
    stale.current = true;
  });
  useEffect(() => {
    stale.current = true;
  }, [theme]);

  function draw(): void {
    stale.current = false;
    if (!spark.current) return;
    const closes: number[] = [];
    for (const bar of client.topic('bars.1m', symbol).getSnapshot().rows.slice(-SPARK_BARS)) {
      // Where the line begins, so that the very first bar makes one, too.
      if (closes.length === 0 && typeof bar['open'] === 'string') closes.push(Number(bar['open']));
      if (bar['close'] !== null && bar['close'] !== undefined) closes.push(Number(bar['close']));
    }
    drawSparkline(spark.current, closes, sparkStyle());
  }

  usePulse((nowMs) => {
    if (stale.current) draw();
    const stats = client.topic('stats', symbol).getSnapshot().receivedAtMs;
    const quotes = client.topic('quotes', symbol).getSnapshot().receivedAtMs;
    const sinceMs = nowMs - Math.max(Number.isNaN(stats) ? 0 : stats, Number.isNaN(quotes) ? 0 : quotes);
    const known = !Number.isNaN(stats) || !Number.isNaN(quotes);
    if (since.current) write(since.current, known ? age(sinceMs) : age(Number.NaN));
    if (row.current) row.current.dataset['quiet'] = String(known && sinceMs > QUIET_MS);
  });

  return (
    <div
      ref={row}
      id={`row-${index}`}
      role="option"
      aria-selected={selected}
      className="watch-row watch-grid"
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => onSelect(symbol)}
    >
      <div className="symbol" title={symbol}>
        <b>{info.ticker}</b>
        <small>{info.simulated ? 'simulated' : info.venue}</small>
      </div>
      <canvas ref={spark} className="spark" role="img" aria-label="Closes of the last hour" />
      <div className="num">
        <span ref={arrow} className="arrow" />
        <span ref={price} className="flash" data-testid="price">
          –
        </span>
      </div>
      <div className="num stack">
        <span ref={change}>–</span>
        <small ref={spread}>–</small>
      </div>
      <div className="num col-volume">
        <span ref={volume}>–</span>
      </div>
      <div ref={since} className="num muted" />
    </div>
  );
}
