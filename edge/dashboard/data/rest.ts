/** The public REST API, as any other page would use it. */
import type { BarView, Problem, SymbolInfo } from '#shared/market.ts';
import type { Timeframe } from '#shared/timeframes.ts';

/** What went wrong, in words for the reader; `retryable` says whether trying again may help. */
export class RestError extends Error {
  readonly status: number;
  readonly retryable: boolean;

  constructor(message: string, status: number, retryable: boolean, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'RestError';
    this.status = status;
    this.retryable = retryable;
  }
}

/** Rejects with a RestError. */
async function get<T>(
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<T> {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  let response: Response;
  try {
    response = await fetch(url, { headers: { accept: 'application/json' }, signal });
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new RestError('The server cannot be reached.', 0, true, { cause });
  }
  if (response.ok) return (await response.json()) as T;
  const problem = await response.json().then(
    (body: unknown) => body as Partial<Problem>,
    () => undefined,
  );
  throw new RestError(
    problem?.detail ?? problem?.title ?? `The server answered with status ${response.status}.`,
    response.status,
    problem?.retryable ?? response.status >= 500,
  );
}

/** Every symbol, page by page. */
export async function fetchSymbols(signal: AbortSignal): Promise<SymbolInfo[]> {
  const symbols: SymbolInfo[] = [];
  let cursor: string | undefined;
  do {
    const page: { symbols: SymbolInfo[]; next: string | null } = await get('/v1/symbols', { cursor }, signal);
    symbols.push(...page.symbols);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  return symbols;
}

export interface BarsPage {
  /** By rising start. */
  bars: BarView[];
  /** Continues to older bars; undefined at the beginning of the history. */
  older: string | undefined;
}

/** The newest bars, or with `cursor` those before. */
export async function fetchBars(
  symbol: string,
  timeframe: Timeframe,
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<BarsPage> {
  const page: { bars: BarView[]; next: string | null } = await get(
    '/v1/bars',
    { symbol, tf: timeframe, order: 'desc', limit: '500', cursor },
    signal,
  );
  return { bars: page.bars.toSorted((a, b) => a.startMs - b.startMs), older: page.next ?? undefined };
}
