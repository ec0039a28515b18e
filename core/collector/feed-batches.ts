/** Messages of a live feed, gathered into batches: scaled, counted, checked for gaps in their trade ids. */
import type { ControlEvent } from '#shared/control.ts';
import { LIMITS } from '#shared/limits.ts';
import { quoteColumns, tradeColumns, type QuoteColumns, type TradeColumns } from '#shared/ticks.ts';
import { normaliseQuote, normaliseTrade, Normaliser, type NormaliserState } from './normaliser.ts';
import type { Rejection, SourceBatch } from './source.ts';
import { binanceTradeId, mapBinance, type BinanceMarket, type MapResult } from './venues/binance.ts';

const BATCH_ROWS = 4_096;

/** Where the feed was: messages so far, newest trade id per instrument, scales. */
interface FeedCursor {
  messages: number;
  ids: Record<string, number>;
  scales: NormaliserState;
}

interface Filling {
  trades: TradeColumns;
  quotes: QuoteColumns;
  control: ControlEvent[];
  rejections: Rejection[];
  rowsRead: number;
}

export class FeedBatches {
  readonly #source: string;
  readonly #market: BinanceMarket;
  readonly #normaliser: Normaliser;
  readonly #ids: Map<string, number>;
  #messages: number;
  #filling = emptyFilling();
  #ready: SourceBatch[] = [];
  #queuedRows = 0;

  constructor(source: string, market: BinanceMarket, cursor: string | undefined) {
    const from: FeedCursor =
      cursor === undefined ? { messages: 0, ids: {}, scales: {} } : (JSON.parse(cursor) as FeedCursor);
    this.#source = source;
    this.#market = market;
    this.#messages = from.messages;
    this.#ids = new Map(Object.entries(from.ids));
    this.#normaliser = new Normaliser(from.scales);
  }

  /** Messages that wait to be taken. */
  get queuedRows(): number {
    return this.#queuedRows;
  }

  message(text: string, nowMs: number): void {
    const into = this.#filling;
    this.#messages++;
    into.rowsRead++;
    this.#queuedRows++;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.#reject('not_json', text);
      return;
    }
    const result: MapResult = mapBinance(message, this.#market, nowMs, 0, into);
    if (result.kind === 'rejected') {
      const refused = binanceTradeId(message, this.#market);
      if (refused !== undefined) this.#checkId(refused.instrument, refused.id, nowMs);
      this.#reject(result.reason, text);
      return;
    }
    if (result.kind === 'trade') this.#takeTrade(into, text, nowMs);
    else if (result.kind === 'quote') this.#takeQuote(into, text);
    if (into.trades.length === BATCH_ROWS || into.quotes.length === BATCH_ROWS) this.#complete();
  }

  control(event: ControlEvent): void {
    this.#filling.control.push(event);
  }

  /** The oldest batch that waits; undefined when there is none. */
  take(): SourceBatch | undefined {
    if (this.#ready.length === 0 && (this.#filling.rowsRead > 0 || this.#filling.control.length > 0)) this.#complete();
    const batch = this.#ready.shift();
    this.#queuedRows -= batch?.rowsRead ?? 0;
    return batch;
  }

  #takeTrade(into: Filling, text: string, nowMs: number): void {
    const { trades } = into;
    const i = trades.length - 1;
    const instrument = trades.instruments.values[trades.instrument[i] as number] as string;
    this.#checkId(instrument, trades.tradeId[i] as number, nowMs);
    const scales = this.#normaliser.scales(instrument);
    const fault = scales === undefined ? 'too_many_instruments' : normaliseTrade(scales, trades, i);
    if (fault === undefined) trades.arrival[i] = i + into.quotes.length;
    else {
      trades.length--;
      this.#reject(fault, text);
    }
  }

  #takeQuote(into: Filling, text: string): void {
    const { quotes } = into;
    const i = quotes.length - 1;
    const scales = this.#normaliser.scales(quotes.instruments.values[quotes.instrument[i] as number] as string);
    const fault = scales === undefined ? 'too_many_instruments' : normaliseQuote(scales, quotes, i);
    if (fault === undefined) quotes.arrival[i] = i + into.trades.length;
    else {
      quotes.length--;
      this.#reject(fault, text);
    }
  }

  /** Ids of an instrument rise by one; what is left out never came. One that falls is a repeat, which the windows count. */
  #checkId(instrument: string, id: number, nowMs: number): void {
    const last = this.#ids.get(instrument);
    if (last !== undefined && id > last + 1)
      this.control({ type: 'gap', instrument, from: last + 1, to: id - 1, atMs: nowMs });
    if (last === undefined || id > last) this.#ids.set(instrument, id);
  }

  #reject(reason: string, text: string): void {
    this.#filling.rejections.push({
      source: this.#source,
      line: this.#messages,
      reason,
      excerpt: text.slice(0, LIMITS.deadLetterChars),
    });
    if (this.#filling.rejections.length >= BATCH_ROWS) this.#complete();
  }

  #complete(): void {
    const { trades, quotes, ...rest } = this.#filling;
    const cursor: FeedCursor = {
      messages: this.#messages,
      ids: Object.fromEntries(this.#ids),
      scales: this.#normaliser.state(),
    };
    this.#ready.push({
      ...rest,
      trades: trades.length > 0 ? trades : undefined,
      quotes: quotes.length > 0 ? quotes : undefined,
      cursor: JSON.stringify(cursor),
    });
    this.#filling = emptyFilling();
  }
}

function emptyFilling(): Filling {
  return {
    trades: tradeColumns(BATCH_ROWS),
    quotes: quoteColumns(BATCH_ROWS),
    control: [],
    rejections: [],
    rowsRead: 0,
  };
}
