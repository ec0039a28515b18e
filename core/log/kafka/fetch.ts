/** Fetch, version 11 (https://kafka.apache.org/protocol#The_Messages_Fetch): the bytes of the record sets are kept as they came. */
import type { RawRequest, Throttled } from './broker-api.ts';
import type { AbortedTransaction } from './record-batches.ts';

export interface FetchPartition {
  topic: string;
  partition: number;
  fromOffset: number;
  maxBytes: number;
}

export interface FetchOptions {
  partitions: readonly FetchPartition[];
  /** Whether records of open and aborted transactions come too. */
  uncommitted?: boolean;
  /** How long the broker may keep the answer back while there is nothing, ms. */
  maxWaitMs: number;
  maxBytes: number;
}

export interface FetchedPartition {
  topic: string;
  partition: number;
  /** Kafka's error code; 0: none, 1: offset out of range. */
  errorCode: number;
  highWatermark: number;
  lastStableOffset: number;
  startOffset: number;
  aborted: AbortedTransaction[];
  recordSet: Buffer;
}

export interface Fetched extends Throttled {
  partitions: FetchedPartition[];
}

export const OFFSET_OUT_OF_RANGE = 1;
const API_KEY = 1;
const VERSION = 11;

export function fetchRequest(options: FetchOptions): RawRequest<Fetched> {
  return {
    request: {
      apiKey: API_KEY,
      apiVersion: VERSION,
      apiName: 'Fetch',
      encode: () => {
        const buffer = encodeFetch(options);
        return Promise.resolve({ buf: buffer, buffer });
      },
    },
    response: {
      decode: (payload) => Promise.resolve(decodeFetch(payload)),
      parse: (fetched) => Promise.resolve(fetched),
    },
    requestTimeout: options.maxWaitMs + 15_000,
  };
}

export function encodeFetch(options: FetchOptions): Buffer {
  const topics = new Map<string, FetchPartition[]>();
  for (const wanted of options.partitions) {
    const known = topics.get(wanted.topic);
    if (known === undefined) topics.set(wanted.topic, [wanted]);
    else known.push(wanted);
  }
  let size = 35;
  for (const [topic, partitions] of topics) size += 6 + Buffer.byteLength(topic) + 28 * partitions.length;
  const bytes = Buffer.alloc(size);
  let at = bytes.writeInt32BE(-1, 0);
  at = bytes.writeInt32BE(options.maxWaitMs, at);
  at = bytes.writeInt32BE(1, at);
  at = bytes.writeInt32BE(options.maxBytes, at);
  at = bytes.writeInt8(options.uncommitted === true ? 0 : 1, at);
  // No fetch session: each request says everything.
  at = bytes.writeInt32BE(0, at);
  at = bytes.writeInt32BE(-1, at);
  at = bytes.writeInt32BE(topics.size, at);
  for (const [topic, partitions] of topics) {
    at = bytes.writeInt16BE(Buffer.byteLength(topic), at);
    at += bytes.write(topic, at);
    at = bytes.writeInt32BE(partitions.length, at);
    for (const { partition, fromOffset, maxBytes } of partitions) {
      at = bytes.writeInt32BE(partition, at);
      at = bytes.writeInt32BE(-1, at);
      at = bytes.writeBigInt64BE(BigInt(fromOffset), at);
      at = bytes.writeBigInt64BE(-1n, at);
      at = bytes.writeInt32BE(maxBytes, at);
    }
  }
  at = bytes.writeInt32BE(0, at);
  bytes.writeInt16BE(0, at);
  return bytes;
}

export function decodeFetch(payload: Buffer): Fetched {
  const partitions: FetchedPartition[] = [];
  let at = 4;
  const whole = payload.readInt16BE(at);
  at += 6;
  const int32 = (): number => {
    at += 4;
    return payload.readInt32BE(at - 4);
  };
  const int64 = (): number => {
    at += 8;
    return Number(payload.readBigInt64BE(at - 8));
  };
  for (let topics = int32(); topics > 0; topics--) {
    const nameBytes = payload.readInt16BE(at);
    const topic = payload.toString('utf8', at + 2, at + 2 + nameBytes);
    at += 2 + nameBytes;
    for (let left = int32(); left > 0; left--) {
      const partition = int32();
      const errorCode = payload.readInt16BE(at);
      at += 2;
      const highWatermark = int64();
      const lastStableOffset = int64();
      const startOffset = int64();
      const aborted: AbortedTransaction[] = [];
      for (let count = int32(); count > 0; count--) aborted.push({ producerId: int64(), firstOffset: int64() });
      at += 4;
      const bytes = Math.max(0, int32());
      partitions.push({
        topic,
        partition,
        errorCode: errorCode === 0 ? whole : errorCode,
        highWatermark,
        lastStableOffset,
        startOffset,
        aborted,
        recordSet: payload.subarray(at, at + bytes),
      });
      at += bytes;
    }
  }
  return { clientSideThrottleTime: payload.readInt32BE(0), partitions };
}
