/** The list of symbols: read once, then now and then, because a symbol may begin to trade. */
import { useCallback, useEffect, useState } from 'react';
import type { SymbolInfo } from '#shared/market.ts';
import { fetchSymbols, RestError } from './rest.ts';

export interface SymbolList {
  symbols: readonly SymbolInfo[];
  state: 'loading' | 'ready' | 'failed';
  /** What went wrong, for the reader. */
  error: string | undefined;
  retry: () => void;
}

const REFRESH_MS = 15_000;
/** While there are none: the feed may just be starting. */
const EMPTY_REFRESH_MS = 1_500;

export function useSymbols(): SymbolList {
  const [symbols, setSymbols] = useState<readonly SymbolInfo[]>([]);
  const [state, setState] = useState<SymbolList['state']>('loading');
  const [error, setError] = useState<string>();
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    async function load(): Promise<void> {
      let delayMs = EMPTY_REFRESH_MS;
      try {
        const found = await fetchSymbols(abort.signal);
        if (abort.signal.aborted) return;
        setSymbols((before) => (sameSymbols(before, found) ? before : found));
        setState('ready');
        setError(undefined);
        if (found.length > 0) delayMs = REFRESH_MS;
      } catch (cause) {
        if (abort.signal.aborted) return;
        setState('failed');
        setError(cause instanceof RestError ? cause.message : 'The answer could not be read.');
        delayMs = EMPTY_REFRESH_MS * 2;
      }
      timer = setTimeout(() => void load(), delayMs);
    }
    void load();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [attempt]);

  const retry = useCallback(() => setAttempt((n) => n + 1), []);
  return { symbols, state, error, retry };
}

/** Equal for what the page shows of a symbol; counts and times come over the stream. */
function sameSymbols(a: readonly SymbolInfo[], b: readonly SymbolInfo[]): boolean {
  return (
    a.length === b.length &&
    a.every(
      (symbol, i) =>
        symbol.symbol === b[i]?.symbol && symbol.priceScale === b[i].priceScale && symbol.sizeScale === b[i].sizeScale,
    )
  );
}

/** Every word of the filter occurs in the id. */
export function matching(symbols: readonly SymbolInfo[], filter: string): readonly SymbolInfo[] {
  const words = filter.toLowerCase().split(/\s+/u).filter(Boolean);
  if (words.length === 0) return symbols;
  return symbols.filter(({ symbol }) => words.every((word) => symbol.toLowerCase().includes(word)));
}
