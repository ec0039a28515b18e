/** Live combined streams of Binance as a source: reconnects, says where trade ids are missing and when it was blind. */
import type { Clock } from '#shared/clock.ts';
import type { Logger } from '../ops/logger.ts';
import { backoffMs, type BackoffLimits } from './backoff.ts';
import { FeedBatches } from './feed-batches.ts';
import { openRuntimeSocket, type OpenSocket, type Socket } from './socket.ts';
import type { Source, SourceBatch } from './source.ts';
import { binanceVenue, type BinanceMarket } from './venues/binance.ts';

/** The venue's public streams, by the name used in `--feed`. */
const FEEDS: Readonly<Record<string, { market: BinanceMarket; baseUrl: string }>> = {
  binance: { market: 'spot', baseUrl: 'wss://stream.binance.com:9443' },
  binance_spot: { market: 'spot', baseUrl: 'wss://stream.binance.com:9443' },
  binance_usdm: { market: 'usdm', baseUrl: 'wss://fstream.binance.com' },
  binance_coinm: { market: 'coinm', baseUrl: 'wss://dstream.binance.com' },
};

/** A connection on which nothing comes for this long is taken as dead. */
const SILENCE_MS = 60_000;
const BACKOFF: BackoffLimits = { baseMs: 500, maxMs: 30_000 };
/** Messages that may wait for the log. Beyond, the connection is closed until half of them are gone. */
const MAX_QUEUED_ROWS = 100_000;

export interface BinanceFeedOptions {
  /** binance (spot), binance_spot, binance_usdm or binance_coinm. */
  venue: string;
  symbols: readonly string[];
  clock: Clock;
  logger: Logger;
  /** Uniform in [0, 1), for the jitter of reconnects. */
  random: () => number;
  openSocket?: OpenSocket;
  /** Scheme, host and port to connect to instead of the venue's own. */
  baseUrl?: string;
  silenceMs?: number;
  backoff?: BackoffLimits;
  maxQueuedRows?: number;
}

/** Throws a RangeError for a venue that is not known. */
export function openBinanceFeed(options: BinanceFeedOptions): Source {
  const feed = FEEDS[options.venue];
  if (feed === undefined)
    throw new RangeError(`There is no feed ${options.venue}; known are ${Object.keys(FEEDS).join(', ')}`);
  const symbols = [...new Set(options.symbols.map((symbol) => symbol.toLowerCase()))];
  const streams = symbols.flatMap((symbol) => [`${symbol}@trade`, `${symbol}@bookTicker`]).join('/');
  const id = `${binanceVenue(feed.market)}:${symbols.toSorted().join(',')}`;
  const url = `${options.baseUrl ?? feed.baseUrl}/stream?streams=${streams}`;
  return {
    id,
    simulated: false,
    finite: false,
    totalBytes: undefined,
    bytesRead: () => 0,
    async *batches(cursor: string | undefined, signal: AbortSignal): AsyncGenerator<SourceBatch> {
      const batches = new FeedBatches(id, feed.market, cursor);
      const connection = new Connection(options, url, binanceVenue(feed.market), batches);
      const stop = (): void => connection.stop();
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      else connection.start();
      try {
        for (;;) {
          await connection.changed();
          for (let batch = batches.take(); batch !== undefined; batch = batches.take()) yield batch;
          connection.resume();
          if (signal.aborted) return;
        }
      } finally {
        signal.removeEventListener('abort', stop);
        connection.stop();
      }
    },
  };
}

/** One connection after the other, until it is stopped. */
class Connection {
  readonly #options: BinanceFeedOptions;
  readonly #url: string;
  readonly #venue: string;
  readonly #batches: FeedBatches;
  readonly #maxQueuedRows: number;
  #socket: Socket | undefined;
  /** Names the connection whose events count. */
  #life: symbol | undefined;
  #lastMessageMs = 0;
  #attempt = 0;
  #connected: boolean | undefined;
  /** Waits for the log to catch up before it connects again. */
  #held = false;
  #stopped = false;
  #isChanged = false;
  #wake: () => void = () => {};
  #cancelTimer: () => void = () => {};

  constructor(options: BinanceFeedOptions, url: string, venue: string, batches: FeedBatches) {
    this.#options = options;
    this.#url = url;
    this.#venue = venue;
    this.#batches = batches;
    this.#maxQueuedRows = options.maxQueuedRows ?? MAX_QUEUED_ROWS;
  }

  start(): void {
    const { clock, openSocket = openRuntimeSocket } = this.#options;
    const life = Symbol('connection');
    this.#life = life;
    this.#lastMessageMs = clock.nowMs();
    this.#watch();
    try {
      this.#socket = openSocket(this.#url, {
        open: () => {
          if (life === this.#life) this.#state(true, '');
        },
        message: (text) => {
          if (life === this.#life) this.#message(text);
        },
        close: (reason) => {
          if (life === this.#life) this.#lose(reason);
        },
      });
    } catch (error) {
      this.#lose(error instanceof Error ? error.message : 'connection failed');
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#end();
    this.#change();
  }

  /** Connects again when it was held up by messages that are gone now. */
  resume(): void {
    if (!this.#held || this.#stopped || this.#batches.queuedRows > this.#maxQueuedRows / 2) return;
    this.#held = false;
    this.#reconnect();
  }

  /** Resolves when there is something to take, or at once when it has been stopped. */
  changed(): Promise<void> {
    if (this.#isChanged || this.#stopped) {
      this.#isChanged = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#wake = (): void => {
        this.#isChanged = false;
        resolve();
      };
    });
  }

  #change(): void {
    this.#isChanged = true;
    const wake = this.#wake;
    this.#wake = () => {};
    wake();
  }

  #message(text: string): void {
    const nowMs = this.#options.clock.nowMs();
    this.#attempt = 0;
    this.#lastMessageMs = nowMs;
    this.#batches.message(text, nowMs);
    this.#change();
    if (this.#batches.queuedRows < this.#maxQueuedRows) return;
    this.#held = true;
    this.#lose('overloaded');
  }

  /** Looks after silence: a connection can be dead without saying so. */
  #watch(): void {
    const { clock, silenceMs = SILENCE_MS } = this.#options;
    const leftMs = this.#lastMessageMs + silenceMs - clock.nowMs();
    if (leftMs <= 0) this.#lose('silent');
    else this.#cancelTimer = clock.schedule(leftMs, () => this.#watch());
  }

  #lose(reason: string): void {
    this.#end();
    this.#state(false, reason);
    if (!this.#stopped && !this.#held) this.#reconnect();
  }

  /** What the connection still says is not listened to. */
  #end(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#life = undefined;
    this.#cancelTimer();
    socket?.close();
  }

  #reconnect(): void {
    const { clock, random, backoff = BACKOFF } = this.#options;
    this.#cancelTimer();
    this.#cancelTimer = clock.schedule(backoffMs(this.#attempt++, backoff, random), () => this.start());
  }

  #state(connected: boolean, reason: string): void {
    const { clock, logger } = this.#options;
    if (connected === this.#connected) return;
    this.#connected = connected;
    const fields = { venue: this.#venue, reason };
    if (connected) logger.info('feed connected', { venue: this.#venue });
    else logger.warn('feed disconnected', fields);
    this.#batches.control({
      type: 'connection',
      venue: this.#venue,
      state: connected ? 'connected' : 'disconnected',
      atMs: clock.nowMs(),
      reason,
    });
    this.#change();
  }
}
