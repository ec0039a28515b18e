import { useRef, useState, type ReactNode } from 'react';
import type { SymbolInfo } from '#shared/market.ts';
import { TIMEFRAMES, type Timeframe } from '#shared/timeframes.ts';
import { useHot, useWatch } from '../data/hooks.ts';
import { useSession } from '../data/session.ts';
import { useUi } from '../data/ui-state.ts';
import { decimal, percent, toneOf } from '../format.ts';
import { directionOf, flash } from '../panels/flash.ts';
import { Notice, Panel, write } from '../panels/panel.tsx';
import type { ChartBar } from './bar-book.ts';
import { legendOf } from './legend.ts';
import { useCandles, type HistoryState } from './use-candles.ts';

export function ChartPanel({ info, className }: { info: SymbolInfo; className: string }): ReactNode {
  const timeframe = useUi((state) => state.timeframe);
  return (
    <Panel
      label="Chart"
      className={className}
      sources={[
        [`bars.${timeframe}`, info.symbol],
        ['stats', info.symbol],
      ]}
      head={
        <div className="chart-head panel-title">
          <Instrument key={info.symbol} info={info} />
          <Timeframes />
        </div>
      }
    >
      <Chart key={`${info.symbol} ${timeframe}`} info={info} timeframe={timeframe} />
    </Panel>
  );
}

function Instrument({ info }: { info: SymbolInfo }): ReactNode {
  const { places } = useSession();
  const price = useRef<HTMLSpanElement>(null);
  const change = useRef<HTMLSpanElement>(null);
  const before = useRef<string>(undefined);
  useHot('stats', info.symbol, ({ fields }) => {
    const now = fields?.['lastPrice'];
    if (fields === undefined || typeof now !== 'string' || !price.current || !change.current) return;
    write(price.current, decimal(now, places.see(info.symbol, now)));
    const direction = directionOf(before.current, now);
    before.current = now;
    if (direction) flash(price.current, direction);
    const fraction = Number(fields['changeFraction'] ?? Number.NaN);
    write(change.current, percent(fraction), "Since the day's open (UTC)");
    change.current.className = toneOf(fraction);
  });
  return (
    <div className="instrument">
      <h2>{info.ticker}</h2>
      <span className="muted venue-name">{info.simulated ? 'simulated market' : info.venue}</span>
      <span ref={price} className="price flash" />
      <span ref={change} />
    </div>
  );
}

function Timeframes(): ReactNode {
  const timeframe = useUi((state) => state.timeframe);
  const setTimeframe = useUi((state) => state.setTimeframe);
  return (
    <div className="segments" role="group" aria-label="Timeframe">
      {TIMEFRAMES.map((each) => (
        <button key={each} type="button" aria-pressed={each === timeframe} onClick={() => setTimeframe(each)}>
          {each}
        </button>
      ))}
    </div>
  );
}

function Chart({ info, timeframe }: { info: SymbolInfo; timeframe: Timeframe }): ReactNode {
  const { places } = useSession();
  const container = useRef<HTMLDivElement>(null);
  const legend = useRef<HTMLDListElement>(null);
  const [attempt, setAttempt] = useState(0);
  useWatch([`bars.${timeframe}`], [info.symbol]);
  const history = useCandles(container, info, timeframe, attempt, (bar) => {
    if (legend.current) showLegend(legend.current, bar, places.see(info.symbol));
  });
  return (
    <div className="chart-body">
      <dl ref={legend} className="legend" data-testid="legend" aria-label="Bar under the crosshair, or the newest" />
      <div
        ref={container}
        className="chart-canvas"
        role="img"
        aria-label={`Candles of ${info.symbol}, ${timeframe}; hollow: provisional, dotted: revised`}
      />
      <Missing history={history} timeframe={timeframe} retry={() => setAttempt((n) => n + 1)} />
    </div>
  );
}

function Missing(props: { history: HistoryState; timeframe: Timeframe; retry: () => void }): ReactNode {
  const { history, timeframe, retry } = props;
  if (history.bars > 0) return null;
  if (history.error !== undefined) {
    return (
      <Notice title="The history could not be read" retry={retry}>
        {history.error}
      </Notice>
    );
  }
  if (history.loading) return <Notice title="Reading the history">Bars come as soon as they are there.</Notice>;
  return (
    <Notice title={`No ${timeframe} bar yet`}>A bar appears with its first trade; empty ones are not made up.</Notice>
  );
}

/** Keeps the elements and moves only their texts. */
function showLegend(target: HTMLElement, bar: ChartBar | undefined, places: number): void {
  const entries = bar ? legendOf(bar, places) : [];
  while (target.children.length > entries.length) target.lastElementChild?.remove();
  entries.forEach(({ key, label, value, title }, i) => {
    let entry = target.children[i];
    if (!entry) {
      entry = target.ownerDocument.createElement('div');
      entry.append(target.ownerDocument.createElement('dt'), target.ownerDocument.createElement('dd'));
      target.append(entry);
    }
    const [term, text] = entry.children;
    if (term instanceof HTMLElement) write(term, label);
    if (!(text instanceof HTMLElement)) return;
    write(text, value, title);
    text.dataset['key'] = key;
    if (key === 'state' && bar) text.dataset['barState'] = bar.state;
  });
}
