/** What one transaction of the collector appends to the log. */
import { encodeControl, type ControlEvent } from '#shared/control.ts';
import { TOPICS } from '#shared/topics.ts';
import { encodeDeadLetter } from '../log/dead-letter.ts';
import type { LogTransaction } from '../log/log.ts';
import { QuoteFrames, TradeFrames } from './partition-frames.ts';
import type { SourceBatch } from './source.ts';

/** Topics that carry ticks, and control events on every partition. */
export const TICK_TOPICS = [TOPICS.trades, TOPICS.quotes] as const;

export class TransactionWriter {
  readonly #transaction: LogTransaction;
  readonly #partitions: number;
  readonly #trades: TradeFrames;
  readonly #quotes: QuoteFrames;
  #appended = 0;

  constructor(transaction: LogTransaction, partitions: number) {
    this.#transaction = transaction;
    this.#partitions = partitions;
    this.#trades = new TradeFrames(partitions, (p, frame) => this.#append(TOPICS.trades, p, frame));
    this.#quotes = new QuoteFrames(partitions, (p, frame) => this.#append(TOPICS.quotes, p, frame));
  }

  /** Whether nothing was appended so far. What is gathered counts once it is flushed. */
  get isEmpty(): boolean {
    return this.#appended === 0;
  }

  /** Takes in a batch whose first tick is number `arrival`; the number behind its last one. */
  batch({ trades, quotes, rejections, control }: SourceBatch, arrival: number): number {
    if (trades !== undefined) this.#trades.add(trades, arrival);
    if (quotes !== undefined) this.#quotes.add(quotes, arrival);
    for (const rejection of rejections)
      this.#append(TOPICS.deadLetter, 0, encodeDeadLetter(rejection), rejection.source);
    for (const event of control) this.control(event);
    return arrival + (trades?.length ?? 0) + (quotes?.length ?? 0);
  }

  /** Puts an event behind everything so far, on every partition of the tick topics. */
  control(event: ControlEvent): void {
    this.flush();
    const bytes = encodeControl(event);
    for (const topic of TICK_TOPICS)
      for (let partition = 0; partition < this.#partitions; partition++) this.#append(topic, partition, bytes);
  }

  /** The same, on one partition. */
  controlTo(topic: string, partition: number, event: ControlEvent): void {
    this.flush();
    this.#append(topic, partition, encodeControl(event));
  }

  flush(): void {
    this.#trades.flush();
    this.#quotes.flush();
  }

  #append(topic: string, partition: number, value: Uint8Array, key?: string): void {
    this.#appended++;
    this.#transaction.append(topic, partition, value, key);
  }
}
