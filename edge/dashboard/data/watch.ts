/**
 * Who looks at what. Panels watch topics while they are on the screen; the first watcher of a topic subscribes it, the last one
 * unsubscribes it, a little later, so that scrolling back and forth asks for nothing.
 */
import type { Clock } from '#shared/clock.ts';

export interface Subscriber {
  subscribe(channels: readonly string[], symbols: readonly string[]): void;
  unsubscribe(channels: readonly string[], symbols: readonly string[]): void;
}

const GATHER_MS = 30;
const LINGER_MS = 2_000;

interface Watched {
  channel: string;
  symbol: string;
  watchers: number;
  subscribed: boolean;
  idleSinceMs: number;
}

export class Watcher {
  readonly #subscriber: Subscriber;
  readonly #clock: Clock;
  readonly #topics = new Map<string, Watched>();
  #cancelFlush: (() => void) | undefined;
  #flushAtMs = Number.POSITIVE_INFINITY;

  constructor(subscriber: Subscriber, clock: Clock) {
    this.#subscriber = subscriber;
    this.#clock = clock;
  }

  /** Watches every channel of every symbol until the returned function is called. */
  watch(channels: readonly string[], symbols: readonly string[]): () => void {
    const watched = channels.flatMap((channel) => symbols.map((symbol) => this.#topic(channel, symbol)));
    for (const topic of watched) topic.watchers++;
    this.#flushIn(GATHER_MS);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      for (const topic of watched) {
        topic.watchers--;
        topic.idleSinceMs = this.#clock.nowMs();
      }
      this.#flushIn(LINGER_MS);
    };
  }

  #topic(channel: string, symbol: string): Watched {
    const key = `${channel}|${symbol}`;
    const known = this.#topics.get(key);
    if (known) return known;
    const topic = { channel, symbol, watchers: 0, subscribed: false, idleSinceMs: 0 };
    this.#topics.set(key, topic);
    return topic;
  }

  #flushIn(delayMs: number): void {
    const atMs = this.#clock.nowMs() + delayMs;
    if (atMs >= this.#flushAtMs) return;
    this.#cancelFlush?.();
    this.#flushAtMs = atMs;
    this.#cancelFlush = this.#clock.schedule(delayMs, () => this.#flush());
  }

  #flush(): void {
    this.#flushAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.nowMs();
    const wanted: Watched[] = [];
    const idle: Watched[] = [];
    let nextIdleMs = Number.POSITIVE_INFINITY;
    for (const [key, topic] of this.#topics) {
      if (topic.watchers > 0) {
        if (!topic.subscribed) wanted.push(topic);
        continue;
      }
      const leftMs = topic.idleSinceMs + LINGER_MS - nowMs;
      if (leftMs > 0) nextIdleMs = Math.min(nextIdleMs, leftMs);
      else {
        if (topic.subscribed) idle.push(topic);
        this.#topics.delete(key);
      }
    }
    for (const [channels, symbols] of grouped(idle)) this.#subscriber.unsubscribe(channels, symbols);
    for (const [channels, symbols] of grouped(wanted)) this.#subscriber.subscribe(channels, symbols);
    for (const topic of wanted) topic.subscribed = true;
    if (nextIdleMs < Number.POSITIVE_INFINITY) this.#flushIn(nextIdleMs);
  }
}

/** Channels that share their symbols make one request. */
function grouped(topics: readonly Watched[]): [string[], string[]][] {
  const byChannel = new Map<string, string[]>();
  for (const { channel, symbol } of topics) {
    const symbols = byChannel.get(channel);
    if (symbols) symbols.push(symbol);
    else byChannel.set(channel, [symbol]);
  }
  const groups = new Map<string, [string[], string[]]>();
  for (const [channel, symbols] of byChannel) {
    const key = symbols.toSorted().join('\n');
    const same = groups.get(key);
    if (same) same[0].push(channel);
    else groups.set(key, [[channel], symbols]);
  }
  return [...groups.values()];
}
