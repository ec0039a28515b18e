/**
 * The log port: an ordered, durable, partitioned record of everything that happened (SPEC LG-1..LG-8).
 *
 * Adapters promise:
 * - Offsets of a partition rise in append order. Embedded they are 0, 1, 2, …; on Kafka, transaction markers and aborted records take
 *   offsets too, so the next record may have a higher one than the last record's plus one: read on from `last.offset + 1`.
 * - A commit is all or nothing: records, group offsets and state entries of one transaction appear together, or not at all,
 *   whatever dies when. When `commit` resolves it survives `kill -9` and power loss.
 * - One writer per transactional id: a second `transaction` with the same id waits for the first.
 */

export interface TopicSpec {
  name: string;
  partitions: number;
  /** The rest is for logs that run on a cluster; the embedded log takes what it is told by `truncate`. */
  replicas?: number;
  retentionMs?: number;
  /** Only the newest record of each key is kept. */
  compacted?: boolean;
  maxRecordBytes?: number;
}

export interface LogRecord {
  offset: number;
  /** When the record was appended, ms since 1970 UTC, by the log's clock. */
  timestampMs: number;
  key: string;
  value: Uint8Array;
}

export interface ReadOptions {
  maxRecords: number;
  maxBytes: number;
}

export interface LogTransaction {
  /** The bytes must stay as they are until the commit has resolved. */
  append(topic: string, partition: number, value: Uint8Array, key?: string): void;
  /** Sets the next offset that `group` will read. */
  commitOffset(group: string, topic: string, partition: number, nextOffset: number): void;
  /** Keeps `value` as the latest one of `key`; undefined removes it. */
  putState(store: string, key: string, value: Uint8Array | undefined): void;
  /** Everything, or nothing when it rejects. The transaction cannot be used afterwards. */
  commit(): Promise<void>;
  abort(): void;
}

export interface Log {
  /** Creates what is missing. Rejects when a topic exists with another number of partitions. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>;
  topics(): Promise<TopicSpec[]>;
  /**
   * Takes the id for this process: a writer elsewhere that still holds it is fenced, and its open transaction is aborted, when this
   * resolves. Whoever takes a partition over calls it before `committed` and `getState`, or reads what is about to be overtaken.
   */
  fence(transactionalId: string): Promise<void>;
  /** Rejects with a LogError `fenced` when another process took the id: give the partition up, and `fence` to take it again. */
  transaction(transactionalId: string): Promise<LogTransaction>;
  /** Records from `fromOffset` on, at most as many as the options say, at least one where there is one. Empty at the end. */
  read(topic: string, partition: number, fromOffset: number, options: ReadOptions): Promise<LogRecord[]>;
  /** First offset that is still kept, and the offset behind the last record. */
  bounds(topic: string, partition: number): Promise<{ start: number; end: number }>;
  /** Next offset that `group` will read; 0 when it never committed. */
  committed(group: string, topic: string, partition: number): Promise<number>;
  getState(store: string, key: string): Promise<Uint8Array | undefined>;
  listState(store: string): Promise<{ key: string; value: Uint8Array }[]>;
  /** Resolves when the partition holds a record at or after `offset`, or when `signal` aborts. Never rejects for the latter. */
  wait(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void>;
  /** Drops records older than the retention; offsets are not used again. */
  truncate(topic: string, partition: number, beforeOffset: number): Promise<void>;
  close(): Promise<void>;
}
