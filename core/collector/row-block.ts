/** Rows of one file on their way into the merge: parsed, not yet scaled, in the order of the file. */
import { LIMITS } from '#shared/limits.ts';
import { quoteColumns, StringTable, tradeColumns, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';
import { lossyText } from './byte-parse.ts';
import type { Rejection } from './source.ts';

/** Lines that one block takes in at most. */
const BLOCK_LINES = 4_096;

export const ROW_KIND = { trade: 0, quote: 1 } as const;

export class RowBlock {
  readonly source: string;
  trades: TradeColumns;
  quotes: QuoteColumns;
  /** Rises with every reset: names remember the block for which their index holds. */
  number = 0;
  /** Rows of both kinds. */
  length = 0;
  readonly kind = new Uint8Array(BLOCK_LINES);
  /** Time by which the row is merged (SPEC MD-11). */
  readonly keyMs = new Float64Array(BLOCK_LINES);
  readonly keySubNs = new Float64Array(BLOCK_LINES);
  /** Data line of the file, from 1; the header is none. */
  readonly line = new Float64Array(BLOCK_LINES);
  /** Where the row stands in the reader's buffer, for the excerpt of a row that is refused later. */
  readonly from = new Int32Array(BLOCK_LINES);
  readonly to = new Int32Array(BLOCK_LINES);
  rejections: { line: number; rejection: Rejection }[] = [];
  /** Data lines of the file that are behind once the block is used up. */
  endLine = 0;
  /** Data lines that the block took in, the ignored ones included. */
  lines = 0;

  constructor(source: string, kinds: { trades: boolean; quotes: boolean }) {
    this.source = source;
    this.trades = tradeColumns(kinds.trades ? BLOCK_LINES : 0);
    this.quotes = quoteColumns(kinds.quotes ? BLOCK_LINES : 0);
  }

  reset(): void {
    this.number++;
    this.trades = { ...this.trades, length: 0, instruments: new StringTable(), strings: new StringTable(['']) };
    this.quotes = { ...this.quotes, length: 0, instruments: new StringTable() };
    this.length = 0;
    this.lines = 0;
    this.rejections = [];
  }

  get full(): boolean {
    return this.lines >= BLOCK_LINES;
  }

  /** Counts the next line of the file as taken in. */
  countLine(): void {
    this.lines++;
    this.endLine++;
  }

  /** Keeps the row that was just written to its columns. */
  commit(kind: number, keyMs: number, keySubNs: number, from: number, to: number): void {
    const i = this.length++;
    this.kind[i] = kind;
    this.keyMs[i] = keyMs;
    this.keySubNs[i] = keySubNs;
    this.line[i] = this.endLine;
    this.from[i] = from;
    this.to[i] = to;
  }

  /** Refuses the line that was counted last. */
  reject(reason: string, excerpt: string, headerLines: number): void {
    this.rejections.push({
      line: this.endLine,
      rejection: { source: this.source, line: this.endLine + headerLines, reason, excerpt },
    });
  }
}

/** At most `LIMITS.deadLetterChars` characters of a line. */
export function excerptOf(bytes: Uint8Array, from: number, to: number): string {
  return lossyText(bytes, from, Math.min(to, from + LIMITS.deadLetterChars));
}
