/** Committed records of one partition by offset. What a fetch brought beyond what was asked for is kept for the next read. */
import type { LogRecord, ReadOptions } from '../log.ts';
import type { Calls } from './calls.ts';
import { OFFSET_OUT_OF_RANGE, type FetchedPartition } from './fetch.ts';
import type { Lanes } from './internals.ts';
import { fetchOne, stableOffset, startOffset } from './offsets.ts';
import { visibleRecords, type StoredRecord } from './record-batches.ts';

const LEAST_FETCH_BYTES = 65_536;
const MOST_FETCH_BYTES = 8 * 1_048_576;
const FIRST_LOOK_BACK = 16;
const NO_BYTES = new Uint8Array(0);
const utf8 = new TextDecoder();

/** Records at hand: all that there are from one offset up to another. */
interface Kept {
  fromOffset: number;
  nextOffset: number;
  records: StoredRecord[];
}

export class PartitionReader {
  readonly #calls: Calls;
  readonly #lanes: Lanes;
  readonly #topic: string;
  readonly #partition: number;
  #kept: Kept | undefined;
  /** End behind the last record, as of a last stable offset. */
  #end: { stableOffset: number; end: number } = { stableOffset: 0, end: 0 };

  constructor(calls: Calls, lanes: Lanes, topic: string, partition: number) {
    this.#calls = calls;
    this.#lanes = lanes;
    this.#topic = topic;
    this.#partition = partition;
  }

  keep({ fromOffset, nextOffset, records }: Kept): void {
    this.#kept = { fromOffset, nextOffset, records };
  }

  /** Whether a record at or behind the offset is at hand. */
  holds(offset: number): boolean {
    const kept = this.#kept;
    return kept !== undefined && offset >= kept.fromOffset && (kept.records.at(-1)?.offset ?? -1) >= offset;
  }

  async read(fromOffset: number, options: ReadOptions): Promise<LogRecord[]> {
    if (options.maxRecords < 1) return [];
    if (!this.holds(fromOffset)) {
      const found = await this.#next(fromOffset, Math.min(MOST_FETCH_BYTES, options.maxBytes + LEAST_FETCH_BYTES));
      if (found === undefined) return [];
      this.#kept = found;
      return this.#take(found, found.fromOffset, options);
    }
    return this.#take(this.#kept as Kept, fromOffset, options);
  }

  #take(kept: Kept, fromOffset: number, options: ReadOptions): LogRecord[] {
    const taken: LogRecord[] = [];
    let bytes = 0;
    let at = kept.records.findIndex(({ offset }) => offset >= fromOffset);
    if (at < 0) at = kept.records.length;
    for (; at < kept.records.length && taken.length < options.maxRecords; at++) {
      const record = kept.records[at] as StoredRecord;
      bytes += record.value?.length ?? 0;
      if (bytes > options.maxBytes && taken.length > 0) break;
      taken.push(logRecord(record));
    }
    const rest = kept.records.slice(at);
    this.#kept =
      rest.length === 0
        ? undefined
        : { fromOffset: (taken.at(-1)?.offset ?? fromOffset - 1) + 1, nextOffset: kept.nextOffset, records: rest };
    return taken;
  }

  /** The first records at or behind the offset; undefined when there are none up to the last stable offset. */
  async #next(fromOffset: number, maxBytes: number): Promise<Kept | undefined> {
    let from = Math.max(0, fromOffset);
    for (;;) {
      const answer = await this.#fetch(from, maxBytes);
      if (answer.errorCode === OFFSET_OUT_OF_RANGE) {
        const start = await startOffset(this.#calls, this.#lanes, this.#topic, this.#partition);
        if (from >= start) return undefined;
        from = start;
        continue;
      }
      const { records, nextOffset } = visibleRecords(answer.recordSet, from, answer.aborted);
      if (records.length > 0) return { fromOffset: from, nextOffset, records };
      if (nextOffset === from) return undefined;
      from = nextOffset;
    }
  }

  async bounds(): Promise<{ start: number; end: number }> {
    const at = [this.#calls, this.#lanes, this.#topic, this.#partition] as const;
    const [start, stable] = await Promise.all([startOffset(...at), stableOffset(...at)]);
    if (stable !== this.#end.stableOffset) {
      const end = (await this.#lastRecordBefore(stable, Math.max(start, this.#end.end))) + 1;
      if (stable > this.#end.stableOffset) this.#end = { stableOffset: stable, end: Math.max(end, this.#end.end) };
    }
    return { start, end: Math.max(start, this.#end.end) };
  }

  /** Offset of the last record in [floor, stable); -1 when there is none. Looks back in growing steps. */
  async #lastRecordBefore(stable: number, floor: number): Promise<number> {
    for (let back = FIRST_LOOK_BACK; ; back *= 16) {
      const lookFrom = Math.max(floor, stable - back);
      let last = -1;
      for (let from = lookFrom; from < stable;) {
        const answer = await this.#fetch(from, MOST_FETCH_BYTES);
        if (answer.errorCode !== 0) break;
        const { records, nextOffset } = visibleRecords(answer.recordSet, from, answer.aborted);
        for (const { offset } of records) if (offset < stable) last = offset;
        if (nextOffset === from) break;
        from = nextOffset;
      }
      if (last >= 0 || lookFrom === floor) return last;
    }
  }

  async truncate(beforeOffset: number): Promise<void> {
    const { start, end } = await this.bounds();
    const offset = Math.min(beforeOffset, end);
    if (offset <= start) return;
    this.#kept = undefined;
    const topics = [{ topic: this.#topic, partitions: [{ partition: this.#partition, offset: String(offset) }] }];
    await this.#calls.leader(this.#lanes, this.#topic, this.#partition, (broker) => broker.deleteRecords({ topics }));
  }

  #fetch(fromOffset: number, maxBytes: number): Promise<FetchedPartition> {
    return fetchOne(this.#calls, this.#lanes, { topic: this.#topic, partition: this.#partition, fromOffset, maxBytes });
  }
}

function logRecord({ offset, timestampMs, key, value }: StoredRecord): LogRecord {
  return { offset, timestampMs, key: key === null ? '' : utf8.decode(key), value: value ?? NO_BYTES };
}
