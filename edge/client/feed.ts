/**
 * The client's side of the protocol as a state machine: events in, effects out. No socket, no clock, no timer.
 *
 *   connecting ──welcome, subscribed──► live ◄──snapshot, catchup── resyncing
 *       ▲                                │ └──gap, checksum, skip──────▲
 *       └────lost (may reconnect)────────┴─────────────────────────────┘
 *   any ──close, or a close code 4100..4199──► closed
 *
 * Positions survive the connection: after a reconnect every subscription is asked for again with them, so that the server
 * answers with what was missed (SPEC SQ-3, SQ-5).
 */
import { mayReconnect, type ErrorCode } from '#shared/errors.ts';
import type { ControlMessage, Received, StreamReceiver } from '#shared/protocol/receiver.ts';
import type { StreamUpdate } from '#shared/protocol/state.ts';
import type { Up } from '#shared/protocol/up.ts';
import { partitionOf } from '#shared/topics.ts';
import { chunkTopics, SubscriptionSet, type TopicGroup } from './subscriptions.ts';

export type FeedPhase = 'connecting' | 'live' | 'resyncing' | 'closed';

export type FeedEvent =
  | { type: 'binary'; bytes: Uint8Array }
  | { type: 'text'; text: string }
  | { type: 'lost'; closeCode: number }
  | { type: 'subscribe' | 'unsubscribe'; channels: readonly string[]; symbols: readonly string[] }
  | { type: 'conflate'; conflateMs: number }
  | { type: 'ping'; atMs: number }
  /** The time of a `retry` effect has come. */
  | { type: 'retry'; message: Up }
  /** Nothing was heard for longer than the liveness limit. */
  | { type: 'silent' }
  | { type: 'close' };

export type FeedEffect =
  | { type: 'send'; message: Up }
  /** Send `retry` back in after this long. */
  | { type: 'retry'; afterMs: number; message: Up }
  /** Drop the socket and open another, not before `afterMs`. */
  | { type: 'reconnect'; afterMs: number }
  /** Close the socket for good. */
  | { type: 'stop' }
  /** The state has taken this in. */
  | { type: 'applied'; update: StreamUpdate }
  | { type: 'serverTime'; serverTimeMs: number }
  | { type: 'probe'; sentMs: number; serverTimeMs: number }
  | { type: 'refused'; code: ErrorCode; message: string; groups: readonly TopicGroup[] }
  | { type: 'phase'; phase: FeedPhase };

/** Counters since the feed began; they never fall. */
export interface FeedCounters {
  connections: number;
  updates: number;
  gaps: number;
  checksumMismatches: number;
  skips: number;
  duplicates: number;
  faults: number;
  heartbeats: number;
}

type Request = Extract<Up, { type: 'subscribe' | 'unsubscribe' | 'conflate' }>;
type Message<T extends ControlMessage['type']> = Extract<ControlMessage, { type: T }>;

export class Feed {
  readonly counters: FeedCounters = {
    connections: 0,
    updates: 0,
    gaps: 0,
    checksumMismatches: 0,
    skips: 0,
    duplicates: 0,
    faults: 0,
    heartbeats: 0,
  };
  readonly #receiver: StreamReceiver;
  readonly #wanted = new SubscriptionSet();
  /** Partitions that wait for a snapshot or a catchup. */
  readonly #behind = new Set<number>();
  /** Partitions whose values are wrong, not only old: no catchup may build on them, whatever happens to the connection. */
  readonly #wrong = new Set<number>();
  /** Topics (`channel|symbol`) whose state is that of the partition's position: only these can be continued from it. */
  readonly #continuous = new Set<string>();
  /** Topics asked to be continued from a position, by partition, and the number of catchups that will have answered for all. */
  readonly #continuing = new Map<number, { epoch: number; seq: number; keys: string[]; answers: number }>();
  /** Requests on their way, by id, so that a refusal can be taken back. */
  readonly #pending = new Map<number, Request>();
  readonly #pings = new Map<number, number>();
  #phase: FeedPhase = 'connecting';
  #welcome: Message<'welcome'> | undefined;
  #wantedConflateMs: number | undefined;
  #conflateMs = 0;
  #nextId = 1;
  #effects: FeedEffect[] = [];

  constructor(receiver: StreamReceiver, conflateMs?: number) {
    this.#receiver = receiver;
    this.#wantedConflateMs = conflateMs;
  }

  get phase(): FeedPhase {
    return this.#phase;
  }

  /** What the server said of this connection; undefined while there is none. */
  get welcome(): Message<'welcome'> | undefined {
    return this.#welcome;
  }

  /** The window that the server really applies, ms. */
  get conflateMs(): number {
    return this.#conflateMs;
  }

  /** The window to ask for when a connection is opened, ms; undefined leaves it to the server. */
  get wantedConflateMs(): number | undefined {
    return this.#wantedConflateMs;
  }

  handle(event: FeedEvent): FeedEffect[] {
    this.#effects = [];
    if (this.#phase !== 'closed') this.#take(event);
    return this.#effects;
  }

  #take(event: FeedEvent): void {
    switch (event.type) {
      case 'binary':
        for (const received of this.#receiver.binary(event.bytes)) this.#receive(received);
        break;
      case 'text':
        this.#receive(this.#receiver.text(event.text));
        break;
      case 'lost':
        this.#lost();
        if (mayReconnect(event.closeCode)) break;
        this.#emit({ type: 'stop' });
        return this.#become('closed');
      case 'silent':
        this.#lost();
        this.#emit({ type: 'reconnect', afterMs: 0 });
        break;
      case 'subscribe':
        this.#subscribe(this.#wanted.add(event.channels, event.symbols), []);
        break;
      case 'unsubscribe':
        this.#unsubscribe(this.#wanted.remove(event.channels, event.symbols));
        break;
      case 'conflate':
        this.#wantedConflateMs = event.conflateMs;
        if (this.#welcome) this.#request({ type: 'conflate', id: this.#nextId++, conflateMs: event.conflateMs });
        break;
      case 'ping':
        if (this.#welcome) this.#ping(event.atMs);
        break;
      case 'retry':
        if (this.#welcome) this.#retry(event.message);
        break;
      case 'close':
        this.#emit({ type: 'stop' });
        return this.#become('closed');
    }
    this.#settle();
  }

  #receive(received: Received): void {
    switch (received.type) {
      case 'stream':
        return this.#applied(received.update);
      case 'duplicate':
        this.counters.duplicates++;
        return;
      case 'gap':
        return this.#gap(received.partition);
      case 'fault':
        // What did not decode may have been anything: the sequence will show whether it is missed.
        this.counters.faults++;
        return;
      case 'control':
        return this.#control(received.message);
    }
  }

  #applied(update: StreamUpdate): void {
    this.counters.updates++;
    for (const { info } of update.topics) this.#continuous.add(`${info.channel}|${info.symbol}`);
    const continuing = this.#continuing.get(update.partition);
    if (update.kind === 'catchup' && continuing && --continuing.answers === 0) this.#continued(update.partition);
    if (update.kind === 'snapshot') this.#wrong.delete(update.partition);
    if (update.kind !== 'update' && !this.#wrong.has(update.partition)) this.#behind.delete(update.partition);
    this.#emit({ type: 'applied', update });
  }

  #gap(partition: number): void {
    // Its snapshot is on the way: this is older, or will be in it.
    if (this.#behind.has(partition)) return;
    if (!this.#receiver.partitions.has(partition) && this.#subscribing()) return;
    this.counters.gaps++;
    this.#resync(partition, 'gap');
  }

  #control(message: ControlMessage): void {
    switch (message.type) {
      case 'welcome':
        return this.#welcomed(message);
      case 'subscribed':
        return this.#subscribed(message);
      case 'heartbeat':
        return this.#heartbeat(message);
      case 'skip':
        this.counters.skips++;
        this.#behind.add(message.partition);
        return;
      case 'shutdown':
        this.#lost();
        return this.#emit({ type: 'reconnect', afterMs: message.reconnectAfterMs });
      case 'pong':
        return this.#pong(message.id, message.serverTimeMs);
      case 'error':
        return this.#refused(message);
    }
  }

  #welcomed(message: Message<'welcome'>): void {
    this.counters.connections++;
    this.#welcome = message;
    this.#conflateMs = message.conflateMs;
    this.#emit({ type: 'serverTime', serverTimeMs: message.serverTimeMs });
    const positions = this.#receiver.positions().filter(({ partition }) => !this.#wrong.has(partition));
    if (this.#wanted.groups().length > 0)
      for (const { partition } of this.#receiver.positions()) this.#behind.add(partition);
    // What was never held, or was left alone for a while, is not at the position: it needs a snapshot.
    const resumed = new Set(this.#continuous);
    this.#continuous.clear();
    const groups = this.#wanted.groups((key) => resumed.has(key));
    const partitionsOf = chunkTopics(groups).map(
      ({ symbols }) => new Set(symbols.map((symbol) => partitionOf(symbol, message.partitions))),
    );
    for (const { partition, epoch, seq } of positions) {
      const keys = [...resumed].filter(
        (key) => partitionOf(key.slice(key.indexOf('|') + 1), message.partitions) === partition,
      );
      const answers = partitionsOf.filter((asked) => asked.has(partition)).length;
      this.#continuing.set(partition, { epoch, seq, keys, answers });
    }
    this.#subscribe(groups, positions);
    this.#subscribe(
      this.#wanted.groups((key) => !resumed.has(key)),
      [],
    );
  }

  #continued(partition: number): void {
    for (const key of this.#continuing.get(partition)?.keys ?? []) this.#continuous.add(key);
    this.#continuing.delete(partition);
  }

  #subscribed(message: Message<'subscribed'>): void {
    const asked = this.#pending.get(message.id);
    if (asked?.type === 'unsubscribe') this.#discontinue(asked);
    this.#pending.delete(message.id);
    this.#conflateMs = message.conflateMs;
    // While another request is on its way the set is about to change again; after a reconnect most of it is still to come.
    if (this.#pending.size > 0) return;
    const keys = new Set<string>();
    for (const { channel, symbols } of message.subscriptions)
      for (const symbol of symbols) keys.add(`${channel}|${symbol}`);
    this.#receiver.retain(keys);
  }

  #subscribe(groups: readonly TopicGroup[], positions: ReturnType<StreamReceiver['positions']>): void {
    if (this.#welcome === undefined) return;
    for (const { channels, symbols } of chunkTopics(groups)) {
      const message = { type: 'subscribe' as const, id: this.#nextId++, channels, symbols };
      this.#request(positions.length > 0 ? { ...message, positions } : message);
    }
  }

  #unsubscribe(groups: readonly TopicGroup[]): void {
    for (const each of groups) this.#discontinue(each);
    if (this.#welcome === undefined) return;
    for (const { channels, symbols } of chunkTopics(groups)) {
      this.#request({ type: 'unsubscribe', id: this.#nextId++, channels, symbols });
    }
  }

  /** Everything up to `seq` was sent before, so what is held must be what the checksum speaks of (SPEC CK-1). */
  #heartbeat(message: Message<'heartbeat'>): void {
    this.counters.heartbeats++;
    this.#emit({ type: 'serverTime', serverTimeMs: message.serverTimeMs });
    // While a change of subscriptions is on its way, the two sides may speak of different sets.
    if (this.#pending.size > 0) return;
    for (const partition of this.#receiver.verify(message, this.#behind)) {
      this.counters.checksumMismatches++;
      this.#wrong.add(partition);
      this.#resync(partition, 'checksum');
    }
  }

  #resync(partition: number, reason: 'gap' | 'checksum'): void {
    if (this.#welcome === undefined) return;
    this.#behind.add(partition);
    this.#emit({ type: 'send', message: { type: 'resync', id: this.#nextId++, partition, reason } });
  }

  #refused(message: Message<'error'>): void {
    const asked = message.id === undefined ? undefined : this.#pending.get(message.id);
    if (asked) this.#pending.delete(asked.id);
    if (message.retryable && asked) {
      this.#emit({ type: 'retry', afterMs: message.retryAfterMs ?? 1_000, message: asked });
      return;
    }
    const groups = asked?.type === 'subscribe' ? this.#wanted.remove(asked.channels, asked.symbols) : [];
    this.#emit({ type: 'refused', code: message.code, message: message.message, groups });
  }

  #retry(message: Up): void {
    if (message.type === 'ping' || message.type === 'resync') return;
    // What is no longer wanted is not asked for again.
    if (message.type === 'subscribe' && !this.#wanted.hasAny(message.channels, message.symbols)) return;
    this.#request({ ...message, id: this.#nextId++ });
  }

  #ping(atMs: number): void {
    const id = this.#nextId++;
    this.#pings.clear();
    this.#pings.set(id, atMs);
    this.#emit({ type: 'send', message: { type: 'ping', id } });
  }

  #pong(id: number, serverTimeMs: number): void {
    const sentMs = this.#pings.get(id);
    if (sentMs === undefined) return;
    this.#pings.delete(id);
    this.#emit({ type: 'probe', sentMs, serverTimeMs });
  }

  #request(message: Request): void {
    this.#pending.set(message.id, message);
    this.#emit({ type: 'send', message });
  }

  #subscribing(): boolean {
    for (const request of this.#pending.values()) if (request.type === 'subscribe') return true;
    return false;
  }

  #discontinue({ channels, symbols }: TopicGroup): void {
    const gone = new Set(channels.flatMap((channel) => symbols.map((symbol) => `${channel}|${symbol}`)));
    for (const key of gone) this.#continuous.delete(key);
    for (const asked of this.#continuing.values()) asked.keys = asked.keys.filter((key) => !gone.has(key));
  }

  #lost(): void {
    // Where nothing moved since they were asked for, the unanswered are still where they were.
    for (const { partition, epoch, seq } of this.#receiver.positions()) {
      const asked = this.#continuing.get(partition);
      if (asked?.epoch === epoch && asked.seq === seq) this.#continued(partition);
    }
    this.#continuing.clear();
    this.#welcome = undefined;
    this.#pending.clear();
    this.#pings.clear();
    this.#behind.clear();
  }

  #settle(): void {
    // A change of subscriptions on a live connection is no reason to call the rest of it not live.
    const opening = this.#phase === 'connecting' && this.#subscribing();
    if (this.#welcome === undefined || opening) this.#become('connecting');
    else this.#become(this.#behind.size > 0 ? 'resyncing' : 'live');
  }

  #become(phase: FeedPhase): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#emit({ type: 'phase', phase });
  }

  #emit(effect: FeedEffect): void {
    this.#effects.push(effect);
  }
}
