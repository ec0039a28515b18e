/** Prints rows as a table, CSV or JSON lines. */
import type { Out } from './io.ts';
import type { Kind, Rows, View } from './rows.ts';
import { tableWriter, type Column } from './table.ts';

export type Format = 'table' | 'csv' | 'json';
export const FORMATS: readonly Format[] = ['table', 'csv', 'json'];

export interface PrintOptions {
  kind: Kind;
  format: Format;
  /** First line of the CSV form. */
  csvHeader: string;
  /** Most rows that go out; reading stops as soon as they are out, or the reader has gone. */
  limit: number | undefined;
}

/** Prints the batches. Resolves with the number of rows that went out. */
export async function printRows(out: Out, options: PrintOptions, batches: AsyncIterable<Rows>): Promise<number> {
  const { kind, format, limit = Infinity } = options;
  const table = tableWriter(COLUMNS[kind]);
  let printed = 0;
  if (format === 'csv') await out.write(`${options.csvHeader}\n`);
  for await (const batch of batches) {
    const rows = rowsOf(batch, kind, format).slice(0, limit - printed);
    printed += rows.length;
    const lines = 'csv' in batch ? (rows as string[]) : rows.length === 0 ? [] : linesOf(rows as View[], format, table);
    await out.write(lines.map((line) => `${line}\n`).join(''));
    if (printed >= limit || out.closed) break;
  }
  if (format === 'table' && printed === 0) await out.write(`No ${NOUNS[kind]}.\n`);
  return printed;
}

const NOUNS: Readonly<Record<Kind, string>> = {
  bars: 'bars',
  profile: 'volume profiles',
  trades: 'trades',
  quotes: 'quotes',
  symbols: 'instruments',
};

function rowsOf(batch: Rows, kind: Kind, format: Format): (string | View)[] {
  if ('csv' in batch) return batch.csv;
  return kind === 'profile' && format === 'table' ? batch.views.flatMap(profileRows) : batch.views;
}

function linesOf(rows: readonly View[], format: Format, table: (rows: readonly View[]) => string[]): string[] {
  return format === 'json' ? rows.map((row) => JSON.stringify(row)) : table(rows);
}

function profileRows(profile: View): View[] {
  return (profile['rows'] as View[]).map((row) => ({ symbol: profile['symbol'], startMs: profile['startMs'], ...row }));
}

function value(name: string, title: string, right = true): Column<View> {
  return {
    title,
    right,
    text(row) {
      const cell = row[name];
      return typeof cell === 'string' || typeof cell === 'number' ? `${cell}` : '';
    },
  };
}

function utc(name: string, title: string): Column<View> {
  return {
    title,
    text(row) {
      const ms = row[name];
      return typeof ms === 'number' ? new Date(ms).toISOString().replace('.000Z', 'Z') : '';
    },
  };
}

/** Nanoseconds as text, printed to the millisecond. */
function utcNanos(name: string, title: string): Column<View> {
  return {
    title,
    text(row) {
      const nanos = row[name];
      return typeof nanos === 'string' ? new Date(Number(nanos.padStart(7, '0').slice(0, -6))).toISOString() : '';
    },
  };
}

function mark(name: string, title: string): Column<View> {
  return { title, text: (row) => (row[name] === true ? '*' : '') };
}

const COLUMNS: Readonly<Record<Kind, readonly Column<View>[]>> = {
  bars: [
    value('symbol', 'symbol', false),
    utc('startMs', 'start'),
    value('open', 'open'),
    value('high', 'high'),
    value('low', 'low'),
    value('close', 'close'),
    value('volume', 'volume'),
    value('vwap', 'vwap'),
    value('tradeCount', 'trades'),
    value('state', 'state', false),
    value('revision', 'revision'),
  ],
  profile: [
    value('symbol', 'symbol', false),
    utc('startMs', 'start'),
    value('price', 'price'),
    value('volume', 'volume'),
    value('buyVolume', 'buy'),
    value('sellVolume', 'sell'),
    value('tradeCount', 'trades'),
    mark('isPoc', 'poc'),
    mark('inValueArea', 'value area'),
  ],
  trades: [
    utcNanos('eventNs', 'time'),
    value('symbol', 'symbol', false),
    value('price', 'price'),
    value('size', 'size'),
    value('side', 'side', false),
    value('tradeId', 'id'),
    value('conditions', 'conditions', false),
    value('action', 'action', false),
  ],
  quotes: [
    utcNanos('eventNs', 'time'),
    value('symbol', 'symbol', false),
    value('bidSize', 'bid size'),
    value('bidPrice', 'bid'),
    value('askPrice', 'ask'),
    value('askSize', 'ask size'),
  ],
  symbols: [
    value('symbol', 'symbol', false),
    value('trades', 'trades'),
    value('quotes', 'quotes'),
    utc('firstEventMs', 'first'),
    utc('lastEventMs', 'last'),
    value('priceScale', 'price places'),
    value('sizeScale', 'size places'),
  ],
};
