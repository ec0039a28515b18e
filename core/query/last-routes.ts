/** What is known now: /v1/last, /v1/stats. From memory; from the store where a run has not seen the instrument yet. */
import type { Clock } from '#shared/clock.ts';
import { lastResponseSchema, statsResponseSchema, type LastView, type StatsView } from '#shared/market.ts';
import type { QuoteColumns, TradeColumns } from '#shared/ticks.ts';
import type { MarketStore } from '../stores/stores.ts';
import { route, type Route } from './answer.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { unavailable, type Directory } from './directory.ts';
import { LAST_EXAMPLE, STATS_EXAMPLE } from './examples.ts';
import type { LiveState } from './live-state.ts';
import * as params from './params.ts';
import { RequestError } from './problem.ts';
import { lastView, quoteStateOf, statsView, tradeEventOf } from './views.ts';

export interface LastDeps {
  store: MarketStore;
  live: LiveState;
  clock: Clock;
  directory: Directory;
}

export function lastRoutes(deps: LastDeps): Route[] {
  return [lastRoute(deps), statsRoute(deps)];
}

function lastRoute(deps: LastDeps): Route {
  return route({
    path: '/v1/last',
    operationId: 'getLast',
    summary: 'Last trade, quote and statistics',
    description: 'The newest trade and quote and the running figures of one instrument, or of all by symbol.',
    tag: 'market data',
    params: { symbol: params.symbolOptional, limit: params.limitParam(100, 500), cursor: params.cursor },
    schema: lastResponseSchema,
    example: { asOfMs: 1394604000000, next: null, last: [LAST_EXAMPLE] },
    problems: { 404: 'No such instrument' },
    async answer({ symbol, limit, cursor }) {
      const key = `last?${symbol ?? ''}`;
      const after = cursor === undefined ? '' : String(decodeCursor(key, cursor, 'string'));
      if (symbol !== undefined) await deps.directory.insist(symbol);
      const all = symbol === undefined ? (await deps.directory.symbols()).map((info) => info.symbol) : [symbol];
      const found = all.filter((name) => name > after);
      const last: LastView[] = [];
      for (const name of found.slice(0, limit)) last.push(await lastOf(deps, name));
      const next = found.length > limit ? encodeCursor(key, found[limit - 1] ?? '') : null;
      return { json: { asOfMs: deps.clock.nowMs(), next, last }, next, freshness: 'live' };
    },
  });
}

function statsRoute(deps: LastDeps): Route {
  return route({
    path: '/v1/stats',
    operationId: 'getStats',
    summary: 'Statistics',
    description:
      'Running figures of one instrument: spread, averages of 30 s, realised volatility, change and range of the UTC day.',
    tag: 'market data',
    params: { symbol: params.symbolRequired },
    schema: statsResponseSchema,
    example: { asOfMs: 1394604000000, ...STATS_EXAMPLE },
    problems: { 404: 'No such instrument, or nothing is known of it yet' },
    async answer({ symbol }) {
      await deps.directory.insist(symbol);
      const stats = await statsOf(deps, symbol);
      if (stats === undefined) throw new RequestError('not_found', 'There are no statistics of this instrument yet.');
      return { json: { asOfMs: deps.clock.nowMs(), ...stats }, freshness: 'live' };
    },
  });
}

async function statsOf(deps: LastDeps, symbol: string): Promise<StatsView | undefined> {
  const stats = deps.live.lastStats(symbol) ?? (await unavailable(deps.store.stats(symbol)));
  return stats === undefined ? undefined : statsView(stats);
}

async function lastOf(deps: LastDeps, symbol: string): Promise<LastView> {
  const { live, store } = deps;
  const newest = { instrument: symbol, limit: 1, newestFirst: true };
  const trade = live.lastTrade(symbol) ?? (await first(store.trades(newest), tradeEventOf));
  const quote = live.lastQuote(symbol) ?? (await first(store.quotes(newest), quoteStateOf));
  const stats = live.lastStats(symbol) ?? (await unavailable(store.stats(symbol)));
  return lastView(symbol, trade, quote, stats);
}

async function first<C extends TradeColumns | QuoteColumns, T>(
  batches: AsyncIterable<C>,
  view: (columns: C, i: number) => T,
): Promise<T | undefined> {
  return unavailable(
    (async () => {
      for await (const batch of batches) if (batch.length > 0) return view(batch, 0);
      return undefined;
    })(),
  );
}
