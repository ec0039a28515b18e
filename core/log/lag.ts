/** How far a group is behind a partition. */
import type { Log } from './log.ts';

export interface Lag {
  /** Offsets between the group and the end; on Kafka that counts markers and aborted records too. 0 only when nothing is left. */
  records: number;
  /** Age of the oldest record that the group has not consumed, by the time it was appended. */
  lagMs: number;
}

export async function lagOf(log: Log, group: string, topic: string, partition: number, nowMs: number): Promise<Lag> {
  const [next, { start, end }] = await Promise.all([
    log.committed(group, topic, partition),
    log.bounds(topic, partition),
  ]);
  const from = Math.max(next, start);
  if (from >= end) return { records: 0, lagMs: 0 };
  const [record] = await log.read(topic, partition, from, { maxRecords: 1, maxBytes: 1 });
  return { records: end - from, lagMs: record === undefined ? 0 : Math.max(0, Math.round(nowMs - record.timestampMs)) };
}
