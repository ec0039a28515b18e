/**
 * Stores in a compacted topic: the record with the key `store NUL key` that was committed last is the state.
 *
 * Read to the high watermark, with transactions put together here, and not as a reader of committed records: such a reader stops at
 * the oldest open transaction of the partition, whoever's it is, so a process that stands still would hide what others committed
 * behind it. A record counts when the commit marker of its producer comes; compaction keeps a marker as long as a record that needs it.
 */
import type { Calls } from './calls.ts';
import { fetchOne, startOffset } from './offsets.ts';
import { OFFSET_OUT_OF_RANGE } from './fetch.ts';
import type { Lanes } from './internals.ts';
import { recordBatches, type StoredRecord } from './record-batches.ts';

const FETCH_BYTES = 8 * 1_048_576;
const utf8 = new TextDecoder();

export function stateKey(store: string, key: string): Buffer {
  return Buffer.from(`${store}\0${key}`);
}

export class StateReader {
  readonly #calls: Calls;
  readonly #lanes: Lanes;
  readonly #topic: string;
  readonly #partition: number;
  readonly #prefix: string;
  readonly #values = new Map<string, Uint8Array>();
  readonly #open = new Map<number, StoredRecord[]>();
  #nextOffset = 0;
  #tail: Promise<void> = Promise.resolve();

  constructor(calls: Calls, lanes: Lanes, topic: string, partition: number, store: string) {
    this.#calls = calls;
    this.#lanes = lanes;
    this.#topic = topic;
    this.#partition = partition;
    this.#prefix = `${store}\0`;
  }

  /** The store as committed when this was called, or later. The map is ours: not to be changed. */
  async current(): Promise<ReadonlyMap<string, Uint8Array>> {
    const turn = this.#tail.catch(() => undefined).then(() => this.#catchUp());
    this.#tail = turn;
    await turn;
    return this.#values;
  }

  async #catchUp(): Promise<void> {
    let end: number | undefined;
    while (end === undefined || this.#nextOffset < end) {
      const answer = await fetchOne(this.#calls, this.#lanes, {
        topic: this.#topic,
        partition: this.#partition,
        fromOffset: this.#nextOffset,
        maxBytes: FETCH_BYTES,
        uncommitted: true,
      });
      if (answer.errorCode === OFFSET_OUT_OF_RANGE) {
        // The topic was made anew, or its beginning is gone: nothing that we hold can be trusted.
        this.#values.clear();
        this.#open.clear();
        this.#nextOffset = await startOffset(this.#calls, this.#lanes, this.#topic, this.#partition);
        continue;
      }
      end ??= answer.highWatermark;
      const before = this.#nextOffset;
      for (const batch of recordBatches(answer.recordSet)) {
        if (batch.lastOffset < this.#nextOffset) continue;
        this.#nextOffset = batch.lastOffset + 1;
        if (batch.control) this.#close(batch.producerId, batch.marker);
        else if (batch.transactional) this.#gather(batch.producerId, batch.records());
        else for (const record of batch.records()) this.#apply(copied(record));
      }
      // The rest up to the watermark was compacted away.
      if (this.#nextOffset === before) this.#nextOffset = Math.max(before, end);
    }
  }

  #gather(producerId: number, records: readonly StoredRecord[]): void {
    const ours = records.filter((record) => this.#keyOf(record) !== undefined).map(copied);
    if (ours.length === 0) return;
    const open = this.#open.get(producerId);
    if (open === undefined) this.#open.set(producerId, ours);
    else open.push(...ours);
  }

  #close(producerId: number, marker: 'commit' | 'abort' | undefined): void {
    if (marker === 'commit') for (const record of this.#open.get(producerId) ?? []) this.#apply(record);
    this.#open.delete(producerId);
  }

  #apply(record: StoredRecord): void {
    const key = this.#keyOf(record);
    if (key === undefined) return;
    if (record.value === null) this.#values.delete(key);
    else this.#values.set(key, record.value);
  }

  #keyOf(record: StoredRecord): string | undefined {
    if (record.key === null) return undefined;
    const key = utf8.decode(record.key);
    return key.startsWith(this.#prefix) ? key.slice(this.#prefix.length) : undefined;
  }
}

/** A small value must not keep a whole fetch in memory. */
function copied(record: StoredRecord): StoredRecord {
  return { ...record, key: record.key?.slice() ?? null, value: record.value?.slice() ?? null };
}
