/** Cuts the records of a transaction into produce requests: a request takes one batch a partition, and a batch has a largest size. */

import type { ProduceRecord } from './produce.ts';

/** A value of null is a tombstone. */
export interface Append extends ProduceRecord {
  topic: string;
  partition: number;
}

export interface PartitionBatch {
  topic: string;
  partition: number;
  records: ProduceRecord[];
}

/** Bytes of a record beside its key and value, at most. */
export const RECORD_OVERHEAD_BYTES = 32;

/** Rounds in order; within a partition the records keep theirs. A record beyond `batchBytes` gets a batch of its own. */
export function appendRounds(appends: readonly Append[], batchBytes: number): PartitionBatch[][] {
  const rounds: PartitionBatch[][] = [];
  const open = new Map<string, { round: number; bytes: number; batch: PartitionBatch }>();
  for (const { topic, partition, key, value, timestampMs } of appends) {
    const id = `${topic}-${partition}`;
    const bytes = RECORD_OVERHEAD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
    let current = open.get(id);
    if (current === undefined || current.bytes + bytes > batchBytes) {
      const round = current === undefined ? 0 : current.round + 1;
      current = { round, bytes: 0, batch: { topic, partition, records: [] } };
      open.set(id, current);
      (rounds[round] ??= []).push(current.batch);
    }
    current.bytes += bytes;
    current.batch.records.push({ key, value, timestampMs });
  }
  return rounds;
}
