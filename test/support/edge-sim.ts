/**
 * The whole live path without a network: relay, hubs, rooms and clients, all the real state machines, joined by simulated
 * connections that are late, break and come back. Time is a ManualClock; everything random comes from one seed.
 */
import { HubLink, type LinkEvents } from '../../core/relay/hub-link.ts';
import { silentLogger } from '../../core/ops/logger.ts';
import { Sequencer } from '../../core/relay/sequencer.ts';
import { Feed, type FeedEffect } from '../../edge/client/feed.ts';
import { HubCore } from '../../edge/hub/hub-core.ts';
import { receive } from '../../edge/room/messages.ts';
import { RoomCore } from '../../edge/room/room-core.ts';
import type { Encoding, Frame } from '../../edge/room/frames.ts';
import type { Sink } from '../../edge/room/session.ts';
import { unpackTopics } from '../../edge/room/topic-list.ts';
import { StreamReceiver } from '#shared/protocol/receiver.ts';
import { ManualClock } from './manual-clock.ts';

export type Random = () => number;

/** One direction of a connection: in order, each message late by up to `maxMs`; nothing arrives behind a cut. */
class Pipe<T> {
  readonly #clock: ManualClock;
  readonly #random: Random;
  readonly #maxMs: number;
  readonly #deliver: (message: T) => void;
  #lastMs = 0;
  #cut = false;

  constructor(clock: ManualClock, random: Random, maxMs: number, deliver: (message: T) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#maxMs = maxMs;
    this.#deliver = deliver;
  }

  send(message: T): void {
    if (this.#cut) return;
    this.#lastMs = Math.max(this.#lastMs, this.#clock.nowMs() + Math.floor(this.#random() * this.#maxMs));
    this.#clock.schedule(this.#lastMs - this.#clock.nowMs(), () => {
      if (!this.#cut) this.#deliver(message);
    });
  }

  cut(): void {
    this.#cut = true;
  }
}

const LATENCY_MS = 30;

export class SimClient {
  readonly receiver = new StreamReceiver();
  readonly feed: Feed;
  readonly encoding: 'json' | 'msgpack';
  /** Does not read: nothing it is sent is consumed, no beacon goes out. */
  frozen = false;
  #sim: EdgeSim;
  #up: Pipe<string> | undefined;
  #down: Pipe<Frame> | undefined;
  #frozenFrames: Frame[] = [];
  #connection = '';
  drainedMs: number | undefined;

  constructor(sim: EdgeSim, encoding: 'json' | 'msgpack', conflateMs: number) {
    this.#sim = sim;
    this.encoding = encoding;
    this.feed = new Feed(this.receiver, conflateMs);
  }

  get connection(): string {
    return this.#connection;
  }

  act(effects: FeedEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'send') this.#up?.send(JSON.stringify(effect.message));
      else if (effect.type === 'retry') {
        const { message } = effect;
        this.#sim.clock.schedule(effect.afterMs, () => this.act(this.feed.handle({ type: 'retry', message })));
      } else if (effect.type === 'reconnect') this.cut();
    }
  }

  /** Opens a connection to a room. */
  connect(room: number): void {
    const id = `c${this.#sim.nextId++}`;
    this.#connection = id;
    const down = new Pipe<Frame>(this.#sim.clock, this.#sim.random, LATENCY_MS, (frame) => this.#take(frame));
    this.#down = down;
    const sink: Sink & { record: string } = {
      record: '',
      send: (frame) => down.send(typeof frame === 'string' ? frame : frame.slice()),
      close: () => this.cut(),
      drainedMs: () => this.drainedMs,
      save(record) {
        this.record = record;
      },
    };
    this.#up = new Pipe<string>(this.#sim.clock, this.#sim.random, LATENCY_MS, (text) => {
      const session = this.#sim.rooms[room]?.core.sessions.get(id);
      if (session !== undefined) receive(this.#sim.rooms[room]?.core as RoomCore, session, text);
    });
    this.#sim.rooms[room]?.enter(id, this.encoding, sink, this.feed.wantedConflateMs ?? 50);
    this.drainedMs = this.#sim.clock.nowMs();
  }

  cut(): void {
    if (this.#up === undefined) return;
    this.#up.cut();
    this.#down?.cut();
    this.#up = undefined;
    this.#frozenFrames = [];
    this.#sim.leave(this.#connection);
    this.act(this.feed.handle({ type: 'lost', closeCode: 1006 }));
    this.#sim.clock.schedule(Math.floor(this.#sim.random() * 300), () => {
      if (this.#up === undefined) this.connect(Math.floor(this.#sim.random() * this.#sim.rooms.length));
    });
  }

  thaw(): void {
    this.frozen = false;
    for (const frame of this.#frozenFrames.splice(0)) this.#take(frame);
  }

  #take(frame: Frame): void {
    if (this.frozen) {
      this.#frozenFrames.push(frame);
      return;
    }
    this.drainedMs = this.#sim.clock.nowMs();
    this.act(
      this.feed.handle(typeof frame === 'string' ? { type: 'text', text: frame } : { type: 'binary', bytes: frame }),
    );
  }
}

interface SimSocket {
  encoding: Encoding;
  sink: Sink & { record: string };
}

export class SimRoom {
  core: RoomCore;
  readonly sockets = new Map<string, SimSocket>();
  readonly #sim: EdgeSim;
  readonly #links = new Map<number, { id: string; up: Pipe<Uint8Array>; down: Pipe<Uint8Array> }>();

  constructor(sim: EdgeSim) {
    this.#sim = sim;
    this.core = this.#make();
  }

  enter(id: string, encoding: Encoding, sink: SimSocket['sink'], conflateMs: number): void {
    this.sockets.set(id, { encoding, sink });
    this.core.welcome(this.core.join(id, encoding, sink, conflateMs));
  }

  /** The memory is lost, the sockets live on. */
  evict(): void {
    for (const partition of this.#links.keys()) this.cutLink(partition);
    this.core = this.#make();
    for (const [id, { sink }] of this.sockets) {
      const { e, w, t } = JSON.parse(sink.record) as { e: Encoding; w: number; t: string };
      this.core.restore(this.core.join(id, e, sink, w), unpackTopics(t));
    }
  }

  cutLink(partition: number): void {
    const link = this.#links.get(partition);
    if (link === undefined) return;
    this.#links.delete(partition);
    link.up.cut();
    link.down.cut();
    this.#sim.hubs[partition]?.core.closed(link.id);
    this.#sim.hubs[partition]?.rooms.delete(link.id);
    this.core.linkClosed(partition);
  }

  #make(): RoomCore {
    const { clock } = this.#sim;
    const core: RoomCore = new RoomCore(this.#sim.partitions, {
      // Timers die with the memory.
      clock: {
        nowMs: () => clock.nowMs(),
        schedule: (delayMs, callback) =>
          clock.schedule(delayMs, () => {
            if (this.core === core) callback();
          }),
      },
      random: this.#sim.random,
      dial: (partition) => {
        this.#sim.clock.schedule(Math.floor(this.#sim.random() * LATENCY_MS), () => {
          if (this.core !== core) return;
          const hub = this.#sim.hubs[partition] as SimHub;
          const id = `r${this.#sim.nextId++}`;
          const up = new Pipe<Uint8Array>(this.#sim.clock, this.#sim.random, LATENCY_MS, (bytes) =>
            hub.core.roomMessage(id, bytes),
          );
          const down = new Pipe<Uint8Array>(this.#sim.clock, this.#sim.random, LATENCY_MS, (bytes) =>
            core.linkMessage(partition, bytes),
          );
          this.#links.set(partition, { id, up, down });
          hub.rooms.set(id, down);
          hub.core.roomConnected(id);
          core.linkOpened(partition);
        });
      },
      sendLink: (partition, bytes) => this.#links.get(partition)?.up.send(bytes),
      hangUp: (partition) => {
        const link = this.#links.get(partition);
        if (link === undefined) return;
        this.#links.delete(partition);
        link.up.cut();
        link.down.cut();
        this.#sim.hubs[partition]?.core.closed(link.id);
      },
    });
    return core;
  }
}

export class SimHub {
  core: HubCore;
  readonly rooms = new Map<string, Pipe<Uint8Array>>();
  relay: { id: string; down: Pipe<Uint8Array>; end: () => void } | undefined;
  readonly #partition: number;

  constructor(partition: number) {
    this.#partition = partition;
    this.core = this.#make();
  }

  /** The memory is lost, the sockets live on. */
  evict(): void {
    this.core = this.#make();
    this.core.revive(this.relay === undefined ? [] : [this.relay.id], [...this.rooms.keys()]);
  }

  #make(): HubCore {
    return new HubCore(this.#partition, {
      send: (id, bytes) => (id === this.relay?.id ? this.relay.down : this.rooms.get(id))?.send(bytes),
      close: (id) => {
        if (id === this.relay?.id) this.relay.end();
      },
    });
  }
}

export class EdgeSim {
  readonly clock = new ManualClock();
  readonly random: Random;
  readonly partitions: number;
  readonly hubs: SimHub[];
  readonly rooms: SimRoom[];
  readonly clients: SimClient[] = [];
  sequencers: Sequencer[] = [];
  nextId = 1;
  #links: HubLink[] = [];
  #epoch = 100;

  constructor(random: Random, partitions = 2, rooms = 2) {
    this.random = random;
    this.partitions = partitions;
    this.hubs = Array.from({ length: partitions }, (_, p) => new SimHub(p));
    this.rooms = Array.from({ length: rooms }, () => new SimRoom(this));
    this.restartRelay();
  }

  /** The core starts anew: another epoch, nothing known. */
  restartRelay(): void {
    for (const link of this.#links) link.close();
    for (const hub of this.hubs) hub.relay?.end();
    const epoch = this.#epoch++;
    this.sequencers = this.hubs.map((_, p) => new Sequencer(p, epoch, this.clock.nowMs()));
    this.#links = this.sequencers.map((sequencer, partition) => {
      const link = new HubLink({
        partition,
        clock: this.clock,
        logger: silentLogger,
        random: this.random,
        owed: (have) => sequencer.owed(have),
        dial: (events) => this.#dialHub(partition, events),
      });
      link.open();
      return link;
    });
  }

  /** Closes the relay's windows. */
  flush(): void {
    this.sequencers.forEach((sequencer, p) => {
      const update = sequencer.flush(this.clock.nowMs());
      if (update !== undefined) this.#links[p]?.send(update);
    });
  }

  leave(connection: string): void {
    for (const room of this.rooms) {
      room.sockets.delete(connection);
      const session = room.core.sessions.get(connection);
      if (session !== undefined) room.core.leave(session);
    }
  }

  #dialHub(
    partition: number,
    events: LinkEvents,
  ): { bufferedAmount: number; send(data: string | Uint8Array): void; close(): void } {
    const hub = this.hubs[partition] as SimHub;
    const id = `relay${this.nextId++}`;
    let ended = false;
    const up = new Pipe<string | Uint8Array>(this.clock, this.random, LATENCY_MS, (data) => {
      if (typeof data === 'string') down.send('k' as never);
      else hub.core.relayMessage(id, data);
    });
    const down = new Pipe<Uint8Array>(this.clock, this.random, LATENCY_MS, (data) => events.message(data));
    const end = (): void => {
      if (ended) return;
      ended = true;
      up.cut();
      down.cut();
      hub.core.closed(id);
      if (hub.relay?.id === id) hub.relay = undefined;
      events.close('cut');
    };
    this.clock.schedule(Math.floor(this.random() * LATENCY_MS), () => {
      if (ended) return;
      hub.relay = { id, down, end };
      events.open();
      hub.core.relayConnected(id);
    });
    return { bufferedAmount: 0, send: (data) => up.send(data), close: end };
  }
}
