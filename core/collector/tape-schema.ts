/** Which columns a tape has, and where (data schemas: SPEC MD-9, MD-10). */

/** A tape that cannot be played at all. The message names the file and says what is wrong; the process exits 1. */
export class TapeError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'TapeError';
  }
}

const TRADE_COLUMNS = [
  'ts_event_ns',
  'ts_recv_ns',
  'venue',
  'symbol',
  'price',
  'size',
  'side',
  'trade_id',
  'conditions',
  'action',
] as const;
const QUOTE_COLUMNS = [
  'ts_event_ns',
  'ts_recv_ns',
  'venue',
  'symbol',
  'bid_price',
  'bid_size',
  'ask_price',
  'ask_size',
] as const;
const TRADE_REQUIRED: readonly string[] = ['ts_event_ns', 'venue', 'symbol', 'price', 'size'];
const QUOTE_REQUIRED: readonly string[] = ['venue', 'symbol', 'bid_price', 'ask_price'];

/** Position of each column in a row, -1 where the tape has none. */
export type TradeLayout = Record<(typeof TRADE_COLUMNS)[number], number>;
export type QuoteLayout = Record<(typeof QUOTE_COLUMNS)[number], number>;

export type TapeSchema =
  | { kind: 'trades'; columnCount: number; layout: TradeLayout }
  | { kind: 'quotes'; columnCount: number; layout: QuoteLayout };

/** Reads a header. Columns may stand in any order; unknown ones are left alone. Throws TapeError naming what is missing. */
export function readSchema(file: string, names: readonly string[]): TapeSchema {
  const found = names.map((name) => name.trim());
  for (const name of new Set<string>([...TRADE_COLUMNS, ...QUOTE_COLUMNS])) {
    if (found.filter((other) => other === name).length > 1)
      throw new TapeError(`${file}: the column ${name} stands twice in the header`);
  }
  const tradesMissing = missing(found, TRADE_REQUIRED);
  const quotesMissing = missing(found, QUOTE_REQUIRED);
  if (quotesMissing.length === 0 && !found.includes('ts_event_ns') && !found.includes('ts_recv_ns'))
    quotesMissing.push('ts_event_ns');
  if (tradesMissing.length === 0)
    return { kind: 'trades', columnCount: found.length, layout: layout(found, TRADE_COLUMNS) };
  if (quotesMissing.length === 0)
    return { kind: 'quotes', columnCount: found.length, layout: layout(found, QUOTE_COLUMNS) };
  const known = found.filter((name) =>
    [...TRADE_COLUMNS, ...QUOTE_COLUMNS].includes(name as (typeof TRADE_COLUMNS)[number]),
  );
  if (known.length === 0) {
    throw new TapeError(
      `${file}: not a tape. The first line must name columns (trades: ${TRADE_REQUIRED.join(', ')}; quotes: ts_event_ns, ` +
        `${QUOTE_REQUIRED.join(', ')}), or be "<receive time in ns> <JSON>" as in a raw capture`,
    );
  }
  const asQuotes = found.includes('bid_price') || found.includes('ask_price');
  throw new TapeError(
    `${file}: a tape of ${asQuotes ? 'quotes' : 'trades'} without the column${(asQuotes ? quotesMissing : tradesMissing).length > 1 ? 's' : ''} ` +
      `${(asQuotes ? quotesMissing : tradesMissing).join(', ')}; found ${found.map(short).join(', ')}`,
  );
}

function missing(found: readonly string[], required: readonly string[]): string[] {
  return required.filter((name) => !found.includes(name));
}

function layout<K extends string>(found: readonly string[], columns: readonly K[]): Record<K, number> {
  return Object.fromEntries(columns.map((name) => [name, found.indexOf(name)])) as Record<K, number>;
}

function short(name: string): string {
  return name.length > 40 ? `${name.slice(0, 40)}…` : name;
}
