/** One listener of a room: what it asked for, what it is told, and whether it keeps up (SPEC SU-3, SU-7, SU-10). */
import type { Position } from '#shared/position.ts';
import {
  CLOSE_STALE_AFTER_MS,
  SILENT_CLOSE_BYTES,
  SILENT_CLOSE_MS,
  STALE_AFTER_BYTES,
  STALE_AFTER_MS,
  STALE_BYTES_GRACE_MS,
} from '#shared/protocol/beacon.ts';
import type { Cohort } from './cohorts.ts';
import type { Encoding, Frame } from './frames.ts';
import { NO_TOPICS, type TopicList } from './topic-list.ts';

/** The way to one client. */
export interface Sink {
  /** Never throws; what cannot be sent is dropped, and the client's position tells it. */
  send(frame: Frame): void;
  close(code: number, reason: string): void;
  /** When the client last said that it had consumed everything, ms; undefined when it never did. */
  drainedMs(): number | undefined;
  /** Keeps a short text that survives the room's memory. */
  save(record: string): void;
}

/** Topics that wait for the hub's answer, or for the next occasion to send their snapshot. */
export interface Wait {
  partition: number;
  keys: string[];
  have: Position | undefined;
  /** The client is further than the room was: the hub was asked by this request. */
  asked: number | undefined;
}

export class Session {
  readonly id: string;
  readonly encoding: Encoding;
  readonly sink: Sink;
  windowMs: number;
  /** Everything asked for. */
  topics: TopicList = NO_TOPICS;
  /** What it is told: `topics` without those that wait. */
  active: TopicList = NO_TOPICS;
  cohort: Cohort | undefined;
  waits: Wait[] = [];
  /** While it is told nothing: where it was. */
  skipped = new Map<number, number>();
  readonly drain: DrainWatch;
  readonly rate = new RateWindow();

  constructor(id: string, encoding: Encoding, sink: Sink, windowMs: number, nowMs: number) {
    this.id = id;
    this.encoding = encoding;
    this.sink = sink;
    this.windowMs = windowMs;
    this.drain = new DrainWatch(nowMs);
  }

  /** @param snapshot does not count against the 64 KB, for it may be larger. */
  send(frame: Frame, nowMs: number, snapshot = false): void {
    this.drain.sent(frame.length, nowMs, snapshot);
    this.sink.send(frame);
  }
}

/** Counts messages in windows of 10 s. */
export class RateWindow {
  #startMs = 0;
  #count = 0;

  /** How many messages this window has seen, this one included. */
  count(nowMs: number): number {
    if (nowMs - this.#startMs >= 10_000) {
      this.#startMs = nowMs;
      this.#count = 0;
    }
    return ++this.#count;
  }

  retryAfterMs(nowMs: number): number {
    return Math.max(0, this.#startMs + 10_000 - nowMs);
  }
}

export type DrainVerdict = 'keeps_up' | 'stale' | 'recovered' | 'close';

/** Judges from beacons whether a client consumes what it is sent (DESIGN §3.12). */
export class DrainWatch {
  #drainedMs: number | undefined;
  /** Since when the client owes a beacon. */
  #owesSinceMs: number | undefined;
  #owedBytes = 0;
  #bytesSinceCheck = 0;
  #lastSentMs = 0;
  #heardMs: number;
  #silentBytes = 0;
  #staleSinceMs: number | undefined;

  constructor(nowMs: number) {
    this.#heardMs = nowMs;
  }

  get stale(): boolean {
    return this.#staleSinceMs !== undefined;
  }

  sent(bytes: number, nowMs: number, snapshot: boolean): void {
    this.#lastSentMs = nowMs;
    this.#owesSinceMs ??= nowMs;
    this.#silentBytes += bytes;
    if (snapshot) return;
    this.#owedBytes += bytes;
    this.#bytesSinceCheck += bytes;
  }

  /** The client said something. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#silentBytes = 0;
  }

  /** @param drainedMs the client's last beacon, undefined when it never sent one */
  check(drainedMs: number | undefined, nowMs: number): DrainVerdict {
    if (drainedMs === undefined) return this.#silent(nowMs);
    if (this.#drainedMs === undefined || drainedMs > this.#drainedMs) {
      this.#drainedMs = drainedMs;
      this.heard(nowMs);
      this.#owesSinceMs = drainedMs >= this.#lastSentMs ? undefined : Math.max(drainedMs, this.#owesSinceMs ?? 0);
      this.#owedBytes = this.#owesSinceMs === undefined ? 0 : this.#bytesSinceCheck;
      this.#bytesSinceCheck = 0;
      if (this.#staleSinceMs === undefined) return 'keeps_up';
      this.#staleSinceMs = undefined;
      return 'recovered';
    }
    this.#bytesSinceCheck = 0;
    if (this.#staleSinceMs !== undefined) return nowMs - this.#staleSinceMs > CLOSE_STALE_AFTER_MS ? 'close' : 'stale';
    const tooLong = this.#owesSinceMs !== undefined && nowMs - this.#owesSinceMs > STALE_AFTER_MS;
    const tooMuch = this.#owedBytes > STALE_AFTER_BYTES && nowMs - drainedMs > STALE_BYTES_GRACE_MS;
    if (!tooLong && !tooMuch) return 'keeps_up';
    this.#staleSinceMs = nowMs;
    return 'stale';
  }

  #silent(nowMs: number): DrainVerdict {
    return nowMs - this.#heardMs > SILENT_CLOSE_MS && this.#silentBytes > SILENT_CLOSE_BYTES ? 'close' : 'keeps_up';
  }
}
