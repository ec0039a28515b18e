/**
 * The public client: `import { connect } from 'edgetape/client'`, in browsers and Node.
 *
 *   const client = connect({ url: 'wss://host/v1/stream' });
 *   client.subscribe(['quotes'], ['binance_spot:BTCUSDT']);
 *   const quote = client.topic('quotes', 'binance_spot:BTCUSDT');
 *   quote.subscribe(() => console.log(quote.getSnapshot().fields));
 *
 * It reconnects by itself, resumes where it was, checks every sequence and checksum, and resyncs what does not agree.
 */
import type { Clock } from '#shared/clock.ts';
import type { ErrorCode } from '#shared/errors.ts';
import { BEACON, BEACON_EVERY_BYTES, BEACON_EVERY_MS, BEACON_REPLY } from '#shared/protocol/beacon.ts';
import { StreamReceiver } from '#shared/protocol/receiver.ts';
import type { StreamUpdate } from '#shared/protocol/state.ts';
import { PROTOCOL_VERSION } from '#shared/protocol/version.ts';
import { DelayMeter, type Delays } from './delays.ts';
import { Feed, type FeedCounters, type FeedEffect, type FeedEvent, type FeedPhase } from './feed.ts';
import type { ClockEstimate } from './latency.ts';
import { systemClock, systemFrames, type FrameScheduler } from './platform.ts';
import { openSocket, type Socket, type SocketOptions } from './socket.ts';
import type { Topic } from './topic.ts';
import { TopicStore } from './topic-store.ts';

export interface ConnectOptions {
  /** The stream's address, `ws(s)://host/v1/stream`. A function is called before every attempt. */
  url: string | (() => string | Promise<string>);
  /** Default msgpack; json frames can be read by eye. */
  encoding?: 'msgpack' | 'json';
  /** Conflation window to ask for, ms; the answer is in `status()`. Default: the server's. */
  conflateMs?: number;
  /** Sent as `token`; a function is called before every attempt. */
  token?: string | (() => string | Promise<string>);
  /** WebSocket class to use instead of the global one. */
  WebSocket?: unknown;
  onStatus?: (status: ClientStatus) => void;
  /** A request was refused and will not be repeated. */
  onRefused?: (refusal: Refusal) => void;
  clock?: Clock;
  /** When listeners of topics are called; default: animation frames, or 60 times a second without them. */
  frames?: FrameScheduler;
  /** A number in [0, 1), for the jitter of reconnects. */
  random?: () => number;
  /** Shortest (plus jitter) and longest wait before a reconnect; it grows while connections do not last. Default 250 and 15,000 ms. */
  reconnectDelaysMs?: { min: number; max: number };
}

export interface Refusal {
  code: ErrorCode;
  message: string;
  /** The subscriptions that were refused. */
  groups: readonly { channels: readonly string[]; symbols: readonly string[] }[];
}

/** A new object whenever something of it changed. */
export interface ClientStatus {
  phase: FeedPhase;
  /** Whether it was live before: then `connecting` is a reconnect. */
  everLive: boolean;
  /** When the phase was entered, local ms. */
  sinceMs: number;
  /** The window that the server applies, ms. */
  conflateMs: number;
  /** Why the last connection ended; undefined when none did, or nothing was said. */
  reason: string | undefined;
}

export interface ClientMetrics extends Delays, Readonly<FeedCounters> {
  clock: ClockEstimate;
  bytes: number;
  frames: number;
  /** When the newest frame came, local ms; NaN before the first. */
  lastHeardMs: number;
}

export interface EdgetapeClient {
  /** Every channel with every symbol; what is subscribed already stays. */
  subscribe(channels: readonly string[], symbols: readonly string[]): void;
  unsubscribe(channels: readonly string[], symbols: readonly string[]): void;
  /** Asks for another conflation window, ms. */
  conflate(conflateMs: number): void;
  /** The latest values of a topic; it does not subscribe it. */
  topic(channel: string, symbol: string): Topic;
  /** Every decoded message as it comes, for readers that must not miss a row. Returns the end of it. */
  onUpdate(listener: (update: StreamUpdate, receivedAtMs: number) => void): () => void;
  readonly status: () => ClientStatus;
  readonly subscribeStatus: (listener: () => void) => () => void;
  metrics(): ClientMetrics;
  /** Delays of one channel; undefined before its first update. */
  delays(channel: string): Delays | undefined;
  close(): void;
}

/** Heartbeats come every 2 s. */
const SILENT_AFTER_MS = 7_000;
const CHECK_MS = 1_000;
const PING_EVERY_MS = 10_000;
const FIRST_PINGS = 4;

export function connect(options: ConnectOptions): EdgetapeClient {
  return new Client(options);
}

class Client implements EdgetapeClient {
  readonly #options: ConnectOptions;
  readonly #clock: Clock;
  readonly #receiver = new StreamReceiver();
  readonly #meter = new DelayMeter();
  readonly #feed: Feed;
  readonly #store: TopicStore;
  readonly #socket: Socket;
  readonly #updateListeners = new Set<(update: StreamUpdate, receivedAtMs: number) => void>();
  readonly #statusListeners = new Set<() => void>();
  readonly #cancels = new Set<() => void>();
  #status: ClientStatus;
  #bytes = 0;
  #frames = 0;
  #lastHeardMs = Number.NaN;
  #openedAtMs = Number.NaN;
  #pings = 0;
  #lastPingMs = 0;
  #lastBeaconMs = 0;
  #bytesSinceBeacon = 0;
  #cancelBeacon: (() => void) | undefined;
  #beaconAtMs = Number.POSITIVE_INFINITY;
  #reason: string | undefined;

  constructor(options: ConnectOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#feed = new Feed(this.#receiver, options.conflateMs);
    this.#store = new TopicStore(this.#receiver.partitions, options.frames ?? systemFrames);
    this.#status = {
      phase: 'connecting',
      everLive: false,
      sinceMs: this.#clock.nowMs(),
      conflateMs: options.conflateMs ?? 0,
      reason: undefined,
    };
    const socket: SocketOptions = {
      url: () => this.#url(),
      clock: this.#clock,
      random: options.random ?? Math.random,
      handlers: {
        opened: () => this.#opened(),
        binary: (bytes) => this.#heard({ type: 'binary', bytes }, bytes.length),
        text: (text) => this.#heard({ type: 'text', text }, text.length),
        lost: (closeCode, reason) => this.#lost(closeCode, reason),
      },
    };
    if (options.reconnectDelaysMs !== undefined) socket.delaysMs = options.reconnectDelaysMs;
    if (options.WebSocket !== undefined) socket.WebSocket = options.WebSocket;
    this.#socket = openSocket(socket);
    this.#later(CHECK_MS, () => this.#check());
  }

  subscribe(channels: readonly string[], symbols: readonly string[]): void {
    this.#handle({ type: 'subscribe', channels, symbols });
  }

  unsubscribe(channels: readonly string[], symbols: readonly string[]): void {
    this.#handle({ type: 'unsubscribe', channels, symbols });
  }

  conflate(conflateMs: number): void {
    this.#handle({ type: 'conflate', conflateMs });
  }

  topic(channel: string, symbol: string): Topic {
    return this.#store.topic(channel, symbol);
  }

  onUpdate(listener: (update: StreamUpdate, receivedAtMs: number) => void): () => void {
    this.#updateListeners.add(listener);
    return () => this.#updateListeners.delete(listener);
  }

  readonly status = (): ClientStatus => this.#status;

  readonly subscribeStatus = (listener: () => void): (() => void) => {
    this.#statusListeners.add(listener);
    return () => this.#statusListeners.delete(listener);
  };

  metrics(): ClientMetrics {
    const { counters } = this.#feed;
    const heard = { bytes: this.#bytes, frames: this.#frames, lastHeardMs: this.#lastHeardMs };
    return { ...counters, ...this.#meter.summary(), ...heard };
  }

  delays(channel: string): Delays | undefined {
    return this.#meter.channel(channel);
  }

  close(): void {
    this.#handle({ type: 'close' });
  }

  async #url(): Promise<string> {
    const { url, token, encoding } = this.#options;
    const full = new URL(typeof url === 'string' ? url : await url());
    full.searchParams.set('v', String(PROTOCOL_VERSION));
    full.searchParams.set('encoding', encoding ?? 'msgpack');
    const conflateMs = this.#feed.wantedConflateMs;
    if (conflateMs !== undefined) full.searchParams.set('conflateMs', String(conflateMs));
    const secret = typeof token === 'function' ? await token() : token;
    if (secret !== undefined) full.searchParams.set('token', secret);
    return full.href;
  }

  #opened(): void {
    this.#openedAtMs = this.#clock.nowMs();
    this.#pings = 0;
    this.#lastPingMs = 0;
    this.#meter.clear();
  }

  #heard(event: FeedEvent, bytes: number): void {
    this.#lastHeardMs = this.#clock.nowMs();
    if (event.type === 'text' && event.text === BEACON_REPLY) return;
    this.#bytes += bytes;
    this.#frames++;
    this.#handle(event);
    this.#bytesSinceBeacon += bytes;
    this.#oweBeacon();
  }

  /**
   * Says that everything was consumed (SPEC SU-10), by a timer, so that frames which already wait are consumed first: a client
   * that falls behind says so late, and is spared.
   */
  #oweBeacon(): void {
    const nowMs = this.#clock.nowMs();
    const much = this.#bytesSinceBeacon >= BEACON_EVERY_BYTES;
    const atMs = much ? nowMs : Math.max(nowMs, this.#lastBeaconMs + BEACON_EVERY_MS);
    if (atMs >= this.#beaconAtMs) return;
    this.#cancelBeacon?.();
    this.#beaconAtMs = atMs;
    this.#cancelBeacon = this.#clock.schedule(atMs - nowMs, () => {
      this.#beaconAtMs = Number.POSITIVE_INFINITY;
      this.#lastBeaconMs = this.#clock.nowMs();
      this.#bytesSinceBeacon = 0;
      this.#socket.send(BEACON);
    });
  }

  #lost(closeCode: number, reason: string): void {
    this.#openedAtMs = Number.NaN;
    this.#reason = reason === '' ? undefined : reason;
    this.#handle({ type: 'lost', closeCode });
  }

  /** Once a second: is the connection alive, and how far apart are the clocks. */
  #check(): void {
    this.#later(CHECK_MS, () => this.#check());
    if (Number.isNaN(this.#openedAtMs)) return;
    const nowMs = this.#clock.nowMs();
    const heardMs = Math.max(this.#openedAtMs, Number.isNaN(this.#lastHeardMs) ? 0 : this.#lastHeardMs);
    if (nowMs - heardMs > SILENT_AFTER_MS) {
      this.#reason = `nothing was heard for ${Math.round((nowMs - heardMs) / 1000)} s`;
      this.#handle({ type: 'silent' });
    } else if (this.#pings < FIRST_PINGS || nowMs - this.#lastPingMs >= PING_EVERY_MS) {
      this.#ping();
    }
  }

  #ping(): void {
    this.#pings++;
    this.#lastPingMs = this.#clock.nowMs();
    this.#handle({ type: 'ping', atMs: this.#lastPingMs });
  }

  #handle(event: FeedEvent): void {
    for (const effect of this.#feed.handle(event)) this.#perform(effect);
    if (this.#feed.conflateMs !== this.#status.conflateMs) this.#setStatus({ conflateMs: this.#feed.conflateMs });
  }

  #perform(effect: FeedEffect): void {
    switch (effect.type) {
      case 'send':
        this.#socket.send(JSON.stringify(effect.message));
        break;
      case 'applied':
        this.#meter.measure(effect.update, this.#lastHeardMs);
        this.#store.changed(effect.update, this.#lastHeardMs);
        for (const listener of this.#updateListeners) listener(effect.update, this.#lastHeardMs);
        break;
      case 'serverTime':
        this.#meter.clock.oneWay(effect.serverTimeMs, this.#lastHeardMs);
        if (this.#pings === 0) this.#ping();
        break;
      case 'probe':
        this.#meter.clock.probe(effect.sentMs, effect.serverTimeMs, this.#lastHeardMs);
        break;
      case 'phase':
        this.#setStatus({ phase: effect.phase });
        break;
      case 'retry':
        this.#later(effect.afterMs, () => this.#handle({ type: 'retry', message: effect.message }));
        break;
      case 'refused':
        this.#options.onRefused?.(effect);
        break;
      case 'reconnect':
        this.#openedAtMs = Number.NaN;
        this.#socket.reconnect(effect.afterMs);
        break;
      case 'stop':
        this.#cancelBeacon?.();
        for (const cancel of this.#cancels) cancel();
        this.#cancels.clear();
        this.#socket.close();
        break;
    }
  }

  #setStatus(change: Partial<ClientStatus>): void {
    const phase = change.phase ?? this.#status.phase;
    this.#status = {
      ...this.#status,
      ...change,
      everLive: this.#status.everLive || phase === 'live',
      sinceMs: phase === this.#status.phase ? this.#status.sinceMs : this.#clock.nowMs(),
      reason: phase === 'live' ? undefined : this.#reason,
    };
    this.#options.onStatus?.(this.#status);
    for (const listener of this.#statusListeners) listener();
  }

  #later(delayMs: number, callback: () => void): void {
    const cancel = this.#clock.schedule(delayMs, () => {
      this.#cancels.delete(cancel);
      callback();
    });
    this.#cancels.add(cancel);
  }
}
