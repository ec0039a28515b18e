/** What a collector keeps about a source in the log's state, in the transaction of the ticks it stands behind (SPEC LG-6). */
import { utf8Decode, utf8Encode } from '#shared/text.ts';

/** Store of the log's state that holds one entry per source. */
export const COLLECTOR_STORE = 'collector';

export interface CollectorCounters {
  /** Rows or messages taken in, rejected and ignored ones included. */
  read: number;
  accepted: { trades: number; quotes: number };
  /** By reason. */
  rejected: Record<string, number>;
  /** Messages that say nothing a collector takes in, and empty lines. */
  ignored: number;
  /** Stretches of trade ids that never came. */
  gaps: number;
}

export interface SourceState {
  cursor: string | undefined;
  /** Arrival number that the next tick of the collector gets. */
  arrival: number;
  done: boolean;
  /** Venues that the source has shown so far. */
  venues: string[];
  counters: CollectorCounters;
}

export function emptyCounters(): CollectorCounters {
  return { read: 0, accepted: { trades: 0, quotes: 0 }, rejected: {}, ignored: 0, gaps: 0 };
}

export function emptyState(): SourceState {
  return { cursor: undefined, arrival: 0, done: false, venues: [], counters: emptyCounters() };
}

export function encodeSourceState(state: SourceState): Uint8Array {
  return utf8Encode(JSON.stringify(state));
}

export function decodeSourceState(bytes: Uint8Array): SourceState {
  return { ...emptyState(), ...(JSON.parse(utf8Decode(bytes)) as SourceState) };
}

/** A copy that can be changed without changing `state`. */
export function copyState(state: SourceState): SourceState {
  const { counters } = state;
  return {
    ...state,
    venues: [...state.venues],
    counters: { ...counters, accepted: { ...counters.accepted }, rejected: { ...counters.rejected } },
  };
}

export function addCounters(sum: CollectorCounters, more: CollectorCounters): void {
  sum.read += more.read;
  sum.accepted.trades += more.accepted.trades;
  sum.accepted.quotes += more.accepted.quotes;
  sum.ignored += more.ignored;
  sum.gaps += more.gaps;
  for (const [reason, count] of Object.entries(more.rejected))
    sum.rejected[reason] = (sum.rejected[reason] ?? 0) + count;
}
