import { useEffect, type ReactNode } from 'react';
import { ChartPanel } from './chart/chart-panel.tsx';
import { useSymbols, type SymbolList } from './data/symbols.ts';
import { useUi, type View } from './data/ui-state.ts';
import { Header } from './panels/header.tsx';
import { Notice, Panel } from './panels/panel.tsx';
import { QuotePanel } from './panels/quote.tsx';
import { StatsPanel } from './panels/stats.tsx';
import { TapePanel } from './panels/tape.tsx';
import { Watchlist } from './panels/watchlist.tsx';

const VIEWS: readonly (readonly [View, string])[] = [
  ['watch', 'Watchlist'],
  ['chart', 'Chart'],
  ['trades', 'Trades'],
];

export function App(): ReactNode {
  const list = useSymbols();
  const wanted = useUi((state) => state.symbol);
  const view = useUi((state) => state.view);
  const setView = useUi((state) => state.setView);
  const select = useUi((state) => state.select);
  const venues = [...new Set(list.symbols.map(({ venue }) => venue))].toSorted();
  const info = list.symbols.find(({ symbol }) => symbol === wanted);
  const first = list.symbols[0]?.symbol;

  useEffect(() => {
    if (info === undefined && first !== undefined) select(first);
  }, [info, first, select]);

  return (
    <div className="app">
      <Header venues={venues} />
      <main className="board" data-view={view}>
        <Watchlist list={list} className="area-watch" />
        {info ? (
          <>
            <ChartPanel info={info} className="area-main" />
            <div className="area-side">
              <QuotePanel key={`quote ${info.symbol}`} info={info} />
              <StatsPanel key={`stats ${info.symbol}`} info={info} />
              <TapePanel key={`tape ${info.symbol}`} info={info} />
            </div>
          </>
        ) : (
          <NoSymbol list={list} />
        )}
      </main>
      <div className="tabs" role="tablist" aria-label="Views">
        {VIEWS.map(([each, label]) => (
          <button key={each} type="button" role="tab" aria-selected={view === each} onClick={() => setView(each)}>
            {label}
          </button>
        ))}
      </div>
    </div>
  );
}

function NoSymbol({ list }: { list: SymbolList }): ReactNode {
  return (
    <Panel label="Chart" className="area-main" sources={[]}>
      <Notice title={list.state === 'failed' ? 'No connection to the data' : 'Waiting for the first symbol'}>
        {list.state === 'failed'
          ? 'The page tries again every few seconds.'
          : 'Choose one in the watchlist as soon as it is there.'}
      </Notice>
    </Panel>
  );
}
