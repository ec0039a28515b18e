/** Prints rows as a table, CSV or JSON lines. */
import type { Out } from './io.ts';
import { CSV_HEADERS, type Kind, type Rows, type View } from './rows.ts';
import { tableWriter, type Column } from './table.ts';

export type Format = 'table' | 'csv' | 'json';
export const FORMATS: readonly Format[] = ['table', 'csv', 'json'];

/** Most rows that go out: batches are cut, and reading stops as soon as they are out or the reader has gone. */
export async function printRows(
  out: Out,
  kind: Kind,
  format: Format,
  batches: AsyncIterable<Rows>,
  limit = Infinity,
): Promise<number> {
  let left = limit;
  const table = tableWriter(COLUMNS[kind]);
  if (format === 'csv') await out.write(`${CSV_HEADERS[kind]}\n`);
  for await (const batch of batches) {
    const lines = linesOf(batch, kind, format, table).slice(0, left);
    const rows = 'csv' in batch ? batch.csv.length : batch.views.length;
    left -= rows;
    await out.write(lines.map((line) => `${line}\n`).join(''));
    if (left <= 0 || out.closed) break;
  }
  if (format === 'table' && left === limit) await out.write(`No ${NOUNS[kind]}.\n`);
  return limit - left;
}

const NOUNS: Readonly<Record<Kind, string>> = {
  bars: 'bars',
  profile: 'volume profiles',
  trades: 'trades',
  quotes: 'quotes',
  symbols: 'instruments',
};

function linesOf(batch: Rows, kind: Kind, format: Format, table: (rows: readonly View[]) => string[]): string[] {
  if ('csv' in batch) return batch.csv;
  if (format === 'json') return batch.views.map((view) => JSON.stringify(view));
  return batch.views.length === 0 ? [] : table(kind === 'profile' ? batch.views.flatMap(profileRows) : batch.views);
}

function profileRows(profile: View): View[] {
  return (profile['rows'] as View[]).map((row) => ({ symbol: profile['symbol'], startMs: profile['startMs'], ...row }));
}

function value(name: string, title: string, right = true): Column<View> {
  return { title, right, text: (row) => String(row[name] ?? '') };
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
