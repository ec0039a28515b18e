/** What goes out of a room to cohorts: windows, snapshots and heartbeats, encoded once for everyone who is told the same. */
import type { Clock } from '#shared/clock.ts';
import { topicKey } from '#shared/protocol/topic-state.ts';
import type { StreamUpdate } from '#shared/protocol/state.ts';
import type { Flushed } from './class-stream.ts';
import type { Cohort, Cohorts } from './cohorts.ts';
import {
  controlFrame,
  streamFrame,
  updateFrames,
  writeCursor,
  type Cursor,
  type Encoding,
  type Frame,
  type Part,
} from './frames.ts';
import type { PartitionRoom, PartitionRooms } from './partition-rooms.ts';
import type { Session } from './session.ts';

const NONE: ReadonlySet<number> = new Set();

export class Sender {
  readonly counters = { frames: 0, bytes: 0, flushes: 0 };
  readonly #clock: Clock;
  readonly #rooms: PartitionRooms;
  readonly #cohorts: Cohorts;
  /** Windows that are open, by class. */
  readonly #timers = new Map<number, () => void>();

  constructor(clock: Clock, rooms: PartitionRooms, cohorts: Cohorts) {
    this.#clock = clock;
    this.#rooms = rooms;
    this.#cohorts = cohorts;
  }

  /** @param absolute a snapshot or catchup, which may be large */
  send(session: Session, frame: Frame, absolute = false): void {
    this.counters.frames++;
    this.counters.bytes += frame.length;
    session.send(frame, this.#clock.nowMs(), absolute);
  }

  /** Where the cohort's members are, for those who listen by SSE. */
  cursor(cohort: Cohort | undefined): Cursor {
    if (cohort?.encoding !== 'sse') return '';
    const parts = [...cohort.seqs].map(([partition, seq]) => ({
      partition,
      seq,
      epoch: this.#rooms.get(partition)?.up.head.epoch ?? 0,
    }));
    return writeCursor(parts);
  }

  /** Takes what a hub said into every class; the window of 0 ms is closed at once. */
  take(room: PartitionRoom, update: StreamUpdate): void {
    for (const [windowMs, stream] of room.streams) {
      stream.add(update);
      if (windowMs === 0) this.flush(0, [room]);
      else if (stream.waiting && !this.#timers.has(windowMs)) {
        this.#timers.set(
          windowMs,
          this.#clock.schedule(windowMs, () => this.#tick(windowMs)),
        );
      }
    }
  }

  /** Takes over a hub's snapshot, behind everything that waited, and tells it to those who hold its topics. */
  replace(room: PartitionRoom, update: StreamUpdate, restart: boolean, request: number): void {
    if (!restart) for (const windowMs of room.streams.keys()) this.flush(windowMs, [room]);
    room.up.accept(update, request);
    for (const stream of room.streams.values()) {
      if (restart) stream.restart(room.up.head);
      else stream.state.apply(update);
    }
    const { partition } = room.up;
    const keys = new Set(update.topics.map(({ info }) => topicKey(info.channel, info.symbol)));
    for (const cohort of this.#cohorts.all()) {
      const told = [...(cohort.byPartition.get(partition) ?? [])].filter((key) => restart || keys.has(key));
      const stream = room.streams.get(cohort.windowMs);
      if (told.length === 0 || stream === undefined) continue;
      cohort.seqs.set(partition, stream.state.seq);
      const frame = streamFrame(cohort.encoding, stream.state.snapshot(told), this.cursor(cohort));
      for (const member of cohort.members) this.send(member, frame, true);
    }
  }

  /** Closes a class's window in these partitions: one frame a cohort, whatever number of partitions it holds. */
  flush(windowMs: number, rooms: readonly PartitionRoom[]): void {
    const packed = this.#cohorts.has(windowMs, 'msgpack');
    const readable = this.#cohorts.has(windowMs, 'json', 'sse');
    const flushes: Flushed[] = [];
    for (const room of rooms) {
      const flushed = room.streams.get(windowMs)?.flush(room.up.head, this.#clock.nowMs(), packed, readable);
      if (flushed !== undefined) flushes.push(flushed);
    }
    if (flushes.length === 0) return;
    this.counters.flushes++;
    for (const cohort of this.#cohorts.ofClass(windowMs)) this.#sendParts(cohort, flushes);
  }

  heartbeats(sessions: Iterable<Session>): void {
    const frames = new Map<Cohort, Frame>();
    for (const session of sessions) {
      if (session.drain.stale) continue;
      const { cohort } = session;
      const waits = new Set(session.waits.map((wait) => wait.partition));
      if (cohort === undefined || waits.size > 0) {
        this.send(session, this.#heartbeat(session.encoding, cohort, waits));
        continue;
      }
      let frame = frames.get(cohort);
      if (frame === undefined) frames.set(cohort, (frame = this.#heartbeat(cohort.encoding, cohort, NONE)));
      this.send(session, frame);
    }
  }

  stop(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  #tick(windowMs: number): void {
    this.#timers.delete(windowMs);
    this.flush(windowMs, this.#rooms.all());
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
    for (const frame of updateFrames(cohort.encoding, parts, this.cursor(cohort))) {
      for (const member of cohort.members) this.send(member, frame);
    }
  }

  /** @param leftOut partitions whose snapshot is still under way */
  #heartbeat(encoding: Encoding, cohort: Cohort | undefined, leftOut: ReadonlySet<number>): Frame {
    const streams = [...(cohort?.byPartition ?? [])].flatMap(([partition, keys]) => {
      const state = cohort === undefined ? undefined : this.#rooms.get(partition)?.streams.get(cohort.windowMs)?.state;
      if (state === undefined || leftOut.has(partition)) return [];
      return [{ partition, epoch: state.epoch, seq: state.seq, checksum: state.checksum(keys) }];
    });
    const serverTimeMs = this.#clock.nowMs();
    return controlFrame(encoding, { type: 'heartbeat', serverTimeMs, streams }, this.cursor(cohort));
  }
}
