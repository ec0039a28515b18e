/** What a replay did, for people. Pure. */
import type { BarState } from '#shared/bars.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import type { CollectorSummary } from '../collector/collector.ts';
import type { MarketStore } from '../stores/stores.ts';
import type { TickCounts } from '../windows/changes.ts';
import { allRejected } from '../dev/counts.ts';

export interface ReplayFigures {
  collector: CollectorSummary;
  counts: TickCounts;
  /** Bars in the store after the replay, by state. */
  bars: Record<BarState, number>;
  /** Trades and quotes that this run put into the store, without those of earlier runs of the same replay. */
  trades: number;
  quotes: number;
  elapsedMs: number;
  cpuSeconds: number;
}

export function number(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** How many bars of each state a store holds, over all timeframes. */
export async function countBars(store: Pick<MarketStore, 'bars'>): Promise<Record<BarState, number>> {
  const counts: Record<BarState, number> = { provisional: 0, final: 0, revised: 0 };
  for (const timeframe of TIMEFRAMES) {
    for await (const bars of store.bars({ timeframe })) for (const bar of bars) counts[bar.state]++;
  }
  return counts;
}

/** What became of the rows, as far as the collector knows; with the windows' counts, as far as they know too. */
export function collectorLines(collector: CollectorSummary, counts?: TickCounts): string[] {
  const rejected = Object.entries(allRejected(collector, counts)).sort(([a], [b]) => (a < b ? -1 : 1));
  const rejectedTotal = rejected.reduce((sum, [, count]) => sum + count, 0);
  const lines = [
    `read       ${number(collector.read)} rows`,
    `accepted   ${number(collector.accepted.trades)} trades, ${number(collector.accepted.quotes)} quotes`,
    `rejected   ${number(rejectedTotal)}${rejected.length > 0 ? `: ${rejected.map(([reason, count]) => `${reason} ${number(count)}`).join(', ')}` : ''}`,
  ];
  if (collector.ignored > 0) lines.push(`ignored    ${number(collector.ignored)} messages of other kinds`);
  if (collector.gaps > 0) lines.push(`gaps       ${number(collector.gaps)} in trade ids`);
  return lines;
}

/** Lines of the summary. */
export function summaryLines(figures: ReplayFigures): string[] {
  const { collector, counts, bars } = figures;
  const seconds = figures.elapsedMs / 1000;
  const lines = collectorLines(collector, counts);
  lines.push(
    `order      ${number(counts.reordered)} reordered, ${number(counts.late)} late, ${number(counts.tooLate)} recomputed, ${number(counts.duplicate)} duplicates`,
    `changes    ${number(counts.cancelled)} cancelled, ${number(counts.corrected)} corrected, ${number(counts.unknownReference)} naming an unknown trade`,
    `bars       ${number(bars.final)} final, ${number(bars.revised)} revised, ${number(bars.provisional)} provisional`,
    `elapsed    ${seconds.toFixed(2)} s, CPU ${figures.cpuSeconds.toFixed(2)} s`,
  );
  const ticks = figures.trades + figures.quotes;
  if (ticks === 0 && collector.read > 0) lines.push('These files were replayed before; there was nothing left to do.');
  if (ticks > 0 && seconds > 0) {
    const what = figures.trades >= figures.quotes ? 'trades' : 'ticks';
    const done = what === 'trades' ? figures.trades : ticks;
    lines.push(
      `rate       ${number(done / seconds)} ${what}/s, ${((figures.cpuSeconds * 1e6) / done).toFixed(1)} CPU-seconds per million`,
    );
  }
  return lines;
}
