/** A room's partitions: the link to each hub, what was heard of it, and the classes in which it is told on. */
import type { Clock } from '#shared/clock.ts';
import { ClassStream } from './class-stream.ts';
import { partitionOfKey } from './topic-list.ts';
import { Upstream } from './upstream.ts';

export interface LinkPorts {
  clock: Clock;
  /** Opens the link to a hub; `linkOpened` or `linkClosed` follows. */
  dial(partition: number): void;
  /** Never throws. */
  sendLink(partition: number, bytes: Uint8Array): void;
  /** `linkClosed` does not follow. */
  hangUp(partition: number): void;
  /** 0 to 1; spreads reconnects. */
  random(): number;
}

export interface PartitionRoom {
  readonly up: Upstream;
  /** By class; only those that somebody is in. */
  readonly streams: Map<number, ClassStream>;
  link: 'closed' | 'dialling' | 'open';
  /** Failed dials since the hub was last heard. */
  attempt: number;
  cancelRedial: (() => void) | undefined;
}

const REDIAL_MIN_MS = 100;
const REDIAL_MAX_MS = 3_000;

export class PartitionRooms {
  readonly partitions: number;
  readonly #ports: LinkPorts;
  readonly #rooms = new Map<number, PartitionRoom>();

  constructor(partitions: number, ports: LinkPorts) {
    this.partitions = partitions;
    this.#ports = ports;
  }

  get(partition: number): PartitionRoom | undefined {
    return this.#rooms.get(partition);
  }

  all(): PartitionRoom[] {
    return [...this.#rooms.values()];
  }

  /** The partition, made and dialled when it is the first time. */
  open(partition: number): PartitionRoom {
    let room = this.#rooms.get(partition);
    if (room === undefined) {
      const up = new Upstream(partition, (bytes) => this.#ports.sendLink(partition, bytes));
      room = { up, streams: new Map(), link: 'closed', attempt: 0, cancelRedial: undefined };
      this.#rooms.set(partition, room);
    }
    if (room.link === 'closed' && room.cancelRedial === undefined) this.#dial(room);
    return room;
  }

  linkOpened(partition: number): void {
    const room = this.#rooms.get(partition);
    if (room === undefined) return;
    room.link = 'open';
    room.up.opened();
  }

  linkClosed(partition: number): void {
    const room = this.#rooms.get(partition);
    if (room === undefined || room.link === 'closed') return;
    room.link = 'closed';
    room.up.closed();
    const ceiling = Math.min(REDIAL_MAX_MS, REDIAL_MIN_MS * 2 ** room.attempt++);
    const delayMs = Math.round(ceiling * (0.5 + 0.5 * this.#ports.random()));
    room.cancelRedial = this.#ports.clock.schedule(delayMs, () => this.#dial(room));
  }

  stream(room: PartitionRoom, windowMs: number): ClassStream {
    let stream = room.streams.get(windowMs);
    if (stream === undefined) {
      stream = new ClassStream(room.up.head);
      room.streams.set(windowMs, stream);
    }
    return stream;
  }

  /** One listener less for each of `keys`. */
  release(keys: Iterable<string>): void {
    const touched = new Set<PartitionRoom>();
    for (const key of keys) {
      const room = this.#rooms.get(partitionOfKey(key, this.partitions));
      if (room === undefined) continue;
      touched.add(room);
      if (room.up.release(key)) for (const stream of room.streams.values()) stream.state.drop([key]);
    }
    for (const room of touched) room.up.sendInterest();
  }

  /** Classes that nobody is in any more need no state. */
  keepClasses(used: ReadonlySet<number>): void {
    for (const room of this.#rooms.values()) {
      for (const windowMs of room.streams.keys()) if (!used.has(windowMs)) room.streams.delete(windowMs);
    }
  }

  /** Hangs up everywhere and forgets everything. */
  clear(): void {
    for (const [partition, room] of this.#rooms) {
      room.cancelRedial?.();
      if (room.link !== 'closed') this.#ports.hangUp(partition);
    }
    this.#rooms.clear();
  }

  #dial(room: PartitionRoom): void {
    room.cancelRedial = undefined;
    room.link = 'dialling';
    this.#ports.dial(room.up.partition);
  }
}
