import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, type KeyboardEvent, type ReactNode } from 'react';
import { matching, type SymbolList } from '../data/symbols.ts';
import { useUi } from '../data/ui-state.ts';
import { Notice, Panel } from './panel.tsx';
import { WatchRow } from './watch-row.tsx';

const ROW_PX = 40;
const OVERSCAN = 3;

export function Watchlist({ list, className }: { list: SymbolList; className: string }): ReactNode {
  const filter = useUi((state) => state.filter);
  const setFilter = useUi((state) => state.setFilter);
  const selected = useUi((state) => state.symbol);
  const select = useUi((state) => state.select);
  const setView = useUi((state) => state.setView);
  const scroll = useRef<HTMLDivElement>(null);
  const shown = useMemo(() => matching(list.symbols, filter), [list.symbols, filter]);
  const at = shown.findIndex(({ symbol }) => symbol === selected);
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN,
    getItemKey: (index) => shown[index]?.symbol ?? index,
  });

  useEffect(() => {
    if (at >= 0) rows.scrollToIndex(at);
  }, [at, rows]);

  function onKey(event: KeyboardEvent): void {
    const last = shown.length - 1;
    const page = Math.max(1, Math.floor((scroll.current?.clientHeight ?? 0) / ROW_PX) - 1);
    const moves: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: last,
    };
    const inSearch = event.target instanceof HTMLInputElement;
    if (event.key === 'Enter' && shown.length > 0) {
      if (at < 0 && shown[0]) select(shown[0].symbol);
      setView('chart');
    } else if (event.key === 'Escape') {
      setFilter('');
    } else {
      const to = moves[event.key];
      if (to === undefined || (inSearch && (event.key === 'Home' || event.key === 'End'))) return;
      const next = shown[Math.min(last, Math.max(0, to))];
      if (next) select(next.symbol);
    }
    event.preventDefault();
  }

  function open(symbol: string): void {
    select(symbol);
    setView('chart');
  }

  return (
    <Panel
      label="Watchlist"
      className={className}
      sources={shown.slice(0, 40).map(({ symbol }) => ['stats', symbol] as const)}
      head={
        <>
          <h2>
            Watchlist <span className="muted">{shown.length}</span>
          </h2>
          <input
            className="search"
            type="search"
            placeholder="Filter symbols"
            aria-label="Filter symbols"
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
            onKeyDown={onKey}
          />
        </>
      }
    >
      <div className="watch-head watch-grid" aria-hidden="true">
        <span>Symbol</span>
        <span>60 min</span>
        <span className="num">Last</span>
        <span className="num">Change</span>
        <span className="num col-volume">Volume</span>
        <span className="num">Age</span>
      </div>
      <div
        ref={scroll}
        className="watch-scroll"
        role="listbox"
        tabIndex={0}
        aria-label="Symbols"
        aria-activedescendant={at >= 0 ? `row-${at}` : undefined}
        onKeyDown={onKey}
      >
        {shown.length === 0 ? (
          <Empty list={list} filter={filter} />
        ) : (
          <div role="presentation" style={{ height: rows.getTotalSize(), position: 'relative' }}>
            {rows.getVirtualItems().map(({ key, index, start }) => {
              const info = shown[index];
              return (
                info && (
                  <WatchRow key={key} info={info} index={index} top={start} selected={index === at} onSelect={open} />
                )
              );
            })}
          </div>
        )}
      </div>
    </Panel>
  );
}

function Empty({ list, filter }: { list: SymbolList; filter: string }): ReactNode {
  if (list.state === 'failed') {
    return (
      <Notice title="The symbols could not be read" retry={list.retry}>
        {list.error}
      </Notice>
    );
  }
  if (list.state === 'loading') return <Notice title="Reading the symbols">This takes a moment.</Notice>;
  if (filter !== '') return <Notice title="No symbol fits">Press Escape in the filter to see all of them.</Notice>;
  return <Notice title="No symbol has traded yet">The list fills as soon as the feed brings the first tick.</Notice>;
}
