import { expect, it } from 'vitest';
import { encodeMessage } from '#shared/protocol/codec.ts';
import { readableMessage } from '#shared/protocol/readable.ts';
import { StreamReceiver } from '#shared/protocol/receiver.ts';
import { PartitionState, type StreamUpdate } from '#shared/protocol/state.ts';
import { SERVER_RETENTION, topicKey, type TopicDelta, type TopicInfo } from '#shared/protocol/topic-state.ts';
import type { Up } from '#shared/protocol/up.ts';
import { rng } from '../../test/support/rng.ts';
import { Feed, type FeedEvent } from './feed.ts';

const SYMBOLS = ['simulated:A', 'simulated:B', 'simulated:C'];
const CHANNELS = ['quotes', 'trades', 'stats', 'bars.1m'] as const;
const CUTS = 20;
const RUNS = 40;
const STEPS = 400;

/** The market of one partition, with all its history. */
class World {
  readonly state = new PartitionState(0, SERVER_RETENTION);
  readonly log: StreamUpdate[] = [];
  readonly #random: () => number;
  readonly #infos: TopicInfo[];
  #epoch = 1;
  #timeMs = 1_000_000;

  constructor(random: () => number) {
    this.#random = random;
    this.#infos = SYMBOLS.flatMap((symbol, s) =>
      CHANNELS.map((channel, c) => ({ id: s * CHANNELS.length + c + 1, channel, symbol, priceScale: 2, sizeScale: s })),
    );
    this.state.apply(this.#message(0, []));
  }

  /** One change of one topic. */
  step(): StreamUpdate {
    this.#timeMs += Math.floor(this.#random() * 400);
    const info = this.#infos[Math.floor(this.#random() * this.#infos.length)] as TopicInfo;
    const update = this.#message(this.state.seq + 1, [this.#delta(info)]);
    this.state.apply(update);
    this.log.push(update);
    return update;
  }

  /** The server forgets everything it knew of the sequence. */
  newEpoch(): void {
    this.#epoch++;
    const held = this.state.snapshot(undefined, true);
    this.log.length = 0;
    this.state.apply({
      ...held,
      kind: 'snapshot',
      epoch: this.#epoch,
      seqFrom: 0,
      seq: 0,
      topics: held.topics.map((topic) => ({ ...topic, floorSeq: 0, seqs: topic.seqs?.map(() => 0) ?? [] })),
    });
  }

  #message(seq: number, topics: TopicDelta[]): StreamUpdate {
    return {
      kind: seq === 0 ? 'snapshot' : 'update',
      partition: 0,
      epoch: this.#epoch,
      seqFrom: seq,
      seq,
      timeMs: this.#timeMs,
      topics,
    };
  }

  #delta(info: TopicInfo): TopicDelta {
    const any = (below: number): number => Math.floor(this.#random() * below);
    if (info.channel === 'trades') {
      const rows = Array.from({ length: 1 + any(3) }, () => [any(9_000), any(500), any(3), this.#timeMs, 0]);
      return { info, reset: false, rows };
    }
    if (info.channel === 'bars.1m') {
      const startMs = Math.floor(this.#timeMs / 60_000) * 60_000 - any(3) * 60_000;
      return {
        info,
        reset: false,
        rows: [
          [
            startMs,
            any(99),
            any(99),
            any(99),
            any(99),
            any(999),
            1,
            2,
            '123456789012345678901',
            any(50),
            any(3),
            any(4),
          ],
        ],
      };
    }
    if (info.channel === 'quotes')
      return { info, reset: false, values: [any(9_000), any(2) ? any(50) : null, any(9_000), any(50), this.#timeMs] };
    return { info, reset: false, values: Array.from({ length: 16 }, () => (any(8) === 0 ? null : any(100_000))) };
  }
}

/** One connection's server side: subscriptions, then updates merged over random windows. */
class Connection {
  readonly #world: World;
  readonly #json: boolean;
  /** What the client holds, as far as this connection has told it. */
  #told: PartitionState | undefined;
  #keys = new Set<string>();
  #pending: StreamUpdate[] = [];
  readonly down: FeedEvent[] = [];

  constructor(world: World, json: boolean) {
    this.#world = world;
    this.#json = json;
    const limits = { messageBytes: 1, messagesPer10s: 1, subscriptions: 1, symbolsPerMessage: 1 };
    this.#control({
      type: 'welcome',
      protocol: 1,
      connection: 'c',
      serverTimeMs: 0,
      conflateMs: 0,
      partitions: 1,
      limits,
    });
  }

  up(message: Up): void {
    if (message.type === 'resync') return this.#snapshot([...this.#keys]);
    if (message.type !== 'subscribe') return;
    const keys = message.channels.flatMap((channel) => message.symbols.map((symbol) => `${channel}|${symbol}`));
    for (const key of keys) this.#keys.add(key);
    this.#control({
      type: 'subscribed',
      id: message.id,
      subscriptions: [...this.#keys].map((key) => {
        const [channel = '', symbol = ''] = key.split('|');
        return { channel, symbols: [symbol] };
      }),
      conflateMs: 0,
    });
    const have = message.positions?.find(({ partition }) => partition === 0);
    const catchup = this.#world.state.catchup(have, keys);
    if (catchup === undefined) return this.#snapshot(keys);
    this.#send(catchup);
    this.#rememberAll();
  }

  /** A window closes: what happened since the last one goes out as one message. */
  flush(): void {
    const updates = this.#pending;
    this.#pending = [];
    const first = updates[0];
    const last = updates.at(-1);
    if (!first || !last || !this.#told) return;
    const topics = updates
      .flatMap((update) => update.topics)
      .filter(({ info }) => this.#keys.has(topicKey(info.channel, info.symbol)));
    if (topics.length === 0) return;
    this.#send({ ...last, seqFrom: first.seqFrom, topics: merged(topics) });
    for (const update of updates) this.#told.apply(update);
  }

  market(update: StreamUpdate): void {
    this.#pending.push(update);
  }

  heartbeat(): void {
    this.flush();
    const { epoch, seq } = this.#world.state;
    this.#control({
      type: 'heartbeat',
      serverTimeMs: 0,
      streams: [{ partition: 0, epoch, seq, checksum: this.#world.state.checksum(this.#keys) }],
    });
  }

  #snapshot(keys: readonly string[]): void {
    this.#pending = [];
    this.#send(this.#world.state.snapshot(keys));
    this.#rememberAll();
  }

  #rememberAll(): void {
    this.#pending = [];
    this.#told = this.#world.state.clone();
  }

  #send(update: StreamUpdate): void {
    if (this.#json) this.#control(readableMessage(update, this.#told));
    else
      this.down.push({
        type: 'binary',
        bytes: encodeMessage(update, update.kind === 'update' ? this.#told : undefined),
      });
  }

  #control(message: object): void {
    this.down.push({ type: 'text', text: JSON.stringify(message) });
  }
}

/** One delta a topic: the newest values, all trades, the newest form of each bar. */
function merged(topics: readonly TopicDelta[]): TopicDelta[] {
  const byId = new Map<number, TopicDelta>();
  for (const topic of topics) {
    const held = byId.get(topic.info.id);
    if (held?.rows === undefined) byId.set(topic.info.id, topic);
    else byId.set(topic.info.id, { ...topic, rows: [...held.rows, ...(topic.rows ?? [])] });
  }
  return [...byId.values()];
}

class Client {
  readonly receiver = new StreamReceiver();
  readonly feed = new Feed(this.receiver);
  connection: Connection | undefined;

  constructor() {
    this.feed.handle({ type: 'subscribe', channels: CHANNELS, symbols: SYMBOLS });
  }

  /** Takes in everything that has arrived, answers, and takes in the answers. */
  drain(limit = Number.POSITIVE_INFINITY): void {
    for (let n = 0; n < limit; n++) {
      const event = this.connection?.down.shift();
      if (!event) return;
      for (const effect of this.feed.handle(event)) if (effect.type === 'send') this.connection?.up(effect.message);
    }
  }

  cut(): void {
    this.connection = undefined;
    this.feed.handle({ type: 'lost', closeCode: 1006 });
  }

  /** What an application can see. */
  content(): unknown {
    const topics = [...(this.receiver.partitions.get(0)?.topics.values() ?? [])];
    return topics
      .filter((topic) => topic.known)
      .map((topic) => [
        topic.key,
        topic.values,
        topic.bars.map((bar) => bar.row),
        topic.newestTrades(),
        topic.hash,
        topic.checksum(),
      ])
      .toSorted((a, b) => String(a[0]).localeCompare(String(b[0])));
  }
}

function run(seed: number, json: boolean): { cut: Client; steady: Client; world: World } {
  const random = rng(seed);
  const world = new World(random);
  const cut = new Client();
  const steady = new Client();
  const connect = (client: Client): void => {
    client.connection = new Connection(world, json);
    client.drain();
  };
  connect(steady);
  const cutAt = new Set<number>();
  while (cutAt.size < CUTS) cutAt.add(1 + Math.floor(random() * (STEPS - 1)));
  const newEpochAt = random() < 0.3 ? Math.floor(random() * STEPS) : -1;
  for (let step = 0; step < STEPS; step++) {
    if (step === newEpochAt) {
      world.newEpoch();
      for (const client of [cut, steady]) if (client.connection) client.cut();
    }
    if (cutAt.has(step) && cut.connection) {
      // In the middle of what is on its way.
      cut.drain(Math.floor(random() * 3));
      cut.cut();
    }
    if (!cut.connection && random() < 0.2) connect(cut);
    if (!steady.connection) connect(steady);
    const update = world.step();
    for (const client of [cut, steady]) {
      client.connection?.market(update);
      if (random() < 0.4) client.connection?.flush();
      if (random() < 0.05) client.connection?.heartbeat();
      if (random() < 0.5) client.drain();
    }
  }
  if (!cut.connection) connect(cut);
  for (const client of [cut, steady]) {
    client.connection?.heartbeat();
    client.drain();
  }
  return { cut, steady, world };
}

for (const encoding of ['msgpack', 'json'] as const) {
  it(`SQ-5 a client cut off ${CUTS} times ends with the state of one that never left (${encoding}, ${RUNS} seeds)`, () => {
    for (let seed = 1; seed <= RUNS; seed++) {
      const { cut, steady, world } = run(seed, encoding === 'json');
      const hint = `seed ${seed}`;
      expect(cut.feed.counters.connections, hint).toBeGreaterThan(CUTS / 3);
      expect(cut.feed.phase, hint).toBe('live');
      expect(cut.content(), hint).toEqual(steady.content());
      expect(cut.feed.counters.checksumMismatches + steady.feed.counters.checksumMismatches, hint).toBe(0);
      expect(cut.receiver.partitions.get(0)?.checksum(), hint).toBe(world.state.checksum());
    }
  });
}
