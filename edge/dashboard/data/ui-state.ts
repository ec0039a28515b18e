/** What the user chose: theme, symbol, timeframe. Cold, kept in the browser and, where it makes a link, in the address. */
import { create } from 'zustand';
import { isTimeframe, type Timeframe } from '#shared/timeframes.ts';

export type Theme = 'dark' | 'light';
export type View = 'watch' | 'chart' | 'trades';

export interface UiState {
  theme: Theme;
  symbol: string | undefined;
  timeframe: Timeframe;
  filter: string;
  /** Which part a narrow screen shows. */
  view: View;
  toggleTheme: () => void;
  select: (symbol: string) => void;
  setTimeframe: (timeframe: Timeframe) => void;
  setFilter: (filter: string) => void;
  setView: (view: View) => void;
}

const THEME_KEY = 'edgetape.theme';
const SYMBOL_KEY = 'edgetape.symbol';
const TIMEFRAME_KEY = 'edgetape.timeframe';

/** Storage may be forbidden; then choices last as long as the page. */
function recall(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Nothing is lost but the memory of it.
  }
}

function firstTheme(): Theme {
  const kept = recall(THEME_KEY);
  if (kept === 'dark' || kept === 'light') return kept;
  return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
}

function applyTheme(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme;
}

function link(name: string, value: string): void {
  const url = new URL(location.href);
  url.searchParams.set(name, value);
  history.replaceState(null, '', url);
}

const query = new URLSearchParams(location.search);
const wanted = query.get('tf') ?? recall(TIMEFRAME_KEY) ?? '';

export const useUi = create<UiState>((set, get) => ({
  theme: firstTheme(),
  symbol: query.get('symbol') ?? recall(SYMBOL_KEY),
  timeframe: isTimeframe(wanted) ? wanted : '1m',
  filter: '',
  view: 'watch',
  toggleTheme() {
    const theme = get().theme === 'dark' ? 'light' : 'dark';
    remember(THEME_KEY, theme);
    set({ theme });
  },
  select(symbol) {
    remember(SYMBOL_KEY, symbol);
    link('symbol', symbol);
    set({ symbol });
  },
  setTimeframe(timeframe) {
    remember(TIMEFRAME_KEY, timeframe);
    link('tf', timeframe);
    set({ timeframe });
  },
  setFilter: (filter) => set({ filter }),
  setView: (view) => set({ view }),
}));

/** Keeps the page's theme as chosen, and as the system's while nothing was chosen. */
export function followTheme(): void {
  applyTheme(useUi.getState().theme);
  useUi.subscribe((state) => applyTheme(state.theme));
  matchMedia('(prefers-color-scheme: light)').addEventListener('change', () => {
    if (recall(THEME_KEY) === undefined) useUi.setState({ theme: firstTheme() });
  });
}
