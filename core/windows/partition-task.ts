/** One partition's loop: log in, engine, log out, in transactions (SPEC WN-14). */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '#shared/clock.ts';
import { decodeControl, isControl } from '#shared/control.ts';
import { decodeFrame } from '#shared/frame.ts';
import { LIMITS } from '#shared/limits.ts';
import { TOPICS } from '#shared/topics.ts';
import type { Log, LogRecord } from '../log/log.ts';
import type { Logger } from '../ops/logger.ts';
import type { TickHistory, WindowChanges } from './changes.ts';
import { createWindowEngine } from './engine.ts';
import type { LiveView } from './live-view.ts';
import { Outbox } from './outbox.ts';
import { decodePartitionState, encodePartitionState } from './partition-state.ts';
import { runRecompute } from './recompute-run.ts';
import type { EngineOptions } from './state.ts';
import type { WindowEngine } from './window-engine.ts';

export const WINDOWS_GROUP = 'windows';
export const WINDOWS_STORE = 'windows';

export interface TaskOptions {
  log: Log;
  partition: number;
  history: TickHistory;
  view: LiveView | undefined;
  clock: Clock;
  logger: Logger;
  commitIntervalMs: number;
  provisionalIntervalMs: number;
  durableProvisionalMs: number;
  snapshotIntervalMs: number;
  recomputeIntervalMs: number;
  readBytes: number;
  readRecords: number;
  engine: Partial<EngineOptions>;
}

type Topic = 'trades' | 'quotes';

export class PartitionTask {
  readonly #o: TaskOptions;
  readonly #id: string;
  engine: WindowEngine;
  /** Recomputes that failed. */
  failures = 0;
  readonly #next = { trades: 0, quotes: 0 };
  readonly #outbox = new Outbox();
  #committing: Promise<void> = Promise.resolve();
  #uncommitted = false;
  #lastCommitMs = 0;
  #lastProvisionalMs = 0;
  #lastDurableMs = 0;
  #lastSnapshotMs = 0;
  #recomputeAtMs = 0;
  #open = false;
  #snapshotOwed = false;
  #stopping = false;
  #dropped = false;
  #kick = new AbortController();
  #waiters: (() => void)[] = [];

  constructor(options: TaskOptions) {
    this.#o = options;
    this.#id = `windows-${options.partition}`;
    this.engine = createWindowEngine(options.engine);
  }

  stop(): void {
    this.#stopping = true;
    this.#kick.abort();
  }

  /** Ends without a commit: the partition may be another process's already. */
  drop(): void {
    this.#dropped = true;
    this.stop();
  }

  /** Resolves when everything the log holds now has been taken in and committed, open bars included. */
  caughtUp(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiters.push(resolve);
    this.#kick.abort();
    return promise;
  }

  async run(): Promise<void> {
    await this.#load();
    while (!this.#stopping) {
      const taken = (await this.#take('trades')) + (await this.#take('quotes'));
      if (taken > 0) {
        await this.#step();
        await nextTurn();
      } else if (this.#waiters.length > 0) await this.#answerWaiters();
      else {
        await this.#step();
        await this.#sleep();
      }
    }
    if (!this.#dropped) await this.#finishCommit(true, true);
    this.#resolveWaiters(this.#waiters);
  }

  async #load(): Promise<void> {
    const { log, partition } = this.#o;
    await log.fence(this.#id);
    const bytes = await log.getState(WINDOWS_STORE, String(partition));
    const state = bytes === undefined ? undefined : decodePartitionState(bytes);
    const committed = await log.committed(WINDOWS_GROUP, TOPICS.trades, partition);
    this.#next.quotes = await log.committed(WINDOWS_GROUP, TOPICS.quotes, partition);
    this.#next.trades = 0;
    if (state !== undefined) {
      this.engine.restore(state.engine);
      const from = this.engine.tailFrom;
      if (from !== undefined) {
        await this.#each(from, state.nextTrades, ({ offset, value }) => {
          const frame = isControl(value) ? undefined : decodeFrame(value);
          if (frame?.ok && frame.kind === 'trades') this.engine.replayTail(frame.trades, offset);
        });
      }
      this.#next.trades = state.nextTrades;
    }
    // What the last transaction had put out already comes into being once more, and is let go.
    await this.#each(this.#next.trades, committed, (record) => this.#applyTrades(record, true));
    this.#next.trades = Math.max(this.#next.trades, committed);
    this.engine.drain({ provisional: true });
    const bars = this.engine.openBars();
    const stats = this.engine.latestStats();
    for (const bar of bars) this.#o.view?.bar(bar);
    for (const entry of stats) this.#o.view?.stats(entry);
    // Open bars may not have been written since they last changed.
    this.#outbox.add({ bars: bars.filter((bar) => bar.state === 'provisional'), profiles: [], stats });
    this.#o.view?.status(partition, this.engine.watermarks());
    this.#lastSnapshotMs = this.#o.clock.nowMs();
    this.#o.logger.debug('windows restored', { partition, offset: this.#next.trades, bars: bars.length });
  }

  async #each(from: number, to: number, visit: (record: LogRecord) => void): Promise<void> {
    const { log, partition, readBytes, readRecords } = this.#o;
    for (let next = from; next < to;) {
      const records = await log.read(TOPICS.trades, partition, next, { maxBytes: readBytes, maxRecords: readRecords });
      if (records.length === 0) return;
      for (const record of records) if (record.offset < to) visit(record);
      next = (records.at(-1) as LogRecord).offset + 1;
      await nextTurn();
    }
  }

  async #take(topic: Topic): Promise<number> {
    const { log, partition, readBytes, readRecords } = this.#o;
    const records = await log.read(TOPICS[topic], partition, this.#next[topic], {
      maxBytes: readBytes,
      maxRecords: readRecords,
    });
    for (const record of records) {
      if (topic === 'trades') this.#applyTrades(record, false);
      else this.#applyQuotes(record);
      this.#next[topic] = record.offset + 1;
    }
    if (records.length > 0) {
      this.#uncommitted = true;
      this.#open = true;
    }
    return records.length;
  }

  #applyTrades(record: LogRecord, again: boolean): void {
    const { partition, view } = this.#o;
    const { offset, value } = record;
    if (isControl(value)) {
      const event = decodeControl(value);
      if (event === undefined) {
        if (!again) this.#refuse(TOPICS.trades, record, 'bad_control');
        return;
      }
      this.engine.onControl(event);
      view?.control(event, partition);
      return;
    }
    const frame = decodeFrame(value);
    if (!frame.ok || frame.kind !== 'trades') {
      if (!again) this.#refuse(TOPICS.trades, record, frame.ok ? 'unknown_kind' : frame.fault);
      return;
    }
    this.engine.onTrades(frame.trades, offset);
    if (!again) view?.trades(frame.trades, (row) => this.engine.isIgnored(offset, row));
  }

  #applyQuotes(record: LogRecord): void {
    if (isControl(record.value)) return;
    const frame = decodeFrame(record.value);
    if (!frame.ok || frame.kind !== 'quotes') {
      this.#refuse(TOPICS.quotes, record, frame.ok ? 'unknown_kind' : frame.fault);
      return;
    }
    this.engine.onQuotes(frame.quotes);
    this.#o.view?.quotes(frame.quotes);
  }

  /** SPEC TK-6: kept with its position and reason; the partition goes on. */
  #refuse(topic: string, { offset, value }: LogRecord, reason: string): void {
    const source = `${topic}:${this.#o.partition}`;
    const excerpt = Buffer.from(value.subarray(0, LIMITS.deadLetterChars / 2)).toString('hex');
    this.#o.logger.warn('record refused', { source, offset, reason });
    this.#outbox.letter({ source, line: offset, reason, excerpt });
  }

  /** Shows what changed and commits when it is time. */
  async #step(): Promise<void> {
    const { clock, provisionalIntervalMs, durableProvisionalMs, commitIntervalMs } = this.#o;
    const now = clock.nowMs();
    const provisional = this.#open && now - this.#lastProvisionalMs >= provisionalIntervalMs;
    const durable = now - this.#lastDurableMs >= durableProvisionalMs;
    this.#show(this.engine.drain({ provisional, openProfiles: durable }));
    if (provisional) {
      this.#lastProvisionalMs = now;
      this.#open = false;
      this.#o.view?.status(this.#o.partition, this.engine.watermarks());
    }
    const open = durable && this.#outbox.hasOpen;
    if ((this.#uncommitted || open) && now - this.#lastCommitMs >= commitIntervalMs) await this.#commit(open, false);
    const wanted = now >= this.#recomputeAtMs && this.engine.recomputeRequests().length > 0;
    if (wanted) await this.#recompute();
  }

  #show(changes: WindowChanges): void {
    const { view, partition } = this.#o;
    if (view !== undefined) {
      for (const bar of changes.bars) view.bar(bar);
      for (const stats of changes.stats) view.stats(stats);
    }
    for (const { offset, row, instrument, reason } of changes.refused) {
      this.#outbox.letter({
        source: `${TOPICS.trades}:${partition}`,
        line: offset,
        reason,
        excerpt: `row ${row} ${instrument}`,
      });
      this.#o.logger.warn('tick refused', { partition, offset, row, instrument, reason });
    }
    this.#outbox.add(changes);
  }

  /** Starts one transaction behind the one before; the bytes are its own. */
  async #commit(open: boolean, snapshot: boolean): Promise<void> {
    await this.#committing;
    const { log, partition, clock, snapshotIntervalMs } = this.#o;
    const now = clock.nowMs();
    const transaction = await log.transaction(this.#id);
    this.#outbox.write(transaction, partition, open);
    transaction.commitOffset(WINDOWS_GROUP, TOPICS.trades, partition, this.#next.trades);
    transaction.commitOffset(WINDOWS_GROUP, TOPICS.quotes, partition, this.#next.quotes);
    if (snapshot || this.#snapshotOwed || now - this.#lastSnapshotMs >= snapshotIntervalMs) {
      const bytes = encodePartitionState({ nextTrades: this.#next.trades, engine: this.engine.snapshot() });
      transaction.putState(WINDOWS_STORE, String(partition), bytes);
      this.#lastSnapshotMs = now;
      this.#snapshotOwed = false;
    }
    this.#uncommitted = false;
    this.#lastCommitMs = now;
    if (open) this.#lastDurableMs = now;
    this.#committing = transaction.commit();
    // Its failure is met by whoever waits for it next.
    this.#committing.catch(() => {});
  }

  async #finishCommit(open: boolean, snapshot: boolean): Promise<void> {
    this.#show(this.engine.drain({ provisional: open }));
    await this.#commit(open, snapshot);
    await this.#committing;
  }

  /** Everything the engine asks for. What fails is tried again later; the bars stay as they are until then. */
  async #recompute(): Promise<boolean> {
    const { clock, history, logger, partition, recomputeIntervalMs } = this.#o;
    await this.#finishCommit(false, false);
    let done = true;
    for (const { instrument } of this.engine.recomputeRequests()) {
      try {
        const { bars, profiles } = await runRecompute(this.engine, history, instrument);
        this.#show({ bars, profiles, stats: [], refused: [] });
        this.#snapshotOwed = true;
        this.#uncommitted = true;
      } catch (error) {
        done = false;
        this.failures++;
        logger.warn('recompute failed, will be tried again', { partition, instrument, error: String(error) });
      }
    }
    this.#show(this.engine.drain({ provisional: false }));
    this.#recomputeAtMs = clock.nowMs() + recomputeIntervalMs * (done ? 1 : 5);
    return done;
  }

  async #answerWaiters(): Promise<void> {
    const waiters = this.#waiters;
    this.#waiters = [];
    if (this.engine.recomputeRequests().length > 0) await this.#recompute();
    await this.#finishCommit(true, true);
    this.#resolveWaiters(waiters);
  }

  #resolveWaiters(waiters: readonly (() => void)[]): void {
    for (const resolve of waiters) resolve();
  }

  /** Until the log has more, something is due, or somebody asks. */
  async #sleep(): Promise<void> {
    if (this.#stopping || this.#waiters.length > 0) return;
    const { log, partition, clock } = this.#o;
    this.#kick = new AbortController();
    const { signal } = this.#kick;
    const dueMs = this.#dueMs();
    const stopTimer =
      dueMs === undefined ? undefined : clock.schedule(Math.max(0, dueMs - clock.nowMs()), () => this.#kick.abort());
    await Promise.race([
      log.wait(TOPICS.trades, partition, this.#next.trades, signal),
      log.wait(TOPICS.quotes, partition, this.#next.quotes, signal),
      this.#committing.then(() => log.wait(TOPICS.trades, partition, this.#next.trades, signal)),
    ]);
    this.#kick.abort();
    stopTimer?.();
  }

  /** When the next thing is to be done without new records; undefined: nothing is. */
  #dueMs(): number | undefined {
    const { commitIntervalMs, provisionalIntervalMs, durableProvisionalMs } = this.#o;
    const times: number[] = [];
    if (this.#open) times.push(this.#lastProvisionalMs + provisionalIntervalMs);
    if (this.#uncommitted) times.push(this.#lastCommitMs + commitIntervalMs);
    if (this.#outbox.hasOpen) times.push(this.#lastDurableMs + durableProvisionalMs);
    if (this.engine.recomputeRequests().length > 0) times.push(this.#recomputeAtMs);
    return times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b));
  }
}
