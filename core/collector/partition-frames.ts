/** Ticks of many batches, gathered by partition into log frames (SPEC TK-2). */
import { encodeQuotes, encodeTrades } from '#shared/frame.ts';
import { LIMITS } from '#shared/limits.ts';
import {
  NO_TRADE_ID,
  quoteColumns,
  StringTable,
  tradeColumns,
  type QuoteColumns,
  type TradeColumns,
} from '#shared/ticks.ts';
import { partitionOf } from '#shared/topics.ts';

/** Takes a finished frame of one partition. */
export type FrameTarget = (partition: number, frame: Uint8Array) => void;

interface Gathered<C> {
  columns: C;
  /** Where the names of the batch that is being taken in stand in `columns`. */
  instruments: (number | undefined)[];
  strings: (number | undefined)[];
}

/** Partitions of instruments, remembered. */
class Partitions {
  readonly #count: number;
  readonly #known = new Map<string, number>();

  constructor(count: number) {
    this.#count = count;
  }

  /** Partition of every instrument of a batch, by its index. */
  of(instruments: StringTable): number[] {
    if (this.#known.size > 200_000) this.#known.clear();
    return instruments.values.map((instrument) => {
      const known = this.#known.get(instrument);
      if (known !== undefined) return known;
      const partition = partitionOf(instrument, this.#count);
      this.#known.set(instrument, partition);
      return partition;
    });
  }
}

export class TradeFrames {
  readonly #partitions: Partitions;
  readonly #target: FrameTarget;
  readonly #gathered: Gathered<TradeColumns>[];

  constructor(partitions: number, target: FrameTarget) {
    this.#partitions = new Partitions(partitions);
    this.#target = target;
    this.#gathered = Array.from({ length: partitions }, () => ({
      columns: tradeColumns(LIMITS.frameTicks),
      instruments: [],
      strings: [],
    }));
  }

  /** Takes in a batch. `firstArrival` is the number of the batch's tick 0: see SourceBatch. */
  add(from: TradeColumns, firstArrival: number): void {
    const partitions = this.#partitions.of(from.instruments);
    for (const gathered of this.#gathered) {
      gathered.instruments = [];
      gathered.strings = [];
    }
    for (let at = 0; at < from.length; at++) {
      const partition = partitions[from.instrument[at] as number] as number;
      const gathered = this.#gathered[partition] as Gathered<TradeColumns>;
      copyTrade(from, at, gathered, firstArrival);
      if (gathered.columns.length === LIMITS.frameTicks) this.#finish(partition, gathered);
    }
  }

  /** Hands out what is gathered. */
  flush(): void {
    for (const [partition, gathered] of this.#gathered.entries()) {
      if (gathered.columns.length > 0) this.#finish(partition, gathered);
    }
  }

  #finish(partition: number, gathered: Gathered<TradeColumns>): void {
    this.#target(partition, encodeTrades(gathered.columns));
    const { columns } = gathered;
    gathered.columns = { ...columns, length: 0, instruments: new StringTable(), strings: new StringTable(['']) };
    gathered.instruments = [];
    gathered.strings = [];
  }
}

function copyTrade(from: TradeColumns, at: number, gathered: Gathered<TradeColumns>, firstArrival: number): void {
  const into = gathered.columns;
  const i = into.length++;
  const name = from.instrument[at] as number;
  const conditions = from.conditions[at] as number;
  const id = from.tradeId[at] as number;
  into.instrument[i] = gathered.instruments[name] ??= into.instruments.intern(from.instruments.values[name] as string);
  into.conditions[i] = conditions === 0 ? 0 : stringIndex(from, gathered, conditions);
  into.tradeId[i] = id >= NO_TRADE_ID ? id : -(1 + stringIndex(from, gathered, -id - 1));
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
  into.arrival[i] = firstArrival + (from.arrival[at] as number);
}

function stringIndex(from: TradeColumns, gathered: Gathered<TradeColumns>, index: number): number {
  return (gathered.strings[index] ??= gathered.columns.strings.intern(from.strings.values[index] as string));
}

export class QuoteFrames {
  readonly #partitions: Partitions;
  readonly #target: FrameTarget;
  readonly #gathered: Gathered<QuoteColumns>[];

  constructor(partitions: number, target: FrameTarget) {
    this.#partitions = new Partitions(partitions);
    this.#target = target;
    this.#gathered = Array.from({ length: partitions }, () => ({
      columns: quoteColumns(LIMITS.frameTicks),
      instruments: [],
      strings: [],
    }));
  }

  /** Takes in a batch. `firstArrival` is the number of the batch's tick 0: see SourceBatch. */
  add(from: QuoteColumns, firstArrival: number): void {
    const partitions = this.#partitions.of(from.instruments);
    for (const gathered of this.#gathered) gathered.instruments = [];
    for (let at = 0; at < from.length; at++) {
      const partition = partitions[from.instrument[at] as number] as number;
      const gathered = this.#gathered[partition] as Gathered<QuoteColumns>;
      copyQuote(from, at, gathered, firstArrival);
      if (gathered.columns.length === LIMITS.frameTicks) this.#finish(partition, gathered);
    }
  }

  /** Hands out what is gathered. */
  flush(): void {
    for (const [partition, gathered] of this.#gathered.entries()) {
      if (gathered.columns.length > 0) this.#finish(partition, gathered);
    }
  }

  #finish(partition: number, gathered: Gathered<QuoteColumns>): void {
    this.#target(partition, encodeQuotes(gathered.columns));
    gathered.columns = { ...gathered.columns, length: 0, instruments: new StringTable() };
    gathered.instruments = [];
  }
}

function copyQuote(from: QuoteColumns, at: number, gathered: Gathered<QuoteColumns>, firstArrival: number): void {
  const into = gathered.columns;
  const i = into.length++;
  const name = from.instrument[at] as number;
  into.instrument[i] = gathered.instruments[name] ??= into.instruments.intern(from.instruments.values[name] as string);
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
  into.arrival[i] = firstArrival + (from.arrival[at] as number);
}
