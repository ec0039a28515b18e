/** What collector and windows counted, put together. Pure. */
import type { StatusView } from '#shared/market.ts';
import type { CollectorSummary } from '../collector/collector.ts';
import type { TickCounts } from '../windows/changes.ts';

/** Reason under which ticks stand that the windows refused: their bar could not hold them exactly (SPEC MD-3). */
const NOT_EXACT = 'not_exact';

/** Rejected rows and ticks by reason, those of the windows included. */
export function allRejected(
  collector: Pick<CollectorSummary, 'rejected'> | undefined,
  ticks: Pick<TickCounts, 'rejected'> | undefined,
): Record<string, number> {
  const rejected: Record<string, number> = { ...collector?.rejected };
  if (ticks !== undefined && ticks.rejected > 0) rejected[NOT_EXACT] = ticks.rejected;
  return rejected;
}

export function countsOf(collector: CollectorSummary | undefined, ticks: TickCounts | undefined): StatusView['counts'] {
  return {
    read: collector?.read ?? 0,
    acceptedTrades: collector?.accepted.trades ?? 0,
    acceptedQuotes: collector?.accepted.quotes ?? 0,
    rejected: allRejected(collector, ticks),
    reordered: ticks?.reordered ?? 0,
    late: ticks?.late ?? 0,
    tooLate: ticks?.tooLate ?? 0,
    duplicate: ticks?.duplicate ?? 0,
    cancelled: ticks?.cancelled ?? 0,
    corrected: ticks?.corrected ?? 0,
    unknownReference: ticks?.unknownReference ?? 0,
  };
}
