/**
 * The embedded log: one SQLite file, written by one process (SPEC LG-1..LG-8).
 *
 * Transactions that wait in the same turn of the event loop share one BEGIN IMMEDIATE … COMMIT, that is one fsync. SQLite in WAL
 * mode with synchronous=FULL makes a commit survive `kill -9` and power loss. Offsets are given inside that commit, so an aborted
 * or failed transaction leaves no gap.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Clock } from '#shared/clock.ts';
import { silentLogger, type Logger } from '../ops/logger.ts';
import { AppendWaiters } from './append-waiters.ts';
import { IdLocks } from './id-locks.ts';
import type { Log, LogRecord, LogTransaction, ReadOptions, TopicSpec } from './log.ts';
import { LogError } from './log-error.ts';
import { MAX_PARTITION_ID, OFFSET_SPAN, prepareLogFile } from './sqlite-schema.ts';

export interface SqliteLogOptions {
  /** The file; its folder must exist. */
  path: string;
  clock: Clock;
  logger?: Logger;
}

/** Opens or creates the log. Rejects with a LogError when the file is in use, is none of ours, or is from a newer version. */
export async function openSqliteLog(options: SqliteLogOptions): Promise<Log> {
  return new SqliteLog(options);
}

interface PartitionState {
  id: number;
  start: number;
  end: number;
}

interface Append {
  partition: PartitionState;
  appendedMs: number;
  key: string;
  value: Uint8Array;
}

interface Unit {
  appends: Append[];
  offsets: { group: string; topic: string; partition: number; next: number }[];
  states: { store: string; key: string; value: Uint8Array | undefined }[];
  resolve: () => void;
  reject: (error: unknown) => void;
}

const TRUNCATE_SLICE = 2_000;

class SqliteLog implements Log {
  readonly #db: DatabaseSync;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #topics = new Map<string, PartitionState[]>();
  readonly #locks = new IdLocks();
  readonly #waiters = new AppendWaiters();
  readonly #statements: Statements;
  #queue: Unit[] = [];
  #flush: NodeJS.Immediate | undefined;
  #closed = false;

  constructor({ path, clock, logger = silentLogger }: SqliteLogOptions) {
    this.#clock = clock;
    this.#logger = logger.child({ part: 'log' });
    this.#db = new DatabaseSync(path, { timeout: 0 });
    try {
      prepareLogFile(this.#db, path);
      this.#statements = prepareStatements(this.#db);
      this.#load();
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  #load(): void {
    this.#topics.clear();
    const last = this.#db.prepare('SELECT max(id) AS id FROM records WHERE id >= ? AND id < ?');
    for (const row of this.#db
      .prepare('SELECT id, topic, start_offset FROM partitions ORDER BY topic, partition')
      .all()) {
      const id = row['id'] as number;
      const start = row['start_offset'] as number;
      const base = id * OFFSET_SPAN;
      const lastId = last.get(base, base + OFFSET_SPAN)?.['id'] as number | null;
      const topic = row['topic'] as string;
      const partitions = this.#topics.get(topic) ?? [];
      this.#topics.set(topic, partitions);
      partitions.push({ id, start, end: Math.max(start, lastId === null ? 0 : lastId - base + 1) });
    }
  }

  #partition(topic: string, partition: number): PartitionState {
    if (this.#closed) throw new LogError('closed', 'The log is closed.');
    const state = this.#topics.get(topic)?.[partition];
    if (state === undefined)
      throw new LogError('unknown_partition', `The log has no partition ${partition} of topic "${topic}".`);
    return state;
  }

  async ensureTopics(topics: readonly TopicSpec[]): Promise<void> {
    for (const { name, partitions } of topics) {
      const existing = this.#topics.get(name);
      if (existing !== undefined && existing.length !== partitions) {
        throw new LogError(
          'partition_count',
          `Topic "${name}" has ${existing.length} partitions and cannot be opened with ${partitions}: instruments would change their partition. Set the number of partitions to ${existing.length}, or start with an empty data directory.`,
        );
      }
    }
    const missing = topics.filter(({ name }) => !this.#topics.has(name));
    if (missing.length === 0) return;
    this.#atomically(() => {
      let id = [...this.#topics.values()].reduce((sum, list) => sum + list.length, 0);
      const addTopic = this.#db.prepare('INSERT INTO topics (name, partitions) VALUES (?, ?)');
      const addPartition = this.#db.prepare('INSERT INTO partitions (id, topic, partition) VALUES (?, ?, ?)');
      for (const { name, partitions } of missing) {
        addTopic.run(name, partitions);
        for (let partition = 0; partition < partitions; partition++) {
          if (++id > MAX_PARTITION_ID)
            throw new LogError('partition_count', `The embedded log holds at most ${MAX_PARTITION_ID} partitions.`);
          addPartition.run(id, name, partition);
        }
      }
    });
    this.#load();
  }

  topics(): Promise<TopicSpec[]> {
    return Promise.resolve([...this.#topics].map(([name, partitions]) => ({ name, partitions: partitions.length })));
  }

  /** One process holds the file: there is nobody to fence. */
  async fence(): Promise<void> {}

  async transaction(transactionalId: string): Promise<LogTransaction> {
    const release = await this.#locks.acquire(transactionalId);
    const unit: Omit<Unit, 'resolve' | 'reject'> = { appends: [], offsets: [], states: [] };
    let open = true;
    const check = (): void => {
      if (!open) throw new Error('The transaction has been committed or aborted.');
    };
    return {
      append: (topic, partition, value, key = '') => {
        check();
        unit.appends.push({
          partition: this.#partition(topic, partition),
          appendedMs: this.#clock.nowMs(),
          key,
          value,
        });
      },
      commitOffset: (group, topic, partition, next) => {
        check();
        this.#partition(topic, partition);
        unit.offsets.push({ group, topic, partition, next });
      },
      putState: (store, key, value) => {
        check();
        unit.states.push({ store, key, value });
      },
      commit: async () => {
        check();
        open = false;
        try {
          await this.#commit(unit);
        } finally {
          release();
        }
      },
      abort: () => {
        if (!open) return;
        open = false;
        release();
      },
    };
  }

  #commit(unit: Omit<Unit, 'resolve' | 'reject'>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new LogError('closed', 'The log is closed.'));
        return;
      }
      this.#queue.push({ ...unit, resolve, reject });
      this.#flush ??= setImmediate(() => this.#writeQueue());
    });
  }

  /** Writes every waiting transaction in one SQLite transaction: one fsync for all of them. */
  #writeQueue(): void {
    const units = this.#queue;
    this.#queue = [];
    this.#flush = undefined;
    const ends = new Map<PartitionState, number>();
    try {
      this.#atomically(() => {
        for (const unit of units) this.#writeUnit(unit, ends);
      });
    } catch (error) {
      this.#logger.error('commit failed', { transactions: units.length, error: String(error) });
      for (const unit of units) unit.reject(error);
      return;
    }
    for (const [partition, end] of ends) partition.end = end;
    for (const unit of units) unit.resolve();
    for (const [partition, end] of ends) this.#waiters.notify(partition.id, end);
  }

  #writeUnit(unit: Unit, ends: Map<PartitionState, number>): void {
    for (const { partition, appendedMs, key, value } of unit.appends) {
      const offset = ends.get(partition) ?? partition.end;
      this.#statements.append.run(partition.id * OFFSET_SPAN + offset, appendedMs, key, value);
      ends.set(partition, offset + 1);
    }
    for (const { group, topic, partition, next } of unit.offsets)
      this.#statements.commitOffset.run(group, topic, partition, next);
    for (const { store, key, value } of unit.states) {
      if (value === undefined) this.#statements.removeState.run(store, key);
      else this.#statements.putState.run(store, key, value);
    }
  }

  async read(topic: string, partition: number, fromOffset: number, options: ReadOptions): Promise<LogRecord[]> {
    const state = this.#partition(topic, partition);
    const from = Math.max(fromOffset, state.start);
    const records: LogRecord[] = [];
    if (from >= state.end || options.maxRecords < 1) return records;
    const base = state.id * OFFSET_SPAN;
    let bytes = 0;
    for (const row of this.#statements.read.iterate(base + from, base + state.end, options.maxRecords)) {
      const value = row['value'] as Uint8Array;
      bytes += value.length;
      if (bytes > options.maxBytes && records.length > 0) break;
      records.push({
        offset: (row['id'] as number) - base,
        timestampMs: row['appended_ms'] as number,
        key: row['key'] as string,
        value,
      });
      if (bytes >= options.maxBytes) break;
    }
    return records;
  }

  async bounds(topic: string, partition: number): Promise<{ start: number; end: number }> {
    const { start, end } = this.#partition(topic, partition);
    return { start, end };
  }

  async committed(group: string, topic: string, partition: number): Promise<number> {
    this.#partition(topic, partition);
    return (this.#statements.committed.get(group, topic, partition)?.['next_offset'] as number | undefined) ?? 0;
  }

  async getState(store: string, key: string): Promise<Uint8Array | undefined> {
    return this.#statements.getState.get(store, key)?.['value'] as Uint8Array | undefined;
  }

  async listState(store: string): Promise<{ key: string; value: Uint8Array }[]> {
    const rows = this.#statements.listState.all(store);
    return rows.map((row) => ({ key: row['key'] as string, value: row['value'] as Uint8Array }));
  }

  wait(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void> {
    const state = this.#topics.get(topic)?.[partition];
    if (this.#closed || state === undefined || offset < state.end) return Promise.resolve();
    return this.#waiters.wait(state.id, offset, signal);
  }

  async truncate(topic: string, partition: number, beforeOffset: number): Promise<void> {
    const state = this.#partition(topic, partition);
    const start = Math.min(beforeOffset, state.end);
    if (start <= state.start) return;
    this.#atomically(() => this.#statements.setStart.run(start, state.id));
    state.start = start;
    const base = state.id * OFFSET_SPAN;
    for (;;) {
      if (this.#closed) return;
      const { changes } = this.#statements.drop.run(base, base + start, TRUNCATE_SLICE);
      if (Number(changes) < TRUNCATE_SLICE) return;
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    if (this.#flush !== undefined) {
      clearImmediate(this.#flush);
      this.#writeQueue();
    }
    this.#closed = true;
    this.#waiters.wakeAll();
    this.#db.close();
  }

  #atomically(write: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      write();
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}

interface Statements {
  append: StatementSync;
  commitOffset: StatementSync;
  putState: StatementSync;
  removeState: StatementSync;
  read: StatementSync;
  committed: StatementSync;
  getState: StatementSync;
  listState: StatementSync;
  setStart: StatementSync;
  drop: StatementSync;
}

function prepareStatements(db: DatabaseSync): Statements {
  return {
    append: db.prepare('INSERT INTO records (id, appended_ms, key, value) VALUES (?, ?, ?, ?)'),
    commitOffset: db.prepare(
      'INSERT INTO group_offsets VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET next_offset = excluded.next_offset',
    ),
    putState: db.prepare('INSERT INTO states VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value'),
    removeState: db.prepare('DELETE FROM states WHERE store = ? AND key = ?'),
    read: db.prepare('SELECT id, appended_ms, key, value FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?'),
    committed: db.prepare('SELECT next_offset FROM group_offsets WHERE group_name = ? AND topic = ? AND partition = ?'),
    getState: db.prepare('SELECT value FROM states WHERE store = ? AND key = ?'),
    listState: db.prepare('SELECT key, value FROM states WHERE store = ? ORDER BY key'),
    setStart: db.prepare('UPDATE partitions SET start_offset = ? WHERE id = ?'),
    drop: db.prepare(
      'DELETE FROM records WHERE id IN (SELECT id FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?)',
    ),
  };
}
