/**
 * The newest trades as they came: references to the batches, nothing copied. From here bars are rebuilt when a trade is taken out or
 * changed. What became of a row other than being counted stands in `marks`, by position, so that reading the log's tail again and
 * putting the marks on it gives the same tail after a restart.
 */
import { ACTION, type TradeColumns } from '#shared/ticks.ts';

const ROWS = 65_536;

/** Position of a row in its partition: rises with the log. */
export function positionOf(offset: number, row: number): number {
  return offset * ROWS + row;
}

export interface TailBatch {
  readonly trades: TradeColumns;
  readonly offset: number;
  /** Engine index of each instrument of the batch. */
  readonly instruments: Int32Array;
  /** Watermark of each venue of the batch behind it: no trade of the batch is newer. */
  until: { venue: number; ms: number }[];
}

/** ignored: duplicate or refused. cancelled: known by id, counts nowhere. amended: counts with these values. */
export type Mark =
  | { kind: 'ignored' }
  | { kind: 'cancelled' }
  | { kind: 'amended'; price: number; priceDecimals: number; size: number; sizeDecimals: number; conditions: string };

export class Tail {
  batches: TailBatch[] = [];
  marks = new Map<number, Mark>();
  rows = 0;

  push(batch: TailBatch): void {
    this.batches.push(batch);
    this.rows += batch.trades.length;
  }

  /** Offset of the oldest batch; undefined when empty. */
  get fromOffset(): number | undefined {
    return this.batches[0]?.offset;
  }

  drop(count: number): TailBatch[] {
    const dropped = this.batches.splice(0, count);
    for (const batch of dropped) this.rows -= batch.trades.length;
    const from = this.fromOffset;
    if (dropped.length > 0 && this.marks.size > 0) {
      const first = from === undefined ? Number.POSITIVE_INFINITY : positionOf(from, 0);
      for (const position of this.marks.keys()) if (position < first) this.marks.delete(position);
    }
    return dropped;
  }

  find(position: number): { batch: TailBatch; row: number } | undefined {
    const offset = Math.floor(position / ROWS);
    let low = 0;
    let high = this.batches.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const batch = this.batches[middle] as TailBatch;
      if (batch.offset === offset) return { batch, row: position - offset * ROWS };
      if (batch.offset < offset) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  /** Calls back with every row of `instrument` in [from, to) that is a trade and not ignored, in log order. */
  scan(
    instrument: number,
    from: number,
    to: number,
    visit: (batch: TailBatch, row: number, position: number, mark: Mark | undefined) => void,
  ): void {
    const { batches, marks } = this;
    for (let k = this.#firstFrom(from); k < batches.length; k++) {
      const batch = batches[k] as TailBatch;
      const base = positionOf(batch.offset, 0);
      if (base >= to) return;
      const local = batch.instruments.indexOf(instrument);
      if (local < 0) continue;
      const { trades } = batch;
      const end = Math.min(trades.length, to - base);
      for (let row = Math.max(0, from - base); row < end; row++) {
        if (trades.instrument[row] !== local || trades.action[row] !== ACTION.trade) continue;
        const mark = marks.size === 0 ? undefined : marks.get(base + row);
        if (mark?.kind !== 'ignored') visit(batch, row, base + row, mark);
      }
    }
  }

  #firstFrom(position: number): number {
    const offset = Math.floor(position / ROWS);
    let low = 0;
    let high = this.batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.batches[middle] as TailBatch).offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
