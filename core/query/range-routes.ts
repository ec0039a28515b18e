/** Lists over a time range: /v1/bars, /v1/trades, /v1/quotes, /v1/profile. */
import type { Bar } from '#shared/bars.ts';
import type { Clock } from '#shared/clock.ts';
import { LIMITS } from '#shared/limits.ts';
import {
  barsResponseSchema,
  profileResponseSchema,
  quotesResponseSchema,
  tradesResponseSchema,
} from '#shared/market.ts';
import type { QuoteColumns, TradeColumns } from '#shared/ticks.ts';
import type { MarketStore, RangeQuery } from '../stores/stores.ts';
import { route, wantsCsv, type Freshness, type Route } from './answer.ts';
import {
  BAR_CSV_HEADER,
  PROFILE_CSV_HEADER,
  QUOTE_CSV_HEADER,
  TRADE_ACTION_CSV_HEADER,
  TRADE_CSV_HEADER,
} from './csv-rows.ts';
import { barCsv, profileCsvRows, quoteCsvRows, tradeCsvRows } from './csv-rows.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { unavailable, type Directory } from './directory.ts';
import { BAR_EXAMPLE, PROFILE_EXAMPLE, QUOTE_EXAMPLE, TRADE_EXAMPLE } from './examples.ts';
import { mergeBars } from './merge-bars.ts';
import type { LiveState } from './live-state.ts';
import * as params from './params.ts';
import { barView, isShown, profileView, quoteViews, tradeViews } from './views.ts';

export interface RangeDeps {
  store: MarketStore;
  live: LiveState;
  clock: Clock;
  directory: Directory;
}

interface RangeValues {
  symbol: string | undefined;
  from: number | undefined;
  to: number | undefined;
  limit: number;
  order: 'asc' | 'desc';
  cursor: string | undefined;
}

const AS_OF_EXAMPLE = 1394604000000;
const UNKNOWN = { 404: 'No such instrument' };
const CSV_NOTE = ' As CSV with `Accept: text/csv`; the next page is then in the `Link` header.';

/** Store query of one page and one row more, which tells whether there is a next one. */
function storeQuery(name: string, values: RangeValues): { query: RangeQuery; key: string } {
  const key = `${name}?${values.symbol ?? ''}&${values.from ?? ''}&${values.to ?? ''}&${values.order}`;
  const query: RangeQuery = { limit: values.limit + 1, newestFirst: values.order === 'desc' };
  if (values.symbol !== undefined) query.instrument = values.symbol;
  if (values.from !== undefined) query.fromMs = values.from;
  if (values.to !== undefined) query.toMs = values.to;
  if (values.cursor !== undefined) query.after = Number(decodeCursor(key, values.cursor, 'number'));
  return { query, key };
}

async function collect<T>(batches: AsyncIterable<readonly T[]>, limit: number): Promise<T[]> {
  const rows: T[] = [];
  for await (const batch of batches) {
    for (const row of batch) if (rows.length < limit) rows.push(row);
    if (rows.length >= limit) break;
  }
  return rows;
}

async function collectColumns<T extends { length: number }>(batches: AsyncIterable<T>, limit: number): Promise<T[]> {
  const columns: T[] = [];
  let rows = 0;
  for await (const batch of batches) {
    columns.push(batch);
    rows += batch.length;
    if (rows >= limit) break;
  }
  return columns;
}

export function rangeRoutes(deps: RangeDeps): Route[] {
  return [barsRoute(deps), tradesRoute(deps), quotesRoute(deps), profileRoute(deps)];
}

function barsRoute(deps: RangeDeps): Route {
  return route({
    path: '/v1/bars',
    operationId: 'listBars',
    summary: 'Bars',
    description: `Bars of one instrument by rising start, the open one included. There is no bar where nothing was traded.${CSV_NOTE}`,
    tag: 'market data',
    params: {
      symbol: params.symbolRequired,
      tf: params.timeframe,
      from: params.from,
      to: params.to,
      limit: params.limitParam(500, LIMITS.restBars),
      order: params.order,
      cursor: params.cursor,
    },
    schema: barsResponseSchema,
    example: { asOfMs: AS_OF_EXAMPLE, next: null, symbol: 'asx:BHP', timeframe: '1m', bars: [BAR_EXAMPLE] },
    csvExample: `${BAR_CSV_HEADER}\n`,
    problems: UNKNOWN,
    async answer(values, context) {
      const { symbol, tf: timeframe, limit, order } = values;
      const { query, key } = storeQuery(`bars/${timeframe}`, values);
      await deps.directory.insist(symbol);
      const stored = await unavailable(collect<Bar>(deps.store.bars({ ...query, timeframe }), limit + 1));
      const all = mergeBars(stored, deps.live.recentBars(symbol, timeframe), {
        ...query,
        complete: stored.length <= limit,
      });
      const bars = all.slice(0, limit);
      const last = bars.at(-1);
      const next = all.length > limit && last !== undefined ? encodeCursor(key, last.startMs) : null;
      const open = bars.some((bar) => bar.state === 'provisional');
      return {
        json: { asOfMs: deps.clock.nowMs(), next, symbol, timeframe, bars: bars.filter(isShown).map(barView) },
        csv: wantsCsv(context) ? [BAR_CSV_HEADER, ...bars.filter(isShown).map(barCsv), ''].join('\n') : undefined,
        next,
        freshness: open
          ? 'live'
          : freshness(deps, symbol, order === 'asc' && next !== null ? last?.startMs : values.to),
      };
    },
  });
}

function tradesRoute(deps: RangeDeps): Route {
  return route({
    path: '/v1/trades',
    operationId: 'listTrades',
    summary: 'Trades',
    description: `Trades, cancels and corrections as they came in, in the order of arrival.${CSV_NOTE}`,
    tag: 'market data',
    params: { ...rangeParams(), withAction: params.withAction },
    schema: tradesResponseSchema,
    example: { asOfMs: AS_OF_EXAMPLE, next: null, trades: [TRADE_EXAMPLE] },
    csvExample: `${TRADE_CSV_HEADER}\n`,
    problems: UNKNOWN,
    async answer(values, context) {
      const { query, key } = storeQuery('trades', values);
      if (values.symbol !== undefined) await deps.directory.insist(values.symbol);
      const columns = await unavailable(collectColumns<TradeColumns>(deps.store.trades(query), values.limit + 1));
      const views = columns.flatMap((batch) => [...tradeViews(batch)]);
      const trades = views.slice(0, values.limit);
      const next = views.length > values.limit ? encodeCursor(key, trades.at(-1)?.arrival ?? 0) : null;
      const csv = wantsCsv(context)
        ? csvPage(
            values.withAction ? TRADE_ACTION_CSV_HEADER : TRADE_CSV_HEADER,
            columns.flatMap((batch) => [...tradeCsvRows(batch, values.withAction)]),
            values.limit,
          )
        : undefined;
      return {
        json: { asOfMs: deps.clock.nowMs(), next, trades },
        csv,
        next,
        freshness: freshness(deps, values.symbol, values.to),
      };
    },
  });
}

function quotesRoute(deps: RangeDeps): Route {
  return route({
    path: '/v1/quotes',
    operationId: 'listQuotes',
    summary: 'Quotes',
    description: `Best bids and asks as they came in, in the order of arrival.${CSV_NOTE}`,
    tag: 'market data',
    params: rangeParams(),
    schema: quotesResponseSchema,
    example: { asOfMs: AS_OF_EXAMPLE, next: null, quotes: [QUOTE_EXAMPLE] },
    csvExample: `${QUOTE_CSV_HEADER}\n`,
    problems: UNKNOWN,
    async answer(values, context) {
      const { query, key } = storeQuery('quotes', values);
      if (values.symbol !== undefined) await deps.directory.insist(values.symbol);
      const columns = await unavailable(collectColumns<QuoteColumns>(deps.store.quotes(query), values.limit + 1));
      const views = columns.flatMap((batch) => [...quoteViews(batch)]);
      const quotes = views.slice(0, values.limit);
      const next = views.length > values.limit ? encodeCursor(key, quotes.at(-1)?.arrival ?? 0) : null;
      const csv = wantsCsv(context)
        ? csvPage(
            QUOTE_CSV_HEADER,
            columns.flatMap((batch) => [...quoteCsvRows(batch)]),
            values.limit,
          )
        : undefined;
      return {
        json: { asOfMs: deps.clock.nowMs(), next, quotes },
        csv,
        next,
        freshness: freshness(deps, values.symbol, values.to),
      };
    },
  });
}

function profileRoute(deps: RangeDeps): Route {
  return route({
    path: '/v1/profile',
    operationId: 'listProfiles',
    summary: 'Volume profiles',
    description: `Volume by price in windows of five minutes, with point of control and value area.${CSV_NOTE}`,
    tag: 'market data',
    params: { ...rangeParams(12, 300), symbol: params.symbolRequired },
    schema: profileResponseSchema,
    example: { asOfMs: AS_OF_EXAMPLE, next: null, symbol: 'asx:BHP', profiles: [PROFILE_EXAMPLE] },
    csvExample: `${PROFILE_CSV_HEADER}\n`,
    problems: UNKNOWN,
    async answer(values, context) {
      const { query, key } = storeQuery('profile', values);
      await deps.directory.insist(values.symbol);
      const found = await unavailable(collect(deps.store.profiles(query), values.limit + 1));
      const profiles = found.slice(0, values.limit);
      const next = found.length > values.limit ? encodeCursor(key, profiles.at(-1)?.startMs ?? 0) : null;
      const open = profiles.some((profile) => profile.state === 'provisional');
      return {
        json: { asOfMs: deps.clock.nowMs(), next, symbol: values.symbol, profiles: profiles.map(profileView) },
        csv: wantsCsv(context)
          ? [PROFILE_CSV_HEADER, ...profiles.flatMap((profile) => [...profileCsvRows(profile)]), ''].join('\n')
          : undefined,
        next,
        freshness: open ? 'live' : freshness(deps, values.symbol, values.to),
      };
    },
  });
}

function rangeParams(fallback = 100, max: number = LIMITS.restRows) {
  return {
    symbol: params.symbolOptional,
    from: params.from,
    to: params.to,
    limit: params.limitParam(fallback, max),
    order: params.order,
    cursor: params.cursor,
  };
}

function csvPage(header: string, rows: readonly string[], limit: number): string {
  return [header, ...rows.slice(0, limit), ''].join('\n');
}

/** Behind the watermark by this much nothing but a late trade changes a range. */
const GRACE_MS = 2_000;
/** What a venue that is not connected may still bring, by the wall clock. */
const SETTLED_MS = 900_000;

/** closed when everything before `toMs` is final at its venue. */
function freshness(deps: RangeDeps, symbol: string | undefined, toMs: number | undefined): Freshness {
  if (toMs === undefined) return 'live';
  const venue = symbol?.slice(0, symbol.indexOf(':'));
  const venues = deps.live.venues().filter((status) => venue === undefined || status.venue === venue);
  if (venues.length === 0) return deps.clock.nowMs() >= toMs + SETTLED_MS ? 'closed' : 'live';
  return venues.every((status) => status.state === 'ended' || status.watermarkMs >= toMs + GRACE_MS)
    ? 'closed'
    : 'live';
}
