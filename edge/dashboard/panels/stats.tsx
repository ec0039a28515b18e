import { useRef, type ReactNode } from 'react';
import type { SymbolInfo } from '#shared/market.ts';
import { useHot } from '../data/hooks.ts';
import { useSession } from '../data/session.ts';
import { compact, decimal, percent, rounded, signed } from '../format.ts';
import type { Fields } from '../../client/topic.ts';
import { Panel, write } from './panel.tsx';

interface Fact {
  label: string;
  title: string;
  /** Takes a whole line. */
  wide?: boolean;
  text: (fields: Fields, places: number) => string;
}

const FACTS: readonly Fact[] = [
  {
    label: 'VWAP 30 s',
    wide: true,
    title: 'Volume-weighted average price of the last 30 s of exchange time',
    text: (f, places) => rounded(f['vwap30s'], places),
  },
  {
    label: 'Average 30 s',
    wide: true,
    title: 'Plain average price of the last 30 s of exchange time',
    text: (f, places) => rounded(f['average30s'], places),
  },
  { label: 'Volume 30 s', title: 'Traded in the last 30 s of exchange time', text: (f) => compact(f['volume30s']) },
  { label: 'Trades 30 s', title: 'Trades in the last 30 s of exchange time', text: (f) => decimal(f['trades30s']) },
  {
    label: 'Realised vol 30 min',
    wide: true,
    title: 'Realised volatility: root of the sum of squared 1-minute log returns, 30 minutes, not annualised',
    text: (f) => percent(f['realisedVolatility'], 3).replace('+', ''),
  },
  { label: 'Day change', wide: true, title: "Since the day's open (UTC)", text: (f) => signed(f['change']) },
  { label: 'Day volume', title: 'Traded since 00:00 UTC', text: (f) => compact(f['dayVolume']) },
  { label: 'Day trades', title: 'Trades since 00:00 UTC', text: (f) => decimal(f['dayTrades']) },
];

/** Running figures of the symbol, and where its price stands in the range of the day. */
export function StatsPanel({ info }: { info: SymbolInfo }): ReactNode {
  const { symbol } = info;
  const { places } = useSession();
  const cells = useRef<(HTMLElement | null)[]>([]);
  const low = useRef<HTMLElement>(null);
  const high = useRef<HTMLElement>(null);
  const mark = useRef<HTMLElement>(null);

  useHot('stats', symbol, ({ fields }) => {
    const shown = places.see(symbol, fields?.['dayLow'], fields?.['dayHigh'], fields?.['lastPrice']);
    FACTS.forEach(({ text }, i) => {
      const cell = cells.current[i];
      if (cell) write(cell, fields === undefined ? '–' : text(fields, Math.max(2, shown)));
    });
    if (low.current) write(low.current, decimal(fields?.['dayLow'], shown));
    if (high.current) write(high.current, decimal(fields?.['dayHigh'], shown));
    const [from, to, at] = [Number(fields?.['dayLow']), Number(fields?.['dayHigh']), Number(fields?.['lastPrice'])];
    const share = to > from ? Math.min(1, Math.max(0, (at - from) / (to - from))) : Number.NaN;
    if (!mark.current) return;
    mark.current.hidden = Number.isNaN(share);
    if (!Number.isNaN(share)) mark.current.style.left = `${(share * 100).toFixed(1)}%`;
  });

  return (
    <Panel label="Statistics" sources={[['stats', symbol]]}>
      <dl className="facts">
        <div className="wide" title="Lowest and highest price of the day (UTC)">
          <dd ref={low} />
          <dt>day range</dt>
          <dd ref={high} />
        </div>
        <div className="wide day-range" aria-hidden="true">
          <i ref={mark} hidden />
        </div>
        {FACTS.map(({ label, title, wide }, i) => (
          <div key={label} title={title} className={wide ? 'wide' : ''}>
            <dt>{label}</dt>
            <dd
              ref={(cell) => {
                cells.current[i] = cell;
              }}
            />
          </div>
        ))}
      </dl>
    </Panel>
  );
}
