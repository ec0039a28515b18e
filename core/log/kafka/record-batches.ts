/**
 * Record batches of a Kafka partition, format v2, as a fetch returns them.
 * https://kafka.apache.org/documentation/#recordbatch, KIP-98 for transactions and control records.
 *
 * kafkajs's own decoder is not used: it loses the offsets of batches that compaction emptied, takes aborted transactions in an order
 * that is not theirs, and takes any record whose key is four zero bytes for an abort marker.
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { LogError } from '../log-error.ts';

/** Most bytes that one batch may have when unpacked. */
const UNPACKED_BYTES = 128 * 1_048_576;
const HEADER_BYTES = 61;
const NO_BYTES = new Uint8Array(0);

export interface StoredRecord {
  offset: number;
  timestampMs: number;
  key: Uint8Array | null;
  value: Uint8Array | null;
}

export interface RecordBatch {
  baseOffset: number;
  /** Offset of the last record that the batch was written with; compaction may have taken it out. */
  lastOffset: number;
  producerId: number;
  transactional: boolean;
  /** What a control batch says of its producer's transaction. */
  marker: 'commit' | 'abort' | undefined;
  control: boolean;
  records: () => StoredRecord[];
}

export interface AbortedTransaction {
  producerId: number;
  firstOffset: number;
}

/** Batches of a fetched record set, in order; a batch that is cut off at the end is left out. Throws LogError `corrupt`. */
export function* recordBatches(bytes: Buffer): Generator<RecordBatch> {
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length) {
    const length = bytes.readInt32BE(at + 8);
    const end = at + 12 + length;
    if (length < HEADER_BYTES - 12) throw corrupt(`a batch says that it has ${length} bytes`);
    if (end > bytes.length) return;
    if (bytes[at + 16] !== 2) throw corrupt(`record format ${bytes[at + 16]} is not served`);
    yield batch(bytes.subarray(at, end));
    at = end;
  }
}

function batch(bytes: Buffer): RecordBatch {
  const baseOffset = int64(bytes, 0);
  const attributes = bytes.readInt16BE(21);
  const control = (attributes & 0x20) !== 0;
  const base = {
    baseOffset,
    lastOffset: baseOffset + bytes.readInt32BE(23),
    producerId: int64(bytes, 43),
    transactional: (attributes & 0x10) !== 0,
    control,
  };
  const records = (): StoredRecord[] => decodeRecords(bytes, baseOffset, attributes);
  return { ...base, marker: control ? marker(records()) : undefined, records };
}

function marker(records: readonly StoredRecord[]): 'commit' | 'abort' | undefined {
  const key = records[0]?.key;
  if (key === null || key === undefined || key.length < 4) return undefined;
  const type = ((key[2] as number) << 8) | (key[3] as number);
  return type === 0 ? 'abort' : type === 1 ? 'commit' : undefined;
}

function decodeRecords(bytes: Buffer, baseOffset: number, attributes: number): StoredRecord[] {
  const count = bytes.readInt32BE(57);
  const body = unpack(attributes & 0x07, bytes.subarray(HEADER_BYTES));
  const firstTimestampMs = int64(bytes, 27);
  const appendTimeMs = (attributes & 0x08) === 0 ? undefined : int64(bytes, 35);
  if (count < 0 || count > body.length) throw corrupt(`a batch of ${body.length} bytes says it has ${count} records`);
  const records: StoredRecord[] = [];
  const reader = new VarintReader(body);
  for (let i = 0; i < count; i++) {
    const length = reader.varint();
    const end = reader.at + length;
    reader.at++;
    const timestampMs = firstTimestampMs + reader.varint();
    const offset = baseOffset + reader.varint();
    const key = reader.bytes(reader.varint());
    const value = reader.bytes(reader.varint());
    if (length < 0 || end < reader.at || end > body.length) throw corrupt('a record does not fit its length');
    reader.at = end;
    records.push({ offset, timestampMs: appendTimeMs ?? timestampMs, key, value });
  }
  return records;
}

function unpack(codec: number, bytes: Buffer): Buffer {
  try {
    if (codec === 0) return bytes;
    if (codec === 1) return gunzipSync(bytes, { maxOutputLength: UNPACKED_BYTES });
    if (codec === 4) return zstdDecompressSync(bytes, { maxOutputLength: UNPACKED_BYTES });
  } catch (error) {
    throw corrupt('a batch does not unpack', error);
  }
  throw corrupt(`codec ${codec} (snappy or lz4) is not served; write with none, gzip or zstd`);
}

function int64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);
}

function corrupt(what: string, cause?: unknown): LogError {
  return new LogError('corrupt', `The broker returned records that cannot be read: ${what}.`, cause);
}

class VarintReader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Zigzag varint of up to 53 bits. */
  varint(): number {
    let low = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined) throw corrupt('a record ends too early');
      low += (byte & 0x7f) * scale;
      if (byte < 0x80) return low % 2 === 0 ? low / 2 : -(low + 1) / 2;
      scale *= 128;
    }
    throw corrupt('a number has too many bytes');
  }

  bytes(length: number): Uint8Array | null {
    if (length < 0) return null;
    const end = this.at + length;
    if (end > this.#bytes.length) throw corrupt('a record ends too early');
    const view = length === 0 ? NO_BYTES : new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.at, length);
    this.at = end;
    return view;
  }
}

export interface VisibleRecords {
  records: StoredRecord[];
  /** Where to read on; behind markers, aborted records and emptied batches. */
  nextOffset: number;
}

/**
 * What a reader of committed records may see of a fetch from `fromOffset` on: no control records, nothing aborted. `aborted` is the
 * broker's list for this range, in any order.
 */
export function visibleRecords(
  bytes: Buffer,
  fromOffset: number,
  aborted: readonly AbortedTransaction[],
): VisibleRecords {
  const upcoming = [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const aborting = new Set<number>();
  const records: StoredRecord[] = [];
  let nextOffset = fromOffset;
  let next = 0;
  for (const current of recordBatches(bytes)) {
    for (; next < upcoming.length; next++) {
      const transaction = upcoming[next] as AbortedTransaction;
      if (transaction.firstOffset > current.lastOffset) break;
      aborting.add(transaction.producerId);
    }
    nextOffset = Math.max(nextOffset, current.lastOffset + 1);
    if (current.marker === 'abort') aborting.delete(current.producerId);
    if (current.control || (current.transactional && aborting.has(current.producerId))) continue;
    for (const record of current.records()) if (record.offset >= fromOffset) records.push(record);
  }
  return { records, nextOffset };
}
