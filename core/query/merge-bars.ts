/** Puts the bars that are in memory over those of the store, which is behind by a batch. Pure. */
import type { Bar } from '#shared/bars.ts';
import { supersedes } from './live-state.ts';

export interface MergeRange {
  fromMs?: number;
  toMs?: number;
  /** Start behind which the page continues. */
  after?: number;
  newestFirst?: boolean;
  /** Whether `stored` reaches to the end of the range: bars beyond its last one then belong to the page. */
  complete: boolean;
}

/** Bars in the order of the query; of two of the same start the newer form. */
export function mergeBars(stored: readonly Bar[], recent: readonly Bar[], range: MergeRange): Bar[] {
  const direction = range.newestFirst === true ? -1 : 1;
  const merged = new Map(stored.map((bar) => [bar.startMs, bar]));
  const last = stored.at(-1);
  for (const bar of recent) {
    const { startMs } = bar;
    if (startMs < (range.fromMs ?? startMs) || startMs >= (range.toMs ?? startMs + 1)) continue;
    if (range.after !== undefined && (startMs - range.after) * direction <= 0) continue;
    const held = merged.get(startMs);
    if (
      held !== undefined
        ? !supersedes(bar, held)
        : !range.complete && last !== undefined && (startMs - last.startMs) * direction > 0
    )
      continue;
    merged.set(startMs, bar);
  }
  return [...merged.values()].sort((a, b) => (a.startMs - b.startMs) * direction);
}
