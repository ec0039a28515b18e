/** Which instruments there are: the store's, and those that live data has shown since. */
import type { Clock } from '#shared/clock.ts';
import { EdgetapeError } from '#shared/errors.ts';
import type { SymbolInfo } from '#shared/market.ts';
import { parseInstrumentId } from '#shared/topics.ts';
import type { InstrumentRow, MarketStore } from '../stores/stores.ts';
import type { LiveState } from './live-state.ts';
import { RequestError } from './problem.ts';
import { symbolView } from './views.ts';

/** How long the store's list stands before it is read again. */
const FRESH_MS = 1_000;

export interface Directory {
  /** Sorted by symbol. */
  symbols(): Promise<SymbolInfo[]>;
  symbol(symbol: string): Promise<SymbolInfo>;
  /** Throws `unknown_symbol` when nobody has heard of it. */
  insist(symbol: string): Promise<void>;
}

export function createDirectory(deps: { store: MarketStore; live: LiveState; clock: Clock }): Directory {
  let readMs = Number.NEGATIVE_INFINITY;
  let rows: Promise<InstrumentRow[]> | undefined;

  const stored = (): Promise<InstrumentRow[]> => {
    if (rows === undefined || deps.clock.nowMs() - readMs >= FRESH_MS) {
      readMs = deps.clock.nowMs();
      rows = deps.store.instruments();
      rows.catch(() => (rows = undefined));
    }
    return rows;
  };

  const symbols = async (): Promise<SymbolInfo[]> => {
    const known = new Map((await unavailable(stored())).map((row) => [`${row.venue}:${row.symbol}`, symbolView(row)]));
    for (const symbol of deps.live.symbols()) if (!known.has(symbol)) known.set(symbol, fromLive(symbol, deps.live));
    return [...known.values()].sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
  };

  const symbol = async (name: string): Promise<SymbolInfo> => {
    const found = (await symbols()).find((candidate) => candidate.symbol === name);
    if (found !== undefined) return found;
    throw new RequestError(
      'unknown_symbol',
      'Nothing has been heard of this instrument; /v1/symbols lists those there are.',
      [{ pointer: '/query/symbol', detail: 'is not known' }],
    );
  };

  return {
    symbols,
    symbol,
    async insist(name) {
      if (deps.live.lastTrade(name) === undefined && deps.live.lastQuote(name) === undefined) await symbol(name);
    },
  };
}

function fromLive(symbol: string, live: LiveState): SymbolInfo {
  const trade = live.lastTrade(symbol);
  const quote = live.lastQuote(symbol);
  const parts = parseInstrumentId(symbol) ?? { venue: '', symbol };
  const times = [trade?.eventMs, quote?.eventMs].filter((ms) => ms !== undefined);
  return symbolView({
    ...parts,
    priceScale: trade?.priceScale ?? quote?.priceScale ?? 0,
    sizeScale: trade?.sizeScale ?? quote?.sizeScale ?? 0,
    firstEventMs: Number.NaN,
    lastEventMs: times.length > 0 ? Math.max(...times) : Number.NaN,
    trades: 0,
    quotes: 0,
  });
}

/** What the store gives; its failures become `unavailable`, with the reason for the log only. */
export async function unavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof EdgetapeError) throw cause;
    throw new EdgetapeError('unavailable', 'The store does not answer at the moment; nothing is lost. Ask again.', {
      cause,
    });
  }
}
