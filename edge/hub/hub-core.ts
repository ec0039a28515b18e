/**
 * The hub of one partition, without its platform: holds the latest state and what happened lately, takes it from the relay,
 * and gives each room what it asked for (DESIGN §3.8, SPEC SQ-3). Never renumbers.
 */
import {
  encodeHello,
  encodeLost,
  LinkDecoder,
  LinkEncoder,
  type Interest,
  type LinkFrame,
} from '#shared/protocol/relay.ts';
import { missedBehind, PartitionState, type StreamUpdate } from '#shared/protocol/state.ts';
import { SERVER_RETENTION, topicKey } from '#shared/protocol/topic-state.ts';

export interface HubPorts {
  /** Never throws; a connection that is gone swallows it. */
  send(connection: string, bytes: Uint8Array): void;
  close(connection: string, reason: string): void;
}

interface RoomLink {
  readonly id: string;
  readonly encoder: LinkEncoder;
  readonly decoder: LinkDecoder;
  readonly interest: Set<string>;
  /** Whether its whole interest was heard. */
  said: boolean;
  /** The last interest heard; answers name what they answer. */
  request: number;
  /** Everything up to here that it is interested in was sent; undefined while it waits for its first answer. */
  sentSeq: number | undefined;
  /** The epoch of `sentSeq`. */
  epoch: number;
  /** What it asked while this hub knew nothing. */
  readonly unanswered: Interest[];
}

/** Topics of interest to one room. */
const MAX_INTEREST = 100_000;
/** Requests that may wait for the relay's first word. */
const MAX_UNANSWERED = 10_000;

export class HubCore {
  readonly state: PartitionState;
  readonly #ports: HubPorts;
  readonly #rooms = new Map<string, RoomLink>();
  #relay: string | undefined;
  #relayDecoder = new LinkDecoder();
  /** A hello is on its way; what comes before its answer may not fit. */
  #asked = false;
  readonly counters = { frames: 0, gaps: 0, snapshots: 0, refused: 0 };

  constructor(partition: number, ports: HubPorts) {
    this.state = new PartitionState(partition, SERVER_RETENTION);
    this.#ports = ports;
  }

  /** Rooms and the relay that were connected before this object came to life: both must speak again. */
  revive(relays: readonly string[], rooms: readonly string[]): void {
    for (const id of rooms) {
      this.roomConnected(id);
      this.#ports.send(id, encodeLost());
    }
    for (const id of relays) this.relayConnected(id);
  }

  /** The newest relay is the one that counts. */
  relayConnected(id: string): void {
    if (this.#relay !== undefined && this.#relay !== id) this.#ports.close(this.#relay, 'another relay took over');
    this.#relay = id;
    this.#relayDecoder = new LinkDecoder();
    this.#ask();
  }

  relayMessage(id: string, bytes: Uint8Array): void {
    if (id !== this.#relay) return;
    const message = this.#relayDecoder.read(bytes);
    if (message === undefined) {
      this.counters.refused++;
      this.#ports.close(id, 'no link message');
    } else if (message.type === 'frame') this.#frame(message);
    else if (message.type === 'undescribed' && !this.#asked) this.#ask();
  }

  roomConnected(id: string): void {
    this.#rooms.set(id, {
      id,
      encoder: new LinkEncoder(),
      decoder: new LinkDecoder(),
      interest: new Set(),
      said: false,
      request: 0,
      sentSeq: undefined,
      epoch: -1,
      unanswered: [],
    });
  }

  roomMessage(id: string, bytes: Uint8Array): void {
    const room = this.#rooms.get(id);
    if (room === undefined) return;
    const message = room.decoder.read(bytes);
    if (message === undefined) {
      this.counters.refused++;
      this.#ports.close(id, 'no link message');
    } else if (message.type === 'interest') this.#interest(room, message);
  }

  closed(id: string): void {
    this.#rooms.delete(id);
    if (id === this.#relay) this.#relay = undefined;
  }

  #ask(): void {
    if (this.#relay === undefined) return;
    this.#asked = true;
    this.#ports.send(this.#relay, encodeHello(this.state.position()));
  }

  #frame(frame: LinkFrame): void {
    this.counters.frames++;
    if (frame.update.partition !== this.state.partition) return;
    const continuity = this.state.judge(frame.update);
    if (continuity === 'duplicate') return;
    if (continuity === 'gap') {
      this.counters.gaps++;
      if (!this.#asked) this.#ask();
      return;
    }
    this.#asked = false;
    const update = frame.update.kind === 'catchup' ? missedBehind(frame.update, this.state.seq) : frame.update;
    if (update.kind === 'catchup' && update.seq <= this.state.seq) return;
    this.state.apply(update);
    for (const room of this.#rooms.values()) {
      if (room.unanswered.length > 0) for (const interest of room.unanswered.splice(0)) this.#answer(room, interest);
      else if (update.kind === 'snapshot') this.#replace(room);
      else this.#forward(room, update);
    }
  }

  #interest(room: RoomLink, message: Interest): void {
    // Without the whole no part is answered: a room that outlived this hub's memory says everything again.
    if (!message.replace && !room.said) return;
    room.said = true;
    room.request = message.request;
    if (message.replace) {
      room.interest.clear();
      room.sentSeq = undefined;
      room.unanswered.length = 0;
    }
    for (const key of message.remove) room.interest.delete(key);
    for (const key of message.add) room.interest.add(key);
    if (room.interest.size > MAX_INTEREST) {
      this.#ports.close(room.id, 'too many topics');
      return;
    }
    // With a position and nothing to add, it only asks how far this hub is.
    if (message.add.length === 0 && !message.replace && message.position === undefined) return;
    if (this.state.position() !== undefined) this.#answer(room, message);
    else if (room.unanswered.push(message) > MAX_UNANSWERED) this.#ports.close(room.id, 'too many requests');
  }

  #answer(room: RoomLink, { request, position, add }: Interest): void {
    const keys = add.filter((key) => room.interest.has(key));
    const update = this.state.catchup(position, keys) ?? this.state.snapshot(keys, true);
    this.#send(room, update, request);
  }

  /** Brings a room up to a state that came as a whole. */
  #replace(room: RoomLink): void {
    if (room.sentSeq === undefined) return;
    const keys = [...room.interest];
    const position = { epoch: room.epoch, seq: room.sentSeq };
    this.#send(room, this.state.catchup(position, keys) ?? this.state.snapshot(keys, true), room.request);
  }

  #send(room: RoomLink, update: StreamUpdate, request: number): void {
    if (update.kind === 'snapshot') this.counters.snapshots++;
    this.#ports.send(room.id, room.encoder.frame(update, request));
    room.sentSeq = update.seq;
    room.epoch = update.epoch;
  }

  #forward(room: RoomLink, update: StreamUpdate): void {
    if (room.sentSeq === undefined) return;
    const topics = update.topics.filter(({ info }) => room.interest.has(topicKey(info.channel, info.symbol)));
    if (topics.length === 0) return;
    this.#ports.send(room.id, room.encoder.frame({ ...update, kind: 'update', seqFrom: room.sentSeq + 1, topics }));
    room.sentSeq = update.seq;
  }
}
