/** Port of everything that ticks come from: tapes, venue feeds, the simulator. */
import type { ControlEvent } from '#shared/control.ts';
import type { QuoteColumns, TradeColumns } from '#shared/ticks.ts';

/** A row that was refused (SPEC MD-9). */
export interface Rejection {
  /** File name or feed name, without its folder. */
  source: string;
  /** 1-based line, or message number of a feed. */
  line: number;
  reason: string;
  /** At most LIMITS.deadLetterChars characters of the row. */
  excerpt: string;
}

/**
 * What a source hands over at once. `cursor` stands behind everything in it (SPEC LG-6). The `arrival` columns hold each tick's
 * place in the batch, 0, 1, 2, … over trades and quotes together; the collector makes arrival numbers of them.
 */
export interface SourceBatch {
  trades: TradeColumns | undefined;
  quotes: QuoteColumns | undefined;
  control: ControlEvent[];
  rejections: Rejection[];
  /** Rows read from the source for this batch, rejected ones included. */
  rowsRead: number;
  /** Opaque to everyone but the source. */
  cursor: string;
}

export interface Source {
  /** Stable over restarts with the same arguments: the cursor is kept under it. */
  readonly id: string;
  readonly simulated: boolean;
  /** Whether it comes to an end by itself. */
  readonly finite: boolean;
  /** Bytes or rows in all, for a progress bar; undefined when unknown. */
  readonly totalBytes: number | undefined;
  /** Bytes consumed so far, same unit. */
  bytesRead(): number;
  /** Batches from behind `cursor` on (from the start when undefined). Ends at the end of the source or when `signal` aborts. */
  batches(cursor: string | undefined, signal: AbortSignal): AsyncIterable<SourceBatch>;
}
