/**
 * Keeps the cache level with what the windows put out: last prices and bars are written, tiles of history that hold a changed bar
 * are dropped. Calls are synchronous and cheap; of each key only the newest form waits to be written, so a slow cache conflates and
 * never holds up the core.
 */
import type { Bar, QuoteState, TradeEvent } from '#shared/bars.ts';
import type { Clock } from '#shared/clock.ts';
import type { LivePublisher } from '../relay/live.ts';
import type { HotCache } from './cache.ts';
import { barCodec, priceCodec, type PriceEntry } from './codecs.ts';
import { barKey, barVersion, historyKey, priceKey, type CacheKey } from './keys.ts';
import type { ReadThrough } from './read-through.ts';

export interface HotStateOptions {
  cache: HotCache;
  /** Reads that must not keep what they brought when a tile changes under them. */
  reads: ReadThrough;
  clock: Clock;
  /** How often waiting forms are written. */
  flushMs?: number;
}

export class HotState implements LivePublisher {
  readonly #cache: HotCache;
  readonly #reads: ReadThrough;
  readonly #clock: Clock;
  readonly #flushMs: number;
  readonly #prices = new Map<string, PriceEntry>();
  readonly #changedPrices = new Set<string>();
  readonly #bars = new Map<string, Bar>();
  readonly #tiles = new Map<string, CacheKey>();
  #cancelTimer: (() => void) | undefined;
  #flushing: Promise<void> | undefined;

  constructor(options: HotStateOptions) {
    this.#cache = options.cache;
    this.#reads = options.reads;
    this.#clock = options.clock;
    this.#flushMs = options.flushMs ?? 50;
  }

  trade(trade: TradeEvent): void {
    const price = this.#price(trade.instrument);
    if (price.trade !== undefined && trade.eventMs < price.trade.eventMs) return;
    price.trade = trade;
    this.#changedPrices.add(trade.instrument);
    this.#schedule();
  }

  quote(quote: QuoteState): void {
    const price = this.#price(quote.instrument);
    if (price.quote !== undefined && quote.eventMs < price.quote.eventMs) return;
    price.quote = quote;
    this.#changedPrices.add(quote.instrument);
    this.#schedule();
  }

  bar(bar: Bar): void {
    const key = barKey(bar.instrument, bar.timeframe, bar.startMs);
    const waiting = this.#bars.get(key.name);
    if (waiting !== undefined && barVersion(waiting) > barVersion(bar)) return;
    this.#bars.set(key.name, bar);
    if (bar.state !== 'provisional') {
      const tile = historyKey(bar.instrument, bar.timeframe, bar.startMs);
      this.#tiles.set(tile.name, tile);
    }
    this.#schedule();
  }

  stats(): void {}

  status(): void {}

  /** Writes everything that waits. */
  async flush(): Promise<void> {
    while (this.#changedPrices.size + this.#bars.size + this.#tiles.size > 0 || this.#flushing !== undefined) {
      this.#flushing ??= this.#write().finally(() => (this.#flushing = undefined));
      await this.#flushing;
    }
  }

  async close(): Promise<void> {
    this.#cancelTimer?.();
    await this.flush();
  }

  #price(instrument: string): PriceEntry {
    let price = this.#prices.get(instrument);
    if (price === undefined) {
      price = { trade: undefined, quote: undefined };
      this.#prices.set(instrument, price);
    }
    return price;
  }

  #schedule(): void {
    this.#cancelTimer ??= this.#clock.schedule(this.#flushMs, () => {
      this.#cancelTimer = undefined;
      if (this.#flushing === undefined) void this.flush();
      else this.#schedule();
    });
  }

  async #write(): Promise<void> {
    const prices = [...this.#changedPrices];
    const bars = [...this.#bars.values()];
    const tiles = [...this.#tiles.values()];
    this.#changedPrices.clear();
    this.#bars.clear();
    this.#tiles.clear();
    await Promise.all([
      ...tiles.map((tile) => this.#reads.invalidate(tile)),
      ...bars.map((bar) =>
        this.#cache.put(barKey(bar.instrument, bar.timeframe, bar.startMs), barCodec.encode(bar), barVersion(bar)),
      ),
      ...prices.map((instrument) => this.#writePrice(instrument)),
    ]);
  }

  async #writePrice(instrument: string): Promise<void> {
    const price = this.#price(instrument);
    const version = Math.max(price.trade?.eventMs ?? 0, price.quote?.eventMs ?? 0);
    await this.#cache.put(priceKey(instrument), priceCodec.encode(price), version);
  }
}
