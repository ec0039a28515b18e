/**
 * A room without its platform: listeners on one side, hubs on the other. Holds per partition what the hub said, per conflation
 * class what its listeners were told, and sends each cohort one shared frame a window (DESIGN §3.8–3.12).
 */
import { CLOSE, ERRORS, type ErrorCode } from '#shared/errors.ts';
import { LIMITS } from '#shared/limits.ts';
import type { Position } from '#shared/position.ts';
import type { ControlMessage } from '#shared/protocol/receiver.ts';
import { PROTOCOL_VERSION } from '#shared/protocol/version.ts';
import { Cohorts } from './cohorts.ts';
import { controlFrame, streamFrame, type Encoding } from './frames.ts';
import { PartitionRooms, type LinkPorts, type PartitionRoom } from './partition-rooms.ts';
import { Sender } from './sender.ts';
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

/** SPEC CF-1. */
export const CLASSES_MS = [0, 50, 250, 1_000] as const;
export const DEFAULT_CONFLATE_MS = 50;
export const HEARTBEAT_MS = 2_000;
const SWEEP_MS = 500;

export function classOf(conflateMs: number): number {
  return CLASSES_MS.find((windowMs) => conflateMs <= windowMs) ?? 1_000;
}

export class RoomCore {
  readonly partitions: number;
  readonly sessions = new Map<string, Session>();
  readonly cohorts: Cohorts;
  readonly counters = { resyncGap: 0, resyncChecksum: 0, stale: 0, closedSlow: 0 };
  readonly #ports: LinkPorts;
  readonly #rooms: PartitionRooms;
  readonly #lists = new TopicLists();
  readonly #sender: Sender;
  /** Sessions with something to wait for. */
  readonly #waiting = new Set<Session>();
  #cancelHeartbeat: (() => void) | undefined;
  #cancelSweep: (() => void) | undefined;

  constructor(partitions: number, ports: LinkPorts) {
    this.partitions = partitions;
    this.#ports = ports;
    this.cohorts = new Cohorts(partitions);
    this.#rooms = new PartitionRooms(partitions, ports);
    this.#sender = new Sender(ports.clock, this.#rooms, this.cohorts);
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
    this.#rooms.release(session.topics);
    this.#dropStreams();
    if (this.sessions.size === 0) this.#rest();
  }

  tell(session: Session, message: ControlMessage): void {
    session.send(controlFrame(session.encoding, message, this.#sender.cursor(session.cohort)), this.nowMs);
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
    this.#rooms.release(removed);
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
    this.#sender.flush(windowMs, this.#rooms.all());
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
    this.#rooms.linkOpened(partition);
  }

  linkClosed(partition: number): void {
    this.#rooms.linkClosed(partition);
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
    if (event.type === 'snapshot') this.#sender.replace(room, event.update, event.restart, event.request);
    else this.#sender.take(room, event.update);
    if (event.type !== 'update') this.#serveWaiting(partition);
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
      this.#rooms.open(partition).up.retain(key);
    }
    for (const [partition, list] of byPartition) {
      this.#rooms.get(partition)?.up.sendInterest();
      session.waits.push({ partition, keys: list, have: positions.get(partition), asked: undefined });
    }
    this.#serve(session);
  }

  #serveWaiting(partition: number): void {
    for (const session of this.#waiting) {
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
      const stream = this.#rooms.stream(room, session.windowMs);
      if (wait.have !== undefined && wait.have.seq > stream.state.seq) this.#sender.flush(session.windowMs, [room]);
      const update = stream.state.catchup(wait.have, wait.keys) ?? stream.state.snapshot(wait.keys);
      session.active = this.#lists.share(union(session.active, wait.keys));
      this.#place(session, new Map([[wait.partition, update.seq]]));
      this.#sender.send(session, streamFrame(session.encoding, update, this.#sender.cursor(session.cohort)), true);
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
    this.#sender.heartbeats(this.sessions.values());
  }

  /** Looks who keeps up (SPEC SU-10). */
  #sweep(): void {
    this.#cancelSweep = undefined;
    this.#keepTime();
    for (const session of this.sessions.values()) {
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

  /** Classes that nobody is in any more need no state. */
  #dropStreams(): void {
    this.#rooms.keepClasses(new Set([...this.sessions.values()].map((session) => session.windowMs)));
  }

  /** Nobody is here: no link and no timer keeps the room awake. */
  #rest(): void {
    this.#cancelHeartbeat?.();
    this.#cancelSweep?.();
    this.#cancelHeartbeat = this.#cancelSweep = undefined;
    this.#sender.stop();
    this.#rooms.clear();
  }
}
