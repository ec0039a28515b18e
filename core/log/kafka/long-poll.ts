/**
 * Waits for records of many partitions with few connections.
 *
 * A broker answers the requests of one connection in order, so a fetch that waits for data holds up all that follows on its
 * connection. Waiting fetches therefore have lanes of their own. A lane asks for everything that waits and is not asked for yet;
 * what is still without data when its fetch returns goes back to those. While every lane but one is held, the last asks with a very
 * short wait, so that a newcomer is never behind a fetch that waits long.
 */
import type { Logger } from '../../ops/logger.ts';
import type { Calls } from './calls.ts';
import { fetchRequest, OFFSET_OUT_OF_RANGE, type FetchedPartition } from './fetch.ts';
import { faultOf } from './faults.ts';
import type { Lanes } from './internals.ts';
import { startOffset } from './offsets.ts';
import { visibleRecords, type StoredRecord } from './record-batches.ts';

export interface Arrived {
  topic: string;
  partition: number;
  fromOffset: number;
  nextOffset: number;
  records: StoredRecord[];
}

interface Interest {
  topic: string;
  partition: number;
  fromOffset: number;
  done: boolean;
  resolve: () => void;
}

const LANES_PER_NODE = 6;
const WAIT_MS = 500;
const LAST_LANE_WAIT_MS = 5;
const PARTITION_BYTES = 262_144;
const ANSWER_BYTES = 1_048_576;
const AWAY_PAUSE_MS = 100;

export class LongPoll {
  readonly #calls: Calls;
  readonly #logger: Logger;
  readonly #arrived: (arrived: Arrived) => void;
  readonly #pending = new Map<number, Set<Interest>>();
  readonly #free = new Map<number, Lanes[]>();
  readonly #held = new Map<number, number>();
  readonly #all = new Set<Interest>();
  readonly #asking: Lanes;
  #closed = false;

  /** `arrived` gets what a fetch brought, before the one who waits for it is woken. */
  constructor(calls: Calls, logger: Logger, arrived: (arrived: Arrived) => void) {
    this.#calls = calls;
    this.#asking = calls.wire.lanes();
    this.#logger = logger;
    this.#arrived = arrived;
  }

  /** Resolves when a record at or behind `offset` can be read, when `signal` aborts, or when the partition is not known. */
  async wait(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#closed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const interest: Interest = { topic, partition, fromOffset: offset, done: false, resolve };
    const stop = (): void => this.#finish(interest);
    signal.addEventListener('abort', stop, { once: true });
    this.#all.add(interest);
    this.#add(interest);
    await promise;
    signal.removeEventListener('abort', stop);
  }

  close(): void {
    this.#closed = true;
    for (const interest of this.#all) this.#finish(interest);
  }

  #finish(interest: Interest): void {
    interest.done = true;
    this.#all.delete(interest);
    interest.resolve();
  }

  #add(interest: Interest): void {
    if (interest.done) return;
    let node: number;
    try {
      node = this.#calls.leaderOf(interest.topic, interest.partition);
    } catch (error) {
      if (faultOf(error) === 'fatal') this.#finish(interest);
      else void this.#later([interest]);
      return;
    }
    const pending = this.#pending.get(node) ?? new Set<Interest>();
    this.#pending.set(node, pending);
    // One round of the event loop's microtasks gathers those who come together.
    if (pending.size === 0) queueMicrotask(() => this.#next(node));
    pending.add(interest);
  }

  #next(node: number): void {
    const pending = this.#pending.get(node);
    if (this.#closed || pending === undefined) return;
    const held = this.#held.get(node) ?? 0;
    if (held >= LANES_PER_NODE) return;
    const interests = [...pending].filter((interest) => !interest.done);
    pending.clear();
    if (interests.length === 0) return;
    const lanes = this.#free.get(node)?.pop() ?? this.#calls.wire.lanes();
    this.#held.set(node, held + 1);
    void this.#poll(node, lanes, interests, held + 1 === LANES_PER_NODE ? LAST_LANE_WAIT_MS : WAIT_MS);
  }

  async #poll(node: number, lanes: Lanes, interests: readonly Interest[], maxWaitMs: number): Promise<void> {
    let again: readonly Interest[] = interests;
    try {
      const request = fetchRequest({
        partitions: startsOf(interests),
        maxWaitMs,
        maxBytes: ANSWER_BYTES,
      });
      const { partitions } = await lanes.send(node, request);
      again = this.#deliver(interests, partitions);
    } catch (error) {
      lanes.cut(node);
      if (!this.#closed) {
        this.#logger.debug('long poll failed', { node, error: String(error) });
        void this.#later(interests);
      }
      again = [];
    } finally {
      this.#held.set(node, (this.#held.get(node) ?? 1) - 1);
      const free = this.#free.get(node) ?? [];
      this.#free.set(node, free);
      free.push(lanes);
    }
    for (const interest of again) this.#add(interest);
    this.#next(node);
  }

  /** Wakes those whose records came; returns those that go on waiting. */
  #deliver(interests: readonly Interest[], fetched: readonly FetchedPartition[]): Interest[] {
    const again: Interest[] = [];
    const moved: Interest[] = [];
    const byPartition = new Map(fetched.map((answer) => [`${answer.topic}-${answer.partition}`, answer]));
    const starts = new Map(startsOf(interests).map((start) => [`${start.topic}-${start.partition}`, start.fromOffset]));
    for (const [id, waiting] of Map.groupBy(interests, ({ topic, partition }) => `${topic}-${partition}`)) {
      const answer = byPartition.get(id);
      if (answer === undefined) again.push(...waiting);
      else if (answer.errorCode === OFFSET_OUT_OF_RANGE) {
        void this.#outOfRange(waiting);
      } else if (answer.errorCode !== 0) moved.push(...waiting);
      else this.#deliverTo(waiting, answer, starts.get(id) ?? 0, again);
    }
    if (moved.length > 0) void this.#later(moved);
    return again;
  }

  #deliverTo(waiting: readonly Interest[], answer: FetchedPartition, fromOffset: number, again: Interest[]): void {
    const { records, nextOffset } = visibleRecords(answer.recordSet, fromOffset, answer.aborted);
    const last = records.at(-1)?.offset ?? -1;
    if (records.length > 0)
      this.#arrived({ topic: answer.topic, partition: answer.partition, fromOffset, nextOffset, records });
    for (const interest of waiting) {
      if (last >= interest.fromOffset) this.#finish(interest);
      else {
        interest.fromOffset = Math.max(interest.fromOffset, nextOffset);
        again.push(interest);
      }
    }
  }

  /** Before the start: goes on from there. Behind the end: somebody waits for what is far off; asked for again in a while. */
  async #outOfRange(waiting: readonly Interest[]): Promise<void> {
    const [{ topic, partition }] = waiting as [Interest];
    try {
      const start = await startOffset(this.#calls, this.#asking, topic, partition);
      for (const interest of waiting) interest.fromOffset = Math.max(interest.fromOffset, start);
    } catch (error) {
      this.#logger.debug('the start of a partition was not told', { topic, partition, error: String(error) });
    }
    await this.#later(waiting);
  }

  async #later(interests: readonly Interest[]): Promise<void> {
    await this.#calls.pause(AWAY_PAUSE_MS);
    await this.#calls.refresh().catch(() => undefined);
    for (const interest of interests) this.#add(interest);
  }
}

/** One start a partition: the lowest that somebody waits for. */
function startsOf(
  interests: readonly Interest[],
): { topic: string; partition: number; fromOffset: number; maxBytes: number }[] {
  return [...Map.groupBy(interests, ({ topic, partition }) => `${topic}-${partition}`).values()].map((waiting) => {
    const [{ topic, partition }] = waiting as [Interest];
    const fromOffset = Math.min(...waiting.map((interest) => interest.fromOffset));
    return { topic, partition, fromOffset, maxBytes: PARTITION_BYTES };
  });
}
