/** What is in the store after a run, held against the tapes and a recompute that shares no code with the product. */
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { cli } from '../support/cli.ts';
import { readTape, readTrades, recomputeBars, recomputeProfiles } from '../support/recompute.ts';

export interface Verdict {
  trades: number;
  lost: number;
  duplicated: number;
  /** Trades that stand in another place than in the tape. */
  displaced: number;
  bars: number;
  /** Bars that are missing, too many, different from the recompute, or not final. */
  wrongBars: number;
  profileRows: number;
  wrongProfileRows: number;
  /** The first of each kind. */
  examples: string[];
}

/** Columns of bars and profiles that the recompute gives. */
const BAR_COLUMNS = 11;
const PROFILE_COLUMNS = 9;
const EXAMPLES = 5;

/** The tapes must be trades in the order of their times, of instruments that are in one tape only. */
export async function check(tapes: readonly string[], dataDir: string): Promise<Verdict> {
  const examples: string[] = [];
  const note = (text: string): void => {
    if (examples.length < EXAMPLES) examples.push(text);
  };
  const wanted = (await Promise.all(tapes.map(readTape))).flatMap((rows) => rows.slice(1).map((row) => row.join(',')));
  const stored = await rowsOf(dataDir, 'trades');
  const trades = difference(wanted, stored);
  for (const row of trades.missing) note(`lost: ${row}`);
  for (const row of trades.extra) note(`twice, or from nowhere: ${row}`);
  const inOrder = tapes.length > 1 || trades.missing.length + trades.extra.length > 0;
  const displaced = inOrder ? 0 : stored.filter((row, i) => row !== wanted[i]).length;
  const tape = await readTrades(tapes);
  let bars = 0;
  let wrongBars = 0;
  for (const timeframe of TIMEFRAMES) {
    const rows = await rowsOf(dataDir, 'bars', '--tf', timeframe);
    const notFinal = rows.filter((row) => row.split(',')[BAR_COLUMNS] !== 'final');
    const { missing, extra } = difference(recomputeBars(tape, timeframe), heads(rows, BAR_COLUMNS));
    for (const row of missing) note(`${timeframe} bar should be: ${row}`);
    for (const row of extra) note(`${timeframe} bar is: ${row}`);
    for (const row of notFinal) note(`${timeframe} bar is not final: ${row}`);
    bars += rows.length;
    wrongBars += Math.max(missing.length, extra.length) + notFinal.length;
  }
  const profile = heads(await rowsOf(dataDir, 'profile', '--tf', '5m'), PROFILE_COLUMNS);
  const rows = difference(recomputeProfiles(tape), profile);
  for (const row of rows.missing) note(`profile should hold: ${row}`);
  return {
    trades: stored.length,
    lost: trades.missing.length,
    duplicated: trades.extra.length,
    displaced,
    bars,
    wrongBars,
    profileRows: profile.length,
    wrongProfileRows: Math.max(rows.missing.length, rows.extra.length),
    examples,
  };
}

export function isClean(verdict: Verdict): boolean {
  const { lost, duplicated, displaced, wrongBars, wrongProfileRows } = verdict;
  return lost + duplicated + displaced + wrongBars + wrongProfileRows === 0;
}

async function rowsOf(dataDir: string, command: string, ...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await cli(command, '--data-dir', dataDir, ...args, '--format', 'csv');
  if (code !== 0) throw new Error(`edgetape ${command} ended with ${code}: ${stderr}`);
  return stdout.trimEnd().split('\n').slice(1);
}

function heads(rows: readonly string[], columns: number): string[] {
  return rows.map((row) => row.split(',').slice(0, columns).join(','));
}

/** As multisets. */
function difference(wanted: readonly string[], found: readonly string[]): { missing: string[]; extra: string[] } {
  const counts = new Map<string, number>();
  for (const row of wanted) counts.set(row, (counts.get(row) ?? 0) + 1);
  const extra: string[] = [];
  for (const row of found) {
    const left = counts.get(row) ?? 0;
    if (left === 0) extra.push(row);
    else counts.set(row, left - 1);
  }
  return { missing: [...counts].flatMap(([row, left]) => Array.from({ length: left }, () => row)), extra };
}
