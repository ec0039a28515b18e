/** Ticks from sources into the log: numbered, partitioned, framed, one transaction with the place they came from (SPEC LG-6). */
import type { Clock } from '#shared/clock.ts';
import { utf8Decode, utf8Encode } from '#shared/text.ts';
import { TOPICS } from '#shared/topics.ts';
import type { Log } from '../log/log.ts';
import type { Logger } from '../ops/logger.ts';
import type { Service } from '../service.ts';
import { Heartbeats } from './heartbeats.ts';
import { firstArrivalOf } from './arrival-ranges.ts';
import { sleep } from './pacing.ts';
import type { Source, SourceBatch } from './source.ts';
import {
  addCounters,
  COLLECTOR_STORE,
  copyState,
  decodeSourceState,
  emptyCounters,
  emptyState,
  encodeSourceState,
  type CollectorCounters,
  type SourceState,
} from './source-state.ts';
import { TICK_TOPICS, TransactionWriter } from './transaction-writer.ts';

/**
 * A transaction is committed when this long has passed since the one before, so that live ticks do not wait. Where ticks come in
 * bulk (a tape at full speed), the cost of a commit counts instead: it then takes so many rows, or so long.
 */
const COMMIT_INTERVAL_MS = 5;
const BULK_ROWS = 4_096;
const BULK_COMMIT_ROWS = 32_768;
const BULK_COMMIT_INTERVAL_MS = 100;
/** Rows that may wait for the log before the sources are held up. */
const WAITING_ROWS = 2 * BULK_COMMIT_ROWS;

export interface CollectorSummary extends CollectorCounters {
  /** Finite sources that have come to their end, in this run or an earlier one. */
  sourcesDone: number;
}

export interface CollectorOptions {
  log: Log;
  sources: readonly Source[];
  partitions: number;
  clock: Clock;
  logger: Logger;
  /** A partition that gets no tick of a live venue for this long is told the time. */
  heartbeatMs?: number;
  /**
   * Set where several collectors fill one log: transactions are then written under `collector-<name>`, which another process of the
   * same name takes away, and arrival numbers come from a range of the name's own (SPEC TK-1). Its sources must be no other's.
   */
  name?: string;
  /** This process, among those that may collect under `name`: kept in the log when the name is taken (`ownerOf`). */
  owner?: string;
  /** After every commit. */
  onProgress?: (summary: CollectorSummary) => void;
}

export type Collector = Service & {
  /** What is in the log of these sources, earlier runs included. */
  summary(): CollectorSummary;
  /** Rows that wait for the log. */
  waitingRows(): number;
};

interface Entry {
  readonly source: Source;
  state: SourceState;
}

/** Something for the next transaction. */
type Work = { entry: Entry; batch: SourceBatch } | { entry: Entry; ended: true } | { heartbeats: true };

const OWNER_STORE = 'collector-owners';

/** Who took the name last: one that lost it to the broker's timeout, and not to another process, may take it again. */
export async function ownerOf(log: Log, name: string): Promise<string | undefined> {
  const owner = await log.getState(OWNER_STORE, name);
  return owner === undefined ? undefined : utf8Decode(owner);
}

export function createCollector(options: CollectorOptions): Collector {
  return new LogCollector(options);
}

class LogCollector implements Collector {
  readonly name = 'collector';
  readonly #log: Log;
  readonly #options: CollectorOptions;
  readonly #entries: Entry[];
  readonly #heartbeats: Heartbeats;
  readonly #stop = new AbortController();
  readonly #finished = Promise.withResolvers<void>();
  #running = false;
  #arrival = 0;
  #work: Work[] = [];
  #waitingRows = 0;
  #pumps = 0;
  #failure: { error: unknown } | undefined;
  #lastCommitMs = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => {};
  #makeRoom: (() => void)[] = [];

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#entries = options.sources.map((source) => ({ source, state: emptyState() }));
    this.#heartbeats = new Heartbeats(TICK_TOPICS, options.partitions, options.heartbeatMs ?? 1_000);
  }

  summary(): CollectorSummary {
    const sum: CollectorSummary = { ...emptyCounters(), sourcesDone: 0 };
    for (const { state } of this.#entries) {
      addCounters(sum, state.counters);
      if (state.done) sum.sourcesDone++;
    }
    return sum;
  }

  waitingRows(): number {
    return this.#waitingRows;
  }

  async run(): Promise<void> {
    this.#running = true;
    const stopHeartbeats = this.#startHeartbeats();
    try {
      await this.#restore();
      for (const entry of this.#entries) this.#start(entry);
      await this.#commitAll();
    } finally {
      stopHeartbeats();
      this.#stop.abort();
      for (const release of this.#makeRoom.splice(0)) release();
      this.#finished.resolve();
    }
  }

  async drain(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    if (this.#running) await this.#finished.promise;
  }

  async #sign(name: string): Promise<void> {
    const { owner } = this.#options;
    if (owner === undefined) return;
    const transaction = await this.#log.transaction(this.#transactionalId);
    transaction.putState(OWNER_STORE, name, utf8Encode(owner));
    await transaction.commit();
  }

  get #transactionalId(): string {
    const { name } = this.#options;
    return name === undefined ? 'collector' : `collector-${name}`;
  }

  /** Takes up where the log says that these sources were. Arrival numbers go on over all sources that ever were. */
  async #restore(): Promise<void> {
    const { partitions, name } = this.#options;
    await this.#log.ensureTopics([
      { name: TOPICS.trades, partitions },
      { name: TOPICS.quotes, partitions },
      { name: TOPICS.deadLetter, partitions: 1 },
    ]);
    if (name !== undefined) {
      await this.#log.fence(this.#transactionalId);
      await this.#sign(name);
      this.#arrival = await firstArrivalOf(this.#log, name);
    }
    const ours = new Set(this.#entries.map(({ source }) => source.id));
    const kept = new Map<string, SourceState>();
    for (const { key, value } of await this.#log.listState(COLLECTOR_STORE)) {
      if (name !== undefined && !ours.has(key)) continue;
      const state = decodeSourceState(value);
      kept.set(key, state);
      this.#arrival = Math.max(this.#arrival, state.arrival);
    }
    for (const entry of this.#entries) entry.state = kept.get(entry.source.id) ?? entry.state;
  }

  #start(entry: Entry): void {
    const { logger } = this.#options;
    const fields = { source: entry.source.id };
    if (entry.state.done) {
      logger.info('already replayed', fields);
      return;
    }
    if (entry.state.cursor !== undefined) logger.info('continuing', fields);
    this.#pumps++;
    void this.#pump(entry)
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#stop.abort();
      })
      .finally(() => {
        this.#pumps--;
        this.#wake();
      });
  }

  async #pump(entry: Entry): Promise<void> {
    const { signal } = this.#stop;
    for await (const batch of entry.source.batches(entry.state.cursor, signal)) {
      this.#work.push({ entry, batch });
      this.#waitingRows += batch.rowsRead;
      this.#wake();
      while (this.#waitingRows >= WAITING_ROWS && !signal.aborted) {
        await new Promise<void>((resolve) => this.#makeRoom.push(resolve));
      }
    }
    if (entry.source.finite && !signal.aborted) this.#work.push({ entry, ended: true });
  }

  async #commitAll(): Promise<void> {
    for (;;) {
      if (this.#work.length === 0) {
        if (this.#pumps === 0) break;
        await this.#woken();
        continue;
      }
      await this.#gather();
      const work = this.#work;
      this.#work = [];
      this.#waitingRows = 0;
      for (const release of this.#makeRoom.splice(0)) release();
      await this.#commit(work);
      this.#options.onProgress?.(this.summary());
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Lets small batches come together, as long as nobody waits longer than the commit interval. */
  async #gather(): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      const intervalMs = this.#waitingRows >= BULK_ROWS ? BULK_COMMIT_INTERVAL_MS : COMMIT_INTERVAL_MS;
      const waitMs = this.#lastCommitMs + intervalMs - clock.nowMs();
      if (waitMs <= 0 || this.#waitingRows >= BULK_COMMIT_ROWS || this.#pumps === 0 || this.#stop.signal.aborted)
        return;
      const cut = new AbortController();
      await Promise.race([this.#woken(), sleep(clock, waitMs, cut.signal)]);
      cut.abort();
    }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  async #commit(work: readonly Work[]): Promise<void> {
    const transaction = await this.#log.transaction(this.#transactionalId);
    const drafts = new Map<Entry, SourceState>();
    const writer = new TransactionWriter(transaction, this.#options.partitions);
    let arrival = this.#arrival;
    try {
      const nowMs = this.#options.clock.nowMs();
      for (const item of work) {
        if ('heartbeats' in item) {
          for (const { topic, partition, venue, eventMs } of this.#heartbeats.due(nowMs))
            writer.controlTo(topic, partition, { type: 'heartbeat', venue, eventMs });
          continue;
        }
        const draft = drafts.get(item.entry) ?? copyState(item.entry.state);
        drafts.set(item.entry, draft);
        if ('ended' in item) {
          draft.done = true;
          writer.control({ type: 'end_of_source', venues: draft.venues });
          continue;
        }
        arrival = writer.batch(item.batch, arrival);
        takeInto(draft, item.batch);
        if (!item.entry.source.finite) this.#note(item.batch, nowMs);
      }
      writer.flush();
      for (const [entry, draft] of drafts) {
        draft.arrival = arrival;
        transaction.putState(COLLECTOR_STORE, entry.source.id, encodeSourceState(draft));
      }
    } catch (error) {
      transaction.abort();
      throw error;
    }
    if (writer.isEmpty && drafts.size === 0) {
      transaction.abort();
      return;
    }
    await transaction.commit();
    this.#arrival = arrival;
    this.#lastCommitMs = this.#options.clock.nowMs();
    for (const [entry, draft] of drafts) entry.state = draft;
  }

  #note(batch: SourceBatch, nowMs: number): void {
    if (batch.trades !== undefined) this.#heartbeats.ticks(TOPICS.trades, batch.trades, nowMs);
    if (batch.quotes !== undefined) this.#heartbeats.ticks(TOPICS.quotes, batch.quotes, nowMs);
    for (const event of batch.control)
      if (event.type === 'connection') this.#heartbeats.connection(event.venue, event.state === 'connected');
  }

  #startHeartbeats(): () => void {
    const { clock, heartbeatMs = 1_000 } = this.#options;
    if (this.#entries.every(({ source }) => source.finite)) return () => {};
    let cancel: () => void = () => {};
    const beat = (): void => {
      this.#work.push({ heartbeats: true });
      this.#wake();
      cancel = clock.schedule(heartbeatMs, beat);
    };
    cancel = clock.schedule(heartbeatMs, beat);
    return () => cancel();
  }
}

function takeInto(state: SourceState, batch: SourceBatch): void {
  const { counters } = state;
  const trades = batch.trades?.length ?? 0;
  const quotes = batch.quotes?.length ?? 0;
  state.cursor = batch.cursor;
  counters.read += batch.rowsRead;
  counters.accepted.trades += trades;
  counters.accepted.quotes += quotes;
  counters.ignored += batch.rowsRead - trades - quotes - batch.rejections.length;
  for (const { reason } of batch.rejections) counters.rejected[reason] = (counters.rejected[reason] ?? 0) + 1;
  for (const event of batch.control) if (event.type === 'gap') counters.gaps++;
  for (const table of [batch.trades?.instruments, batch.quotes?.instruments]) {
    for (const instrument of table?.values ?? []) {
      const venue = instrument.slice(0, instrument.indexOf(':'));
      if (!state.venues.includes(venue)) state.venues.push(venue);
    }
  }
}
