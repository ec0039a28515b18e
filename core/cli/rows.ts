/** Rows that the read commands print: from the store of a data folder, or from the REST API of a running instance. */
import type { Timeframe } from '#shared/timeframes.ts';
import {
  BAR_CSV_HEADER,
  PROFILE_CSV_HEADER,
  QUOTE_CSV_HEADER,
  TRADE_ACTION_CSV_HEADER,
  TRADE_CSV_HEADER,
  barCsv,
  profileCsvRows,
  quoteCsvRows,
  tradeCsvRows,
} from '../query/csv-rows.ts';
import { barView, isShown, profileView, quoteViews, symbolView, tradeViews } from '../query/views.ts';
import type { MarketStore, RangeQuery } from '../stores/stores.ts';
import { CliError } from './io.ts';

export type Kind = 'bars' | 'profile' | 'trades' | 'quotes' | 'symbols';
export type View = Record<string, unknown>;
/** A batch: lines of CSV without the header, or public JSON forms. */
export type Rows = { csv: string[] } | { views: View[] };

export interface RowQuery {
  symbol: string | undefined;
  timeframe: Timeframe;
  fromMs: number | undefined;
  toMs: number | undefined;
  limit: number | undefined;
  /** Adds the column `action` to the CSV of trades. */
  withAction?: boolean;
}

const CSV_HEADERS: Readonly<Record<Kind, string>> = {
  bars: BAR_CSV_HEADER,
  profile: PROFILE_CSV_HEADER,
  trades: TRADE_CSV_HEADER,
  quotes: QUOTE_CSV_HEADER,
  symbols: 'venue,symbol,price_scale,size_scale,first_event_ms,last_event_ms,trades,quotes',
};

export function csvHeader(kind: Kind, query: Pick<RowQuery, 'withAction'>): string {
  return kind === 'trades' && query.withAction === true ? TRADE_ACTION_CSV_HEADER : CSV_HEADERS[kind];
}

/** Rows of a store, in the order of SPEC QY-3..5. */
export async function* localRows(store: MarketStore, kind: Kind, query: RowQuery, csv: boolean): AsyncGenerator<Rows> {
  const range = rangeOf(query);
  if (kind === 'bars') {
    for await (const bars of store.bars({ ...range, timeframe: query.timeframe })) {
      const shown = bars.filter(isShown);
      yield csv ? { csv: shown.map(barCsv) } : { views: shown.map(barView) };
    }
  } else if (kind === 'profile') {
    for await (const profiles of store.profiles(range))
      yield csv
        ? { csv: profiles.flatMap((profile) => [...profileCsvRows(profile)]) }
        : { views: profiles.map(profileView) };
  } else if (kind === 'trades') {
    for await (const trades of store.trades(range))
      yield csv ? { csv: [...tradeCsvRows(trades, query.withAction)] } : { views: [...tradeViews(trades)] };
  } else if (kind === 'quotes') {
    for await (const quotes of store.quotes(range))
      yield csv ? { csv: [...quoteCsvRows(quotes)] } : { views: [...quoteViews(quotes)] };
  } else {
    const rows = (await store.instruments())
      .map(symbolView)
      .filter(({ symbol }) => query.symbol === undefined || symbol === query.symbol);
    rows.sort((a, b) => (a.symbol < b.symbol ? -1 : 1));
    yield csv ? { csv: rows.map(symbolCsv) } : { views: rows };
  }
}

function rangeOf(query: RowQuery): RangeQuery {
  const range: RangeQuery = {};
  if (query.symbol !== undefined) range.instrument = query.symbol;
  if (query.fromMs !== undefined) range.fromMs = query.fromMs;
  if (query.toMs !== undefined) range.toMs = query.toMs;
  if (query.limit !== undefined) range.limit = query.limit;
  return range;
}

function symbolCsv(view: View): string {
  return [
    view['venue'],
    view['ticker'],
    view['priceScale'],
    view['sizeScale'],
    view['firstEventMs'] ?? '',
    view['lastEventMs'] ?? '',
    view['trades'],
    view['quotes'],
  ].join(',');
}

const PAGE = { bars: 5_000, profile: 300, trades: 10_000, quotes: 10_000, symbols: 5_000 } as const;

/** The same rows from a running instance. Lists that belong to one instrument are asked for instrument by instrument. */
export async function* restRows(url: string, kind: Kind, query: RowQuery, csv: boolean): AsyncGenerator<Rows> {
  if (kind === 'symbols') {
    for await (const page of pages(
      url,
      '/v1/symbols',
      new URLSearchParams({ limit: String(PAGE.symbols) }),
      kind,
      false,
    )) {
      const views =
        'views' in page
          ? page.views.filter((view) => query.symbol === undefined || view['symbol'] === query.symbol)
          : [];
      yield csv ? { csv: views.map(symbolCsv) } : { views };
    }
    return;
  }
  const bound = kind === 'bars' || kind === 'profile';
  const symbols = query.symbol === undefined && bound ? await symbolsOf(url) : [query.symbol];
  for (const symbol of symbols) {
    const params = new URLSearchParams({ limit: String(Math.min(PAGE[kind], query.limit ?? PAGE[kind])) });
    if (symbol !== undefined) params.set('symbol', symbol);
    if (kind === 'bars') params.set('tf', query.timeframe);
    if (query.withAction === true) params.set('withAction', 'true');
    if (query.fromMs !== undefined) params.set('from', String(query.fromMs));
    if (query.toMs !== undefined) params.set('to', String(query.toMs));
    yield* pages(url, `/v1/${kind}`, params, kind, csv);
  }
}

async function symbolsOf(url: string): Promise<string[]> {
  const symbols: { venue: string; ticker: string; symbol: string }[] = [];
  for await (const page of pages(
    url,
    '/v1/symbols',
    new URLSearchParams({ limit: String(PAGE.symbols) }),
    'symbols',
    false,
  ))
    if ('views' in page) symbols.push(...(page.views as unknown as typeof symbols));
  return symbols.sort((a, b) => compare(a.venue, b.venue) || compare(a.ticker, b.ticker)).map(({ symbol }) => symbol);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const LIST_OF: Readonly<Record<Kind, string>> = {
  bars: 'bars',
  profile: 'profiles',
  trades: 'trades',
  quotes: 'quotes',
  symbols: 'symbols',
};

async function* pages(
  base: string,
  path: string,
  params: URLSearchParams,
  kind: Kind,
  csv: boolean,
): AsyncGenerator<Rows> {
  let next: string | undefined = `${path}?${params.toString()}`;
  while (next !== undefined) {
    const response = await request(`${base}${next}`, csv ? 'text/csv' : 'application/json');
    if (csv) {
      const lines = (await response.text()).split('\n');
      yield { csv: lines.slice(1).filter((line) => line !== '') };
    } else {
      const body = (await response.json()) as Record<string, unknown>;
      yield { views: body[LIST_OF[kind]] as View[] };
    }
    next = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
  }
}

async function request(url: string, accept: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { headers: { accept } });
  } catch {
    throw new CliError(
      `Nothing answers at ${new URL(url).origin}. Check --url, or leave it out and name a data folder with --data-dir.`,
    );
  }
  if (response.ok) return response;
  const text = await response.text();
  throw new CliError(`${new URL(url).origin} answered ${response.status}: ${detailOf(text)}`);
}

function detailOf(text: string): string {
  try {
    const { title, detail } = JSON.parse(text) as { title?: string; detail?: string };
    return [title, detail].filter((part) => part !== undefined).join('. ');
  } catch {
    return 'no problem document came with it';
  }
}
