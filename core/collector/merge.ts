/**
 * Rows of several files, merged by time (SPEC MD-11), into batches of scaled ticks. Pure but for `load`, which asks a file for
 * its next block. Everything is decided by the rows themselves, so the result does not depend on where blocks or batches
 * are cut: the row whose head is oldest goes first, ties to the file named first, and what a file refused stands right
 * behind the row before it.
 */
import { NO_TRADE_ID, quoteColumns, tradeColumns, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';
import {
  normaliseQuote,
  normaliseTrade,
  type InstrumentScales,
  type Normaliser,
  type ScaleFault,
} from './normaliser.ts';
import { ROW_KIND, type RowBlock } from './row-block.ts';
import type { Rejection } from './source.ts';

/** Rows of a batch, of both kinds and rejected ones together. */
const BATCH_ROWS = 4_096;

/** Lines of a batch, ignored ones included: a capture of nothing but depth still moves its cursor. */
const BATCH_LINES = 65_536;

/** What the merge needs of a file. */
export interface MergeInput {
  readonly block: RowBlock;
  /** Puts the next rows into `block`; false at the end. */
  load(): Promise<boolean>;
  /** The line that row `row` of the block was read from, shortened. */
  excerpt(row: number): string;
  /** Lines of the file before its first data line. */
  readonly headerLines: number;
}

export interface MergedBatch {
  trades: TradeColumns | undefined;
  quotes: QuoteColumns | undefined;
  rejections: Rejection[];
  /** Data lines taken in for this batch: rows, rejections and what is ignored. */
  lines: number;
}

/** Where the names of a lane's block are in the batch that is being filled, and their scales. Filled as they come up. */
interface NameMap {
  scales: (InstrumentScales | undefined)[];
  instruments: (number | undefined)[];
}

/** Place of one file in the merge. */
interface Lane {
  readonly input: MergeInput;
  /** Next row of the block, and where it is in its kind's columns. */
  next: number;
  nextTrade: number;
  nextQuote: number;
  nextRejection: number;
  /** Data lines of the file that are behind. */
  line: number;
  ended: boolean;
  readonly tradeNames: NameMap;
  readonly quoteNames: NameMap;
  strings: (number | undefined)[];
}

export class Merge {
  readonly #lanes: Lane[];
  readonly #normaliser: Normaliser;
  #batch: MergedBatch = emptyBatch();
  #batchTicks = 0;

  /** @param lines data lines of each input that are behind already */
  constructor(inputs: readonly MergeInput[], lines: readonly number[], normaliser: Normaliser) {
    this.#normaliser = normaliser;
    this.#lanes = inputs.map((input, i) => ({
      input,
      next: 0,
      nextTrade: 0,
      nextQuote: 0,
      nextRejection: 0,
      line: lines[i] ?? 0,
      ended: false,
      tradeNames: { scales: [], instruments: [] },
      quoteNames: { scales: [], instruments: [] },
      strings: [],
    }));
  }

  /** Data lines of each input that are behind, everything returned so far included. */
  get lines(): number[] {
    return this.#lanes.map((lane) => lane.line);
  }

  /**
   * The next batch, with no row later than `untilMs`. `nextMs` is the time of the row that would come then, undefined at the
   * end; it may be no later than `untilMs`, when the batch was full.
   */
  async take(untilMs: number): Promise<{ batch: MergedBatch | undefined; nextMs: number | undefined }> {
    let nextMs: number | undefined;
    while (!this.#full()) {
      await this.#load();
      if (this.#full()) {
        nextMs = Number.NEGATIVE_INFINITY;
        break;
      }
      const oldest = this.#oldest();
      nextMs = oldest === undefined ? undefined : (oldest.input.block.keyMs[oldest.next] as number);
      if (oldest === undefined || nextMs === undefined || nextMs > untilMs) break;
      this.#drain(oldest, untilMs);
      nextMs = Number.NEGATIVE_INFINITY;
    }
    if (this.#batch.lines === 0) return { batch: undefined, nextMs };
    const batch = this.#batch;
    this.#batch = emptyBatch();
    this.#batchTicks = 0;
    for (const lane of this.#lanes) forgetBatch(lane);
    return { batch, nextMs };
  }

  #full(): boolean {
    const { trades, quotes, rejections, lines } = this.#batch;
    return (trades?.length ?? 0) + (quotes?.length ?? 0) + rejections.length >= BATCH_ROWS || lines >= BATCH_LINES;
  }

  /** Brings every lane to its next row, or to its end, unless the batch fills up on the way. */
  async #load(): Promise<void> {
    for (const lane of this.#lanes) {
      while (!lane.ended && lane.next >= lane.input.block.length && !this.#full()) {
        this.#leaveBlock(lane);
        lane.ended = !(await lane.input.load());
        lane.next = 0;
        lane.nextTrade = 0;
        lane.nextQuote = 0;
        lane.nextRejection = 0;
        forgetBlock(lane);
        if (!lane.ended) this.#takeRejections(lane);
      }
    }
  }

  /** The lane whose next row is oldest, the first one of equals. */
  #oldest(): Lane | undefined {
    let oldest: Lane | undefined;
    for (const lane of this.#lanes) {
      if (lane.next < lane.input.block.length && (oldest === undefined || isBefore(lane, oldest))) oldest = lane;
    }
    return oldest;
  }

  /** Takes rows from `lane` for as long as it is the oldest. */
  #drain(lane: Lane, untilMs: number): void {
    const { block } = lane.input;
    const rivals = this.#lanes.filter((other) => other !== lane && other.next < other.input.block.length);
    const place = this.#lanes.indexOf(lane);
    let rival: Lane | undefined;
    for (const other of rivals) if (rival === undefined || isBefore(other, rival)) rival = other;
    const winsTies = rival === undefined || place < this.#lanes.indexOf(rival);
    const room = BATCH_ROWS - (this.#batch.trades?.length ?? 0) - (this.#batch.quotes?.length ?? 0);
    const end = Math.min(block.length, lane.next + Math.max(1, room - this.#batch.rejections.length));
    const rivalMs = rival === undefined ? Number.POSITIVE_INFINITY : (rival.input.block.keyMs[rival.next] as number);
    const rivalSubNs = rival === undefined ? 0 : (rival.input.block.keySubNs[rival.next] as number);
    while (lane.next < end) {
      const ms = block.keyMs[lane.next] as number;
      if (ms > untilMs || ms > rivalMs) break;
      if (ms === rivalMs) {
        const subNs = block.keySubNs[lane.next] as number;
        if (subNs > rivalSubNs || (subNs === rivalSubNs && !winsTies)) break;
      }
      this.#takeRow(lane);
    }
  }

  #takeRow(lane: Lane): void {
    const { block } = lane.input;
    const row = lane.next++;
    this.#pass(lane, block.line[row] as number);
    const fault = block.kind[row] === ROW_KIND.trade ? this.#takeTrade(lane) : this.#takeQuote(lane);
    if (fault !== undefined) {
      const line = (block.line[row] as number) + lane.input.headerLines;
      this.#batch.rejections.push({ source: block.source, line, reason: fault, excerpt: lane.input.excerpt(row) });
    }
    this.#takeRejections(lane);
  }

  /** Rejections that stand before the lane's next row. */
  #takeRejections(lane: Lane): void {
    const { block } = lane.input;
    const before = lane.next < block.length ? (block.line[lane.next] as number) : Number.POSITIVE_INFINITY;
    for (;;) {
      const entry = block.rejections[lane.nextRejection];
      if (entry === undefined || entry.line >= before) return;
      lane.nextRejection++;
      this.#batch.rejections.push(entry.rejection);
      this.#pass(lane, entry.line);
    }
  }

  /** Counts the ignored lines at the end of a block that is used up. */
  #leaveBlock(lane: Lane): void {
    if (lane.input.block.endLine > lane.line) this.#pass(lane, lane.input.block.endLine);
  }

  #pass(lane: Lane, line: number): void {
    this.#batch.lines += line - lane.line;
    lane.line = line;
  }

  #takeTrade(lane: Lane): ScaleFault | undefined {
    const from = lane.input.block.trades;
    const at = lane.nextTrade++;
    const into = (this.#batch.trades ??= tradeColumns(BATCH_ROWS));
    const i = into.length;
    const name = from.instrument[at] as number;
    const scales = (lane.tradeNames.scales[name] ??= this.#normaliser.scales(from.instruments.values[name] as string));
    if (scales === undefined) return 'too_many_instruments';
    const conditions = from.conditions[at] as number;
    const id = from.tradeId[at] as number;
    into.action[i] = from.action[at] as number;
    into.side[i] = from.side[at] as number;
    into.eventMs[i] = from.eventMs[at] as number;
    into.eventSubNs[i] = from.eventSubNs[at] as number;
    into.recvMs[i] = from.recvMs[at] as number;
    into.recvSubNs[i] = from.recvSubNs[at] as number;
    into.price[i] = from.price[at] as number;
    into.priceDecimals[i] = from.priceDecimals[at] as number;
    into.pricePrinted[i] = from.pricePrinted[at] as number;
    into.size[i] = from.size[at] as number;
    into.sizeDecimals[i] = from.sizeDecimals[at] as number;
    into.sizePrinted[i] = from.sizePrinted[at] as number;
    const fault = normaliseTrade(scales, into, i);
    if (fault !== undefined) return fault;
    into.instrument[i] = lane.tradeNames.instruments[name] ??= into.instruments.intern(scales.instrument);
    into.conditions[i] =
      conditions === 0
        ? 0
        : (lane.strings[conditions] ??= into.strings.intern(from.strings.values[conditions] as string));
    into.tradeId[i] =
      id >= NO_TRADE_ID
        ? id
        : -(1 + (lane.strings[-id - 1] ??= into.strings.intern(from.strings.values[-id - 1] as string)));
    into.arrival[i] = this.#batchTicks++;
    into.length++;
    return undefined;
  }

  #takeQuote(lane: Lane): ScaleFault | undefined {
    const from = lane.input.block.quotes;
    const at = lane.nextQuote++;
    const into = (this.#batch.quotes ??= quoteColumns(BATCH_ROWS));
    const i = into.length;
    const name = from.instrument[at] as number;
    const scales = (lane.quoteNames.scales[name] ??= this.#normaliser.scales(from.instruments.values[name] as string));
    if (scales === undefined) return 'too_many_instruments';
    into.eventMs[i] = from.eventMs[at] as number;
    into.eventSubNs[i] = from.eventSubNs[at] as number;
    into.recvMs[i] = from.recvMs[at] as number;
    into.recvSubNs[i] = from.recvSubNs[at] as number;
    into.bidPrice[i] = from.bidPrice[at] as number;
    into.bidPriceDecimals[i] = from.bidPriceDecimals[at] as number;
    into.bidPricePrinted[i] = from.bidPricePrinted[at] as number;
    into.bidSize[i] = from.bidSize[at] as number;
    into.bidSizeDecimals[i] = from.bidSizeDecimals[at] as number;
    into.bidSizePrinted[i] = from.bidSizePrinted[at] as number;
    into.askPrice[i] = from.askPrice[at] as number;
    into.askPriceDecimals[i] = from.askPriceDecimals[at] as number;
    into.askPricePrinted[i] = from.askPricePrinted[at] as number;
    into.askSize[i] = from.askSize[at] as number;
    into.askSizeDecimals[i] = from.askSizeDecimals[at] as number;
    into.askSizePrinted[i] = from.askSizePrinted[at] as number;
    const fault = normaliseQuote(scales, into, i);
    if (fault !== undefined) return fault;
    into.instrument[i] = lane.quoteNames.instruments[name] ??= into.instruments.intern(scales.instrument);
    into.arrival[i] = this.#batchTicks++;
    into.length++;
    return undefined;
  }
}

/** Whether the next row of `a` goes before that of `b`, `a` being named later. */
function isBefore(a: Lane, b: Lane): boolean {
  const aMs = a.input.block.keyMs[a.next] as number;
  const bMs = b.input.block.keyMs[b.next] as number;
  if (aMs !== bMs) return aMs < bMs;
  return (a.input.block.keySubNs[a.next] as number) < (b.input.block.keySubNs[b.next] as number);
}

function forgetBatch(lane: Lane): void {
  lane.tradeNames.instruments = [];
  lane.quoteNames.instruments = [];
  lane.strings = [];
}

function forgetBlock(lane: Lane): void {
  forgetBatch(lane);
  lane.tradeNames.scales = [];
  lane.quoteNames.scales = [];
}

function emptyBatch(): MergedBatch {
  return { trades: undefined, quotes: undefined, rejections: [], lines: 0 };
}
