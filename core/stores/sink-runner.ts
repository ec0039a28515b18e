/** One lane of the sink at work: gather, write the cut down, insert, commit the offsets. */
import type { Clock } from '#shared/clock.ts';
import { LIMITS } from '#shared/limits.ts';
import { TOPICS } from '#shared/topics.ts';
import { aborted } from '../log/assignment.ts';
import { encodeDeadLetter } from '../log/dead-letter.ts';
import type { Log, LogRecord } from '../log/log.ts';
import type { Logger } from '../ops/logger.ts';
import { cutToken, decodeCut, encodeCut, type CutPart } from './sink-cut.ts';
import type { Lane } from './sink-lanes.ts';
import type { MarketStore } from './stores.ts';

export interface RunnerOptions {
  log: Log;
  store: MarketStore;
  clock: Clock;
  logger: Logger;
  group: string;
  maxBatchRows: number;
  maxDelayMs: number;
  /** A share of every topic's partitions: those that are `unit` modulo `units`. All of them when left out. */
  share?: { unit: number; units: number };
}

const CUT_STORE = 'sink-cuts';
const READ_BYTES = 1_048_576;
const READ_RECORDS = 256;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 30_000;

interface Position {
  topic: string;
  partition: number;
  /** Next offset to gather. */
  next: number;
  /** Next offset that is not stored yet. */
  stored: number;
}

interface Batch<T> {
  rows: number;
  /** Values by part, so that a repeated batch has them in the same order however its records are read. */
  parts: (CutPart & { values: T[] })[];
  faults: { topic: string; partition: number; record: LogRecord; fault: string }[];
}

interface Flush {
  targets: readonly { position: Position; end: number }[];
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class LaneRunner<T> {
  readonly #lane: Lane<T>;
  readonly #options: RunnerOptions;
  readonly #stop = new AbortController();
  readonly #flushes = new Set<Flush>();
  readonly #ready = Promise.withResolvers<void>();
  #positions: Position[] = [];
  #kick: () => void = () => {};
  #rows = 0;
  #trouble: string | undefined;
  /** Set when nothing will be written any more. */
  #ended: { error: unknown } | undefined;

  constructor(lane: Lane<T>, options: RunnerOptions) {
    this.#lane = lane;
    this.#options = options;
    this.#ready.promise.catch(() => {});
  }

  get name(): string {
    return this.#lane.name;
  }

  /** Rows written since the start, repeated ones included. */
  get rows(): number {
    return this.#rows;
  }

  /** Why nothing can be written now; undefined when all is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  stop(): void {
    this.#stop.abort();
    this.#kick();
  }

  async run(): Promise<void> {
    try {
      await this.#restore();
      this.#ready.resolve();
      while (!this.#stop.signal.aborted) await this.#step();
      this.#giveUp(new Error('The sink has been stopped'));
    } catch (error) {
      this.#giveUp(error);
      throw error;
    }
  }

  #giveUp(error: unknown): void {
    this.#ended = { error };
    this.#ready.reject(error);
    for (const flush of this.#flushes) flush.reject(error);
    this.#flushes.clear();
  }

  /** Resolves when everything that is in the log now is stored. */
  async flush(): Promise<void> {
    await this.#ready.promise;
    const { log } = this.#options;
    const targets: { position: Position; end: number }[] = [];
    for (const position of this.#positions) {
      const { end } = await log.bounds(position.topic, position.partition);
      if (position.stored < end) targets.push({ position, end });
    }
    if (targets.length === 0) return;
    if (this.#ended !== undefined) throw this.#ended.error;
    await new Promise<void>((resolve, reject) => {
      this.#flushes.add({ targets, resolve, reject });
      this.#settleFlushes();
      this.#kick();
    });
  }

  #settleFlushes(): void {
    for (const flush of this.#flushes) {
      if (flush.targets.some(({ position, end }) => position.stored < end)) continue;
      this.#flushes.delete(flush);
      flush.resolve();
    }
  }

  /** Positions from the group's offsets; then the batch that was cut and perhaps not written is written again, the same. */
  async #restore(): Promise<void> {
    const { log, group, share } = this.#options;
    await log.fence(this.#stateKey());
    const topics = new Map((await log.topics()).map(({ name, partitions }) => [name, partitions]));
    for (const topic of this.#lane.topics) {
      for (let partition = 0; partition < (topics.get(topic) ?? 0); partition++) {
        if (share !== undefined && partition % share.units !== share.unit) continue;
        const next = await log.committed(group, topic, partition);
        this.#positions.push({ topic, partition, next, stored: next });
      }
    }
    const kept = await log.getState(CUT_STORE, this.#stateKey());
    if (kept === undefined) return;
    const batch = this.#newBatch();
    for (const part of decodeCut(kept)) {
      const position = this.#positions.find((p) => p.topic === part.topic && p.partition === part.partition);
      if (position === undefined || position.next > part.last) continue;
      const through = part.last;
      while (position.next <= through && (await this.#read(position, batch, READ_RECORDS, through)) > 0);
    }
    if (batch.parts.length > 0) await this.#keep(batch, false);
  }

  #stateKey(): string {
    const { group, share } = this.#options;
    return `${group}:${this.#lane.name}${share === undefined ? '' : `:${share.unit}/${share.units}`}`;
  }

  #newBatch(): Batch<T> {
    return { rows: 0, parts: [], faults: [] };
  }

  async #step(): Promise<void> {
    const { clock, maxBatchRows, maxDelayMs } = this.#options;
    const batch = this.#newBatch();
    await this.#gather(batch);
    if (batch.parts.length === 0) {
      await this.#waitForRecords();
      return;
    }
    const untilMs = clock.nowMs() + maxDelayMs;
    if (batch.rows < maxBatchRows && this.#flushes.size === 0) await this.#sleep(untilMs - clock.nowMs());
    if (batch.rows < maxBatchRows) await this.#gather(batch);
    await this.#keep(batch, true);
  }

  /** Adds what there is to read, up to the batch's bound, a bit of every partition in turn. */
  async #gather(batch: Batch<T>): Promise<void> {
    const { maxBatchRows } = this.#options;
    let found = true;
    while (found && batch.rows < maxBatchRows) {
      found = false;
      for (const position of this.#positions) {
        if (batch.rows >= maxBatchRows) return;
        const records = Math.ceil((maxBatchRows - batch.rows) / LIMITS.frameTicks);
        if ((await this.#read(position, batch, Math.min(records, READ_RECORDS))) > 0) found = true;
      }
    }
  }

  /** Offsets may have holes (SPEC LG-1), so a cut's end is told by `through`, not by a number of records. */
  async #read(position: Position, batch: Batch<T>, maxRecords: number, through = Infinity): Promise<number> {
    const { topic, partition, next } = position;
    const read = await this.#options.log.read(topic, partition, next, { maxRecords, maxBytes: READ_BYTES });
    const records = read.filter(({ offset }) => offset <= through);
    const last = records.at(-1);
    if (last === undefined) return 0;
    let part = batch.parts.find((p) => p.topic === topic && p.partition === partition);
    if (part === undefined) batch.parts.push((part = { topic, partition, first: next, last: next, values: [] }));
    for (const record of records) {
      const decoded = this.#lane.decode(record, partition);
      if ('fault' in decoded) batch.faults.push({ topic, partition, record, fault: decoded.fault });
      else if (decoded.value !== undefined) {
        part.values.push(decoded.value);
        batch.rows += decoded.rows;
      }
    }
    position.next = last.offset + 1;
    part.last = last.offset;
    return records.length;
  }

  async #keep(batch: Batch<T>, isNew: boolean): Promise<void> {
    const { log, store, group } = this.#options;
    const lane = this.#lane;
    const exact = lane.exact && batch.rows > 0;
    if (exact && isNew) {
      const transaction = await log.transaction(this.#stateKey());
      transaction.putState(CUT_STORE, this.#stateKey(), encodeCut(batch.parts));
      await transaction.commit();
    }
    if (batch.rows > 0) {
      const token = cutToken(batch.parts);
      const values = batch.parts.flatMap((part) => part.values);
      if (!(await this.#persist(() => lane.write(store, values, token)))) return;
    }
    const transaction = await log.transaction(this.#stateKey());
    for (const { topic, partition, last } of batch.parts) transaction.commitOffset(group, topic, partition, last + 1);
    for (const { topic, partition, record, fault } of batch.faults) {
      this.#options.logger.warn('record not stored', { topic, partition, offset: record.offset, reason: fault });
      const letter = {
        source: `${topic}:${partition}`,
        line: record.offset,
        reason: fault,
        excerpt: excerpt(record.value),
      };
      transaction.append(TOPICS.deadLetter, 0, encodeDeadLetter(letter), topic);
    }
    if (exact) transaction.putState(CUT_STORE, this.#stateKey(), undefined);
    await transaction.commit();
    this.#rows += batch.rows;
    for (const position of this.#positions) {
      const part = batch.parts.find((p) => p.topic === position.topic && p.partition === position.partition);
      if (part !== undefined) position.stored = part.last + 1;
    }
    this.#settleFlushes();
  }

  /** Tries until it is done. False when the sink is stopped first: the batch stays in the log and is written at the next start. */
  async #persist(write: () => Promise<void>): Promise<boolean> {
    const { clock, logger } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        await write();
        if (this.#trouble !== undefined) logger.info('store is back', { lane: this.#lane.name, attempts: attempt });
        this.#trouble = undefined;
        return true;
      } catch (error) {
        this.#trouble = error instanceof Error ? error.message : String(error);
        if (this.#stop.signal.aborted) {
          logger.warn('stopped with a batch left in the log', { lane: this.#lane.name, error: this.#trouble });
          return false;
        }
        const delayMs = jittered(Math.min(FIRST_RETRY_MS * 2 ** attempt, LAST_RETRY_MS), clock.nowMs());
        logger.warn('store does not take a batch, trying again', {
          lane: this.#lane.name,
          attempt: attempt + 1,
          delayMs,
          error: this.#trouble,
        });
        await this.#sleep(delayMs, false);
      }
    }
  }

  /** Until the time has passed or the sink is stopped; a flush ends it too, unless it is a pause between attempts. */
  async #sleep(delayMs: number, flushWakes = true): Promise<void> {
    if (delayMs <= 0 || this.#stop.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.schedule(delayMs, resolve);
      this.#kick = () => {
        if (!flushWakes && !this.#stop.signal.aborted) return;
        cancel();
        resolve();
      };
    });
    this.#kick = () => {};
  }

  async #waitForRecords(): Promise<void> {
    const { log } = this.#options;
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, this.#stop.signal]);
    if (this.#positions.length === 0) await aborted(signal);
    else
      await Promise.race(this.#positions.map(({ topic, partition, next }) => log.wait(topic, partition, next, signal)));
    done.abort();
  }
}

/** Between half of the delay and all of it: lanes that failed together do not come back together. */
function jittered(delayMs: number, seed: number): number {
  return Math.round(delayMs * (0.5 + (Math.imul(seed | 0, 0x9e3779b1) >>> 0) / 2 ** 33));
}

/** First bytes of a record that could not be read, in hexadecimal. */
function excerpt(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, Math.min(value.length, LIMITS.deadLetterChars / 2)).toString(
    'hex',
  );
}
