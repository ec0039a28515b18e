/** Carries out one recompute request against the history port. */
import { TIMEFRAMES } from '#shared/timeframes.ts';
import type { TickHistory } from './changes.ts';
import type { WindowEngine } from './window-engine.ts';
import type { Recomputed } from './recompute.ts';
import { PROFILE_WINDOW } from './state.ts';

/**
 * Reads what the request needs and puts the windows in place. Rejects when history does; the engine is then as before, save that
 * trades that were found need no second search. Nothing else may be fed to the engine meanwhile.
 */
export async function runRecompute(
  engine: WindowEngine,
  history: TickHistory,
  instrument: string,
): Promise<Recomputed> {
  const job = engine.startRecompute(instrument);
  if (job === undefined) return { bars: [], profiles: [] };
  for (const { fromMs, toMs } of job.searches()) {
    for await (const trades of history.trades(instrument, fromMs, toMs)) job.addFound(trades);
  }
  job.foundAll();
  for (const { fromMs, toMs } of job.ranges()) {
    for await (const trades of history.trades(instrument, fromMs, toMs)) job.add(trades);
  }
  for (const pending of job.unknownRevisions()) {
    const timeframe = TIMEFRAMES[pending.window];
    const stored =
      pending.window === PROFILE_WINDOW || timeframe === undefined
        ? await history.profile(instrument, pending.startMs)
        : await history.bar(instrument, timeframe, pending.startMs);
    if (stored !== undefined) job.setRevision(pending, stored.revision);
  }
  return job.finish();
}
