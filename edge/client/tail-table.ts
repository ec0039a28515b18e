/** The terminal view of `edgetape tail`: a table of the latest values, as text. Pure. */
import type { Fields, TopicSnapshot } from './topic.ts';

export interface TailRow {
  symbol: string;
  stats: TopicSnapshot;
  quotes: TopicSnapshot;
  trades: TopicSnapshot;
  /** The newest bar of the first bars channel asked for. */
  bars: TopicSnapshot | undefined;
}

export interface TailHead {
  phase: string;
  url: string;
  simulated: boolean;
  /** Milliseconds; NaN before the first. */
  edgeP50Ms: number;
  venueP50Ms: number;
  conflateMs: number;
}

/** Which way the last price of a symbol moved. */
export type Moves = Map<string, { price: string; direction: 1 | 0 | -1 }>;

const ESCAPE = '\u001B[';
const RESET = `${ESCAPE}0m`;
const COLOURS = { green: '32', red: '31', yellow: '33', dim: '2', bold: '1' } as const;
/** Event times further back are a recording's, and no delay. */
const RECORDED_MS = 3_600_000;

interface Column {
  title: string;
  left?: boolean;
  /** Columns with a higher number go first when the terminal is narrow. */
  spare: number;
  cell: (row: TailRow, nowMs: number, moves: Moves) => { text: string; colour?: keyof typeof COLOURS | undefined };
}

const COLUMNS: readonly Column[] = [
  { title: 'SYMBOL', left: true, spare: 0, cell: ({ symbol }) => ({ text: symbol }) },
  { title: 'LAST', spare: 0, cell: lastCell },
  { title: 'CHANGE', spare: 3, cell: changeCell },
  { title: 'BID', spare: 1, cell: ({ quotes }) => ({ text: text(quotes.fields, 'bidPrice') }) },
  { title: 'ASK', spare: 1, cell: ({ quotes }) => ({ text: text(quotes.fields, 'askPrice') }) },
  { title: 'SPREAD bp', spare: 6, cell: ({ stats }) => ({ text: fixed(stats.fields, 'spreadBps', 2) }) },
  { title: 'VWAP 30 s', spare: 5, cell: ({ stats }) => ({ text: trimmed(text(stats.fields, 'vwap30s'), 10) }) },
  { title: 'DAY VOLUME', spare: 4, cell: ({ stats }) => ({ text: trimmed(text(stats.fields, 'dayVolume'), 14) }) },
  { title: 'BAR', left: true, spare: 7, cell: ({ bars }) => ({ text: barText(bars) }) },
  { title: 'AGE', spare: 2, cell: ageCell },
];

const BAR_STATES = ['provisional', 'final', 'revised'] as const;

/** The whole screen, one string a line; at most `height` lines of at most `width` characters. */
export function tailLines(
  head: TailHead,
  rows: readonly TailRow[],
  nowMs: number,
  moves: Moves,
  size: { width: number; height: number; colour: boolean },
): string[] {
  const space = Math.max(1, size.height - 3);
  const shown = rows.slice(0, rows.length > space ? space - 1 : space);
  const texts = shown.map((row) => COLUMNS.map((column) => column.cell(row, nowMs, moves)));
  const widths = COLUMNS.map((column, i) => {
    const longest = Math.max(0, ...texts.map((cells) => cells[i]?.text.length ?? 0));
    return longest === 0 ? 0 : Math.max(column.title.length, longest);
  });
  const kept = fitting(widths, size.width);
  const pad = (value: string, i: number): string =>
    COLUMNS[i]?.left ? value.padEnd(widths[i] ?? 0) : value.padStart(widths[i] ?? 0);
  const paint = (value: string, colour: keyof typeof COLOURS | undefined): string =>
    colour === undefined || !size.colour ? value : `${ESCAPE}${COLOURS[colour]}m${value}${RESET}`;

  const lines = [headLine(head, size.width, paint)];
  lines.push(paint(kept.map((i) => pad(COLUMNS[i]?.title ?? '', i)).join('  '), 'dim'));
  for (const cells of texts) {
    lines.push(kept.map((i) => paint(pad(cells[i]?.text ?? '', i), cells[i]?.colour)).join('  '));
  }
  if (shown.length < rows.length)
    lines.push(paint(`… ${rows.length - shown.length} more; name some with --symbol`, 'dim'));
  return lines;
}

function headLine(
  head: TailHead,
  width: number,
  paint: (value: string, colour: keyof typeof COLOURS | undefined) => string,
): string {
  const fromVenue = Math.abs(head.venueP50Ms) < RECORDED_MS;
  const delay = fromVenue ? head.venueP50Ms : head.edgeP50Ms;
  const parts = [
    head.phase,
    ...(head.simulated ? ['SIMULATED'] : []),
    head.url,
    Number.isNaN(delay) ? 'no data yet' : `${fromVenue ? 'exchange' : 'edge'} → here p50 ${delay.toFixed(1)} ms`,
    `window ${head.conflateMs} ms`,
  ];
  const line = parts.join('  ').slice(0, width);
  return paint(line, head.phase === 'live' ? 'bold' : 'yellow');
}

/** Indexes of the columns that fit, the most wanted ones first. */
function fitting(widths: readonly number[], width: number): number[] {
  let kept = COLUMNS.map((_, i) => i).filter((i) => (widths[i] ?? 0) > 0);
  const total = (): number => kept.reduce((sum, i) => sum + (widths[i] ?? 0) + 2, -2);
  while (kept.length > 2 && total() > width) {
    const worst = Math.max(...kept.map((i) => COLUMNS[i]?.spare ?? 0));
    kept = kept.filter((i) => COLUMNS[i]?.spare !== worst);
  }
  return kept;
}

function lastCell({ symbol, stats, trades }: TailRow, _nowMs: number, moves: Moves): ReturnType<Column['cell']> {
  const price = text(stats.fields, 'lastPrice') || text(trades.rows.at(-1), 'price');
  const before = moves.get(symbol);
  const difference =
    before === undefined || before.price === price ? 0 : Math.sign(Number(price) - Number(before.price));
  const direction = (difference === 0 ? (before?.direction ?? 0) : difference) as 1 | 0 | -1;
  moves.set(symbol, { price, direction });
  const arrow = direction > 0 ? '▲' : direction < 0 ? '▼' : ' ';
  return { text: price === '' ? '' : `${arrow} ${price}`, colour: colourOf(direction) };
}

function changeCell({ stats }: TailRow): ReturnType<Column['cell']> {
  const fraction = Number(text(stats.fields, 'changeFraction') || Number.NaN);
  if (Number.isNaN(fraction)) return { text: '' };
  const percent = (fraction * 100).toFixed(2);
  return { text: `${fraction > 0 ? '+' : ''}${percent}%`, colour: colourOf(Math.sign(fraction)) };
}

function ageCell({ stats, quotes, trades, bars }: TailRow, nowMs: number): ReturnType<Column['cell']> {
  const times = [stats, quotes, trades, bars].map((topic) => topic?.receivedAtMs ?? Number.NaN);
  const newestMs = Math.max(...times.filter((time) => !Number.isNaN(time)));
  if (!Number.isFinite(newestMs)) return { text: '–', colour: 'dim' };
  const seconds = Math.max(0, nowMs - newestMs) / 1000;
  return {
    text: `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`,
    colour: seconds > 10 ? 'yellow' : 'dim',
  };
}

function barText(bars: TopicSnapshot | undefined): string {
  const bar = bars?.rows.at(-1);
  if (bar === undefined) return '';
  const state = BAR_STATES[Number(bar['state'])] ?? '';
  return `${text(bar, 'open')} ${text(bar, 'high')} ${text(bar, 'low')} ${text(bar, 'close')} ${state}`;
}

function colourOf(direction: number): 'green' | 'red' | undefined {
  return direction > 0 ? 'green' : direction < 0 ? 'red' : undefined;
}

function text(fields: Fields | undefined, name: string): string {
  const value = fields?.[name];
  return value === null || value === undefined ? '' : String(value);
}

function fixed(fields: Fields | undefined, name: string, places: number): string {
  const value = text(fields, name);
  return value === '' ? '' : Number(value).toFixed(places);
}

/** Cuts places behind the point, so that the text has at most `length` characters. */
function trimmed(value: string, length: number): string {
  const point = value.indexOf('.');
  return point < 0 || value.length <= length ? value : value.slice(0, Math.max(point, length)).replace(/\.$/u, '');
}
