/** A made-up market straight into a LivePublisher, for tests of the way from the relay to a client. Seeded. */
import type { Bar } from '#shared/bars.ts';
import { TIMEFRAME_MS, windowStart } from '#shared/timeframes.ts';
import type { LivePublisher } from '../../core/relay/live.ts';

const SCALES = { priceScale: 2, sizeScale: 3 };

export interface SyntheticMarket {
  instruments: readonly string[];
  /** One trade of one instrument with the quote, bar and statistics that follow from it, at `nowMs`. */
  step(nowMs: number): void;
}

interface Book {
  price: number;
  trades: number;
  bar: Bar | undefined;
}

export function syntheticMarket(live: LivePublisher, symbols: number, random: () => number): SyntheticMarket {
  const instruments = Array.from({ length: symbols }, (_, i) => `simulated:S${i}`);
  const books = new Map<string, Book>(
    instruments.map((name, i) => [name, { price: 10_000 + i * 700, trades: 0, bar: undefined }]),
  );

  function barOf(instrument: string, book: Book, nowMs: number): Bar {
    const startMs = windowStart(nowMs, TIMEFRAME_MS['1m']);
    if (book.bar?.startMs === startMs) return book.bar;
    if (book.bar) live.bar({ ...book.bar, state: 'final', revision: 1 });
    const { price } = book;
    const zero = { volume: 0n, buyVolume: 0n, sellVolume: 0n, pv: 0n, tradeCount: 0 };
    return {
      instrument,
      timeframe: '1m',
      startMs,
      ...SCALES,
      open: price,
      high: price,
      low: price,
      close: price,
      ...zero,
      state: 'provisional',
      revision: 0,
    };
  }

  return {
    instruments,
    step(nowMs) {
      const instrument = instruments[Math.floor(random() * symbols)] ?? '';
      const book = books.get(instrument);
      if (!book) return;
      book.price = Math.max(100, book.price + Math.round((random() - 0.5) * 20));
      book.trades++;
      const { price } = book;
      const size = 1 + Math.floor(random() * 5_000);
      const side = random() < 0.5 ? 1 : 2;
      const head = { instrument, ...SCALES, eventMs: nowMs };
      live.trade({ ...head, price, size, side, tradeId: String(book.trades), conditions: '', action: 0 });
      live.quote({
        ...head,
        bidPrice: price - 1,
        bidSize: size,
        askPrice: price + 1,
        askSize: random() < 0.1 ? Number.NaN : size,
      });
      const bar = barOf(instrument, book, nowMs);
      const added = BigInt(size);
      book.bar = {
        ...bar,
        high: Math.max(bar.high, price),
        low: Math.min(bar.low, price),
        close: price,
        volume: bar.volume + added,
        buyVolume: bar.buyVolume + (side === 1 ? added : 0n),
        sellVolume: bar.sellVolume + (side === 2 ? added : 0n),
        pv: bar.pv + BigInt(price) * added,
        tradeCount: bar.tradeCount + 1,
      };
      live.bar(book.bar);
      live.stats({
        ...head,
        lastPrice: price,
        spread: 2,
        spreadBps: 200 / price,
        vwap30s: price / 100,
        average30s: price / 100,
        volume30s: book.bar.volume,
        trades30s: book.trades,
        realisedVolatility: Number.NaN,
        change: 0,
        changeFraction: 0,
        dayOpen: 100,
        dayHigh: price,
        dayLow: price,
        dayVolume: book.bar.volume,
        dayTrades: book.trades,
      });
    },
  };
}
