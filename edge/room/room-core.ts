/**
 * A room without its platform: listeners on one side, hubs on the other. Holds per partition what the hub said, per conflation
 * class what its listeners were told, and sends each cohort one shared frame a window (DESIGN §3.8–3.12).
 */
import type { Clock } from '#shared/clock.ts';
import { CLOSE, ERRORS, type ErrorCode } from '#shared/errors.ts';
import { LIMITS } from '#shared/limits.ts';
import type { Position } from '#shared/position.ts';
import type { ControlMessage } from '#shared/protocol/receiver.ts';
import type { StreamUpdate } from '#shared/protocol/state.ts';
import { topicKey } from '#shared/protocol/topic-state.ts';
import { PROTOCOL_VERSION } from '#shared/protocol/version.ts';
import { ClassStream, type Flushed } from './class-stream.ts';
import { Cohorts, type Cohort } from './cohorts.ts';
import {
  controlFrame,
  streamFrame,
  updateFrames,
  writeCursor,
  type Cursor,
  type Encoding,
  type Part,
} from './frames.ts';
import { Session, type Sink, type Wait } from './session.ts';
import {
  groupByChannel,
  packTopics,
  partitionOfKey,
  TopicLists,
  union,
  without,
  type TopicList,
} from './topic-list.ts';
import { Upstream } from './upstream.ts';

export interface RoomPorts {
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

/** SPEC CF-1. */
export const CLASSES_MS = [0, 50, 250, 1_000] as const;
export const DEFAULT_CONFLATE_MS = 50;
export const HEARTBEAT_MS = 2_000;
const SWEEP_MS = 500;
const REDIAL_MIN_MS = 100;
const REDIAL_MAX_MS = 3_000;

export function classOf(conflateMs: number): number {
  return CLASSES_MS.find((windowMs) => conflateMs <= windowMs) ?? 1_000;
}

type LinkState = 'closed' | 'dialling' | 'open';

interface PartitionRoom {
  readonly up: Upstream;
  /** By class; only those that somebody is in. */
  readonly streams: Map<number, ClassStream>;
  link: LinkState;
  attempt: number;
  cancelRedial: (() => void) | undefined;
}

export class RoomCore {
  readonly partitions: number;
  readonly sessions = new Map<string, Session>();
  readonly cohorts: Cohorts;
  readonly counters = { frames: 0, bytes: 0, flushes: 0, resyncGap: 0, resyncChecksum: 0, stale: 0, closedSlow: 0 };
  readonly #ports: RoomPorts;
  readonly #rooms = new Map<number, PartitionRoom>();
  readonly #lists = new TopicLists();
  readonly #timers = new Map<number, () => void>();
  /** Sessions with something to wait for. */
  readonly #waiting = new Set<Session>();
  #cancelHeartbeat: (() => void) | undefined;
  #cancelSweep: (() => void) | undefined;

  constructor(partitions: number, ports: RoomPorts) {
    this.partitions = partitions;
    this.#ports = ports;
    this.cohorts = new Cohorts(partitions);
  }

  get nowMs(): number {
    return this.#ports.clock.nowMs();
  }

  // sessions

  join(id: string, encoding: Encoding, sink: Sink, conflateMs: number): Session {
    const session = new Session(id, encoding, sink, classOf(conflateMs), this.nowMs);
    this.sessions.set(id, session);
    this.#keepTime();
    return session;
  }

  welcome(session: Session): void {
    this.#setTopics(session, session.topics);
    this.tell(session, {
      type: 'welcome',
      protocol: PROTOCOL_VERSION,
      connection: session.id,
      serverTimeMs: this.nowMs,
      conflateMs: session.windowMs,
      partitions: this.partitions,
      limits: {
        messageBytes: LIMITS.clientMessageBytes,
        messagesPer10s: LIMITS.clientMessagesPer10s,
        subscriptions: LIMITS.subscriptionsPerClient,
        symbolsPerMessage: LIMITS.symbolsPerMessage,
      },
    });
  }

  leave(session: Session): void {
    if (!this.sessions.delete(session.id)) return;
    this.cohorts.remove(session);
    this.#waiting.delete(session);
    this.#release(session.topics);
    this.#dropStreams();
    if (this.sessions.size === 0) this.#rest();
  }

  tell(session: Session, message: ControlMessage): void {
    session.send(controlFrame(session.encoding, message, this.#cursor(session.cohort)), this.nowMs);
  }

  refuse(session: Session, code: ErrorCode, message: string, id?: number, retryAfterMs?: number): void {
    this.tell(session, {
      type: 'error',
      code,
      message,
      retryable: ERRORS[code].retryable,
      ...(id === undefined ? {} : { id }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }

  subscribe(session: Session, keys: readonly string[], positions: ReadonlyMap<number, Position>, id?: number): void {
    const topics = this.#lists.share(union(session.topics, keys));
    if (topics.length > LIMITS.subscriptionsPerClient) {
      this.refuse(
        session,
        'too_many_subscriptions',
        `A connection holds at most ${LIMITS.subscriptionsPerClient} subscriptions.`,
        id,
      );
      return;
    }
    const added = without(topics, session.topics);
    this.#setTopics(session, topics);
    if (id !== undefined) this.#subscribed(session, id);
    this.#want(session, added, positions);
  }

  unsubscribe(session: Session, keys: readonly string[], id: number): void {
    const gone = new Set(keys);
    const removed = session.topics.filter((key) => gone.has(key));
    this.#setTopics(session, this.#lists.share(without(session.topics, removed)));
    session.active = this.#lists.share(without(session.active, removed));
    for (const wait of session.waits) wait.keys = wait.keys.filter((key) => !gone.has(key));
    this.#place(session, new Map());
    this.#release(removed);
    this.#dropStreams();
    this.#subscribed(session, id);
  }

  conflate(session: Session, conflateMs: number, id: number): void {
    const windowMs = classOf(conflateMs);
    const changed = windowMs !== session.windowMs;
    session.windowMs = windowMs;
    this.#setTopics(session, session.topics);
    this.#subscribed(session, id);
    if (!changed) return;
    // The new class may be behind the old one; nobody is sent back in time.
    this.#flush(windowMs, [...this.#rooms.values()]);
    this.#resend(session);
    this.#dropStreams();
  }

  /** The client does not trust what it holds of the partition (SPEC CK-3). */
  resync(session: Session, partition: number, reason: 'gap' | 'checksum'): void {
    if (reason === 'gap') this.counters.resyncGap++;
    else this.counters.resyncChecksum++;
    this.#resend(session, partition);
  }

  /** What a session of this room's former life had asked for; its snapshots come when the hubs answer. */
  restore(session: Session, topics: TopicList): void {
    session.topics = this.#lists.share(topics);
    this.#want(session, session.topics, new Map());
  }

  // links

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
    if (this.sessions.size === 0) return;
    const ceiling = Math.min(REDIAL_MAX_MS, REDIAL_MIN_MS * 2 ** room.attempt++);
    const delayMs = Math.round(ceiling * (0.5 + 0.5 * this.#ports.random()));
    room.cancelRedial = this.#ports.clock.schedule(delayMs, () => this.#dial(partition));
  }

  linkMessage(partition: number, bytes: Uint8Array): void {
    const room = this.#rooms.get(partition);
    if (room === undefined) return;
    const event = room.up.message(bytes);
    if (event.type === 'broken') {
      this.#ports.hangUp(partition);
      this.linkClosed(partition);
      return;
    }
    if (event.type === 'nothing') return;
    room.attempt = 0;
    if (event.type === 'snapshot') this.#snapshot(room, event.update, event.restart, event.request);
    else this.#update(room, event.update);
    if (event.type !== 'update') this.#serveWaiting(partition);
  }

  // what comes from the hubs

  #update(room: PartitionRoom, update: StreamUpdate): void {
    for (const [windowMs, stream] of room.streams) {
      stream.add(update);
      if (windowMs === 0) this.#flush(0, [room]);
      else if (stream.waiting && !this.#timers.has(windowMs)) {
        this.#timers.set(
          windowMs,
          this.#ports.clock.schedule(windowMs, () => this.#tick(windowMs)),
        );
      }
    }
  }

  #snapshot(room: PartitionRoom, update: StreamUpdate, restart: boolean, request: number): void {
    if (!restart) for (const windowMs of room.streams.keys()) this.#flush(windowMs, [room]);
    room.up.accept(update, request);
    const keys = new Set(update.topics.map(({ info }) => topicKey(info.channel, info.symbol)));
    for (const stream of room.streams.values()) {
      if (restart) stream.restart(room.up.head);
      else stream.state.apply(update);
    }
    const { partition } = room.up;
    for (const cohort of [...this.cohorts.all()]) {
      const told = [...(cohort.byPartition.get(partition) ?? [])].filter((key) => restart || keys.has(key));
      const stream = room.streams.get(cohort.windowMs);
      if (told.length === 0 || stream === undefined) continue;
      cohort.seqs.set(partition, stream.state.seq);
      const frame = streamFrame(cohort.encoding, stream.state.snapshot(told), this.#cursor(cohort));
      for (const member of cohort.members) this.#send(member, frame, true);
    }
  }

  // sending

  #tick(windowMs: number): void {
    this.#timers.delete(windowMs);
    this.#flush(windowMs, [...this.#rooms.values()]);
  }

  #flush(windowMs: number, rooms: readonly PartitionRoom[]): void {
    const packed = this.cohorts.has(windowMs, 'msgpack');
    const readable = this.cohorts.has(windowMs, 'json', 'sse');
    const flushes: Flushed[] = [];
    for (const room of rooms) {
      const flushed = room.streams.get(windowMs)?.flush(room.up.head, this.nowMs, packed, readable);
      if (flushed !== undefined) flushes.push(flushed);
    }
    if (flushes.length === 0) return;
    this.counters.flushes++;
    for (const cohort of this.cohorts.ofClass(windowMs)) this.#sendParts(cohort, flushes);
  }

  #sendParts(cohort: Cohort, flushes: readonly Flushed[]): void {
    const parts: Part[] = [];
    for (const flushed of flushes) {
      const { partition, seq } = flushed.header;
      const keys = cohort.byPartition.get(partition);
      if (keys === undefined) continue;
      const told = cohort.encoding === 'msgpack' ? flushed.blocks : flushed.texts;
      const topics = flushed.keys.filter((key) => keys.has(key) && told.has(key));
      if (topics.length === 0) continue;
      parts.push({ flushed, topics, seqFrom: (cohort.seqs.get(partition) ?? 0) + 1 });
      cohort.seqs.set(partition, seq);
    }
    if (parts.length === 0) return;
    for (const frame of updateFrames(cohort.encoding, parts, this.#cursor(cohort))) {
      for (const member of cohort.members) this.#send(member, frame);
    }
  }

  #send(session: Session, frame: Uint8Array | string, snapshot = false): void {
    this.counters.frames++;
    this.counters.bytes += frame.length;
    session.send(frame, this.nowMs, snapshot);
  }

  // what listeners wait for

  /** Registers topics and sends their snapshots as soon as they are known. */
  #want(session: Session, keys: TopicList, positions: ReadonlyMap<number, Position>): void {
    const byPartition = new Map<number, string[]>();
    for (const key of keys) {
      const partition = partitionOfKey(key, this.partitions);
      const list = byPartition.get(partition);
      if (list === undefined) byPartition.set(partition, [key]);
      else list.push(key);
      this.#room(partition).up.retain(key);
    }
    for (const [partition, list] of byPartition) {
      this.#rooms.get(partition)?.up.sendInterest();
      session.waits.push({ partition, keys: list, have: positions.get(partition), asked: undefined });
    }
    this.#serve(session);
  }

  #serveWaiting(partition: number): void {
    for (const session of [...this.#waiting]) {
      if (session.waits.some((wait) => wait.partition === partition)) this.#serve(session);
    }
  }

  #serve(session: Session): void {
    if (session.drain.stale) {
      this.#waiting.add(session);
      return;
    }
    const rest: typeof session.waits = [];
    // Partitions in which this client is further than the room: no other answer may lead it back meanwhile.
    const held = new Set<number>();
    for (const wait of session.waits) {
      const room = this.#rooms.get(wait.partition);
      if (wait.keys.length === 0) continue;
      if (room !== undefined && this.#behind(room, wait)) held.add(wait.partition);
      if (room === undefined || held.has(wait.partition) || !room.up.ready(wait.keys)) {
        rest.push(wait);
        continue;
      }
      const stream = this.#stream(room, session.windowMs);
      if (wait.have !== undefined && wait.have.seq > stream.state.seq) this.#flush(session.windowMs, [room]);
      const update = stream.state.catchup(wait.have, wait.keys) ?? stream.state.snapshot(wait.keys);
      session.active = this.#lists.share(union(session.active, wait.keys));
      this.#place(session, new Map([[wait.partition, update.seq]]));
      this.#send(session, streamFrame(session.encoding, update, this.#cursor(session.cohort)), true);
    }
    session.waits = rest;
    if (rest.length > 0) this.#waiting.add(session);
    else this.#waiting.delete(session);
  }

  /** Whether the client came from a room that was further than this one; the hub is then asked once. */
  #behind({ up }: PartitionRoom, wait: Wait): boolean {
    if (wait.have?.epoch !== up.head.epoch || wait.have.seq <= up.head.seq) return false;
    wait.asked ??= up.ask();
    return up.answered < wait.asked;
  }

  /** Sends everything of a partition (of all) anew. */
  #resend(session: Session, only?: number): void {
    const again = session.active.filter((key) => only === undefined || partitionOfKey(key, this.partitions) === only);
    session.active = this.#lists.share(without(session.active, again));
    this.#place(session, new Map());
    const byPartition = Map.groupBy(again, (key) => partitionOfKey(key, this.partitions));
    for (const [partition, keys] of byPartition)
      session.waits.push({ partition, keys, have: undefined, asked: undefined });
    this.#serve(session);
  }

  // time

  #keepTime(): void {
    this.#cancelHeartbeat ??= this.#ports.clock.schedule(HEARTBEAT_MS, () => this.#heartbeat());
    this.#cancelSweep ??= this.#ports.clock.schedule(SWEEP_MS, () => this.#sweep());
  }

  #heartbeat(): void {
    this.#cancelHeartbeat = undefined;
    this.#keepTime();
    const told = new Set<Session>();
    for (const cohort of this.cohorts.all()) {
      const frame = this.#heartbeatFrame(cohort.encoding, cohort);
      for (const member of cohort.members) {
        const waits = new Set(member.waits.map((wait) => wait.partition));
        this.#send(member, waits.size === 0 ? frame : this.#heartbeatFrame(cohort.encoding, cohort, waits));
        told.add(member);
      }
    }
    for (const session of this.sessions.values()) {
      if (!told.has(session) && !session.drain.stale)
        this.#send(session, this.#heartbeatFrame(session.encoding, undefined));
    }
  }

  #heartbeatFrame(
    encoding: Encoding,
    cohort: Cohort | undefined,
    leftOut: ReadonlySet<number> = new Set(),
  ): Uint8Array | string {
    const streams = [...(cohort?.byPartition ?? [])].flatMap(([partition, keys]) => {
      const state = cohort === undefined ? undefined : this.#rooms.get(partition)?.streams.get(cohort.windowMs)?.state;
      if (state === undefined || leftOut.has(partition)) return [];
      return [{ partition, epoch: state.epoch, seq: state.seq, checksum: state.checksum(keys) }];
    });
    return controlFrame(encoding, { type: 'heartbeat', serverTimeMs: this.nowMs, streams }, this.#cursor(cohort));
  }

  /** Looks who keeps up (SPEC SU-10). */
  #sweep(): void {
    this.#cancelSweep = undefined;
    this.#keepTime();
    for (const session of [...this.sessions.values()]) {
      const wasStale = session.drain.stale;
      const verdict = session.drain.check(session.sink.drainedMs(), this.nowMs);
      if (verdict === 'close') {
        this.counters.closedSlow++;
        session.sink.close(CLOSE.tooSlow, 'what was sent is not consumed');
        this.leave(session);
      } else if (verdict === 'stale' && !wasStale) this.#pause(session);
      else if (verdict === 'recovered') this.#resume(session);
    }
  }

  #pause(session: Session): void {
    this.counters.stale++;
    session.skipped = new Map(session.cohort?.seqs);
    this.cohorts.remove(session);
  }

  #resume(session: Session): void {
    for (const [partition, seq] of session.skipped) {
      const now = this.#rooms.get(partition)?.streams.get(session.windowMs)?.state.seq ?? seq;
      if (now > seq) this.tell(session, { type: 'skip', partition, seqFrom: seq + 1, seq: now });
    }
    session.skipped = new Map();
    this.#resend(session);
  }

  // bookkeeping

  #subscribed(session: Session, id: number): void {
    this.tell(session, {
      type: 'subscribed',
      id,
      subscriptions: groupByChannel(session.topics),
      conflateMs: session.windowMs,
    });
  }

  #setTopics(session: Session, topics: TopicList): void {
    session.topics = topics;
    session.sink.save(JSON.stringify({ e: session.encoding, w: session.windowMs, t: packTopics(topics) }));
  }

  /** A listener that does not keep up is in no cohort, whatever else happens to it. */
  #place(session: Session, told: ReadonlyMap<number, number>): void {
    if (session.drain.stale) this.cohorts.remove(session);
    else this.cohorts.place(session, told);
  }

  #room(partition: number): PartitionRoom {
    let room = this.#rooms.get(partition);
    if (room === undefined) {
      const up = new Upstream(partition, (bytes) => this.#ports.sendLink(partition, bytes));
      room = { up, streams: new Map(), link: 'closed', attempt: 0, cancelRedial: undefined };
      this.#rooms.set(partition, room);
    }
    if (room.link === 'closed' && room.cancelRedial === undefined) this.#dial(partition);
    return room;
  }

  #dial(partition: number): void {
    const room = this.#rooms.get(partition);
    if (room === undefined || this.sessions.size === 0) return;
    room.cancelRedial = undefined;
    room.link = 'dialling';
    this.#ports.dial(partition);
  }

  #stream(room: PartitionRoom, windowMs: number): ClassStream {
    let stream = room.streams.get(windowMs);
    if (stream === undefined) {
      stream = new ClassStream(room.up.head);
      room.streams.set(windowMs, stream);
    }
    return stream;
  }

  #release(keys: Iterable<string>): void {
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
  #dropStreams(): void {
    const used = new Set([...this.sessions.values()].map((session) => session.windowMs));
    for (const room of this.#rooms.values()) {
      for (const windowMs of [...room.streams.keys()]) if (!used.has(windowMs)) room.streams.delete(windowMs);
    }
  }

  /** Nobody is here: no link and no timer keeps the room awake. */
  #rest(): void {
    this.#cancelHeartbeat?.();
    this.#cancelSweep?.();
    this.#cancelHeartbeat = this.#cancelSweep = undefined;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    for (const [partition, room] of this.#rooms) {
      room.cancelRedial?.();
      if (room.link !== 'closed') this.#ports.hangUp(partition);
    }
    this.#rooms.clear();
  }

  #cursor(cohort: Cohort | undefined): Cursor {
    if (cohort?.encoding !== 'sse') return '';
    const parts = [...cohort.seqs].map(([partition, seq]) => ({
      partition,
      epoch: this.#rooms.get(partition)?.up.head.epoch ?? 0,
      seq,
    }));
    return writeCursor(parts);
  }
}
