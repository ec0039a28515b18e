/** The bars of one chart, from history and from the stream, by start. Pure. */
import type { BarState } from '#shared/bars.ts';
import type { BarView } from '#shared/market.ts';
import type { Fields } from '../../client/topic.ts';

/** Decimals as text, exact; null while no trade of the bar may set a price. */
export interface ChartBar {
  startMs: number;
  open: string | null;
  high: string | null;
  low: string | null;
  close: string | null;
  volume: string;
  vwap: string | null;
  tradeCount: number;
  state: BarState;
  revision: number;
}

const STATES: readonly BarState[] = ['provisional', 'final', 'revised'];

export function fromHistory(bar: BarView): ChartBar {
  const { startMs, open, high, low, close, volume, vwap, tradeCount, state, revision } = bar;
  return { startMs, open, high, low, close, volume, vwap, tradeCount, state, revision };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** A row of a `bars.<timeframe>` topic. */
export function fromStream(row: Fields): ChartBar {
  return {
    startMs: Number(row['startMs']),
    open: text(row['open']),
    high: text(row['high']),
    low: text(row['low']),
    close: text(row['close']),
    volume: text(row['volume']) ?? '0',
    vwap: text(row['vwap']),
    tradeCount: Number(row['tradeCount']),
    state: STATES[Number(row['state'])] ?? 'provisional',
    revision: Number(row['revision']),
  };
}

/** Whether `next` is the newer form of the same bar: the higher revision wins, then the higher trade count (SPEC ST-3). */
function supersedes(next: ChartBar, held: ChartBar): boolean {
  if (next.revision !== held.revision) return next.revision > held.revision;
  return next.tradeCount >= held.tradeCount;
}

function equal(a: ChartBar, b: ChartBar): boolean {
  return (
    a.close === b.close &&
    a.volume === b.volume &&
    a.state === b.state &&
    a.revision === b.revision &&
    a.high === b.high &&
    a.low === b.low &&
    a.open === b.open &&
    a.tradeCount === b.tradeCount
  );
}

export class BarBook {
  readonly #bars = new Map<number, ChartBar>();
  #seen = new WeakSet<Fields>();

  get size(): number {
    return this.#bars.size;
  }

  get(startMs: number): ChartBar | undefined {
    return this.#bars.get(startMs);
  }

  /** By rising start. */
  all(): ChartBar[] {
    return [...this.#bars.values()].sort((a, b) => a.startMs - b.startMs);
  }

  /** Takes in bars; returns those that changed something, by rising start. */
  merge(bars: Iterable<ChartBar>): ChartBar[] {
    const changed: ChartBar[] = [];
    for (const bar of bars) {
      const held = this.#bars.get(bar.startMs);
      if (held && (!supersedes(bar, held) || equal(bar, held))) continue;
      this.#bars.set(bar.startMs, bar);
      changed.push(bar);
    }
    return changed.sort((a, b) => a.startMs - b.startMs);
  }

  /** Rows of a topic's snapshot; those that were looked at before are passed over. */
  mergeRows(rows: readonly Fields[]): ChartBar[] {
    const fresh: ChartBar[] = [];
    for (const row of rows) {
      if (this.#seen.has(row)) continue;
      this.#seen.add(row);
      fresh.push(fromStream(row));
    }
    return this.merge(fresh);
  }
}
