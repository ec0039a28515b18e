/** Dropping what is old and has been read by everyone (SPEC LG-1: offsets are not used again). */
import type { Log } from './log.ts';

export interface RetentionOptions {
  /** Records of the topic older than this, by the time of their append, may go; undefined keeps the topic. */
  beforeMs: (topic: string) => number | undefined;
  /** Consumer groups by topic. A record that one of them has not read stays; a topic without groups is bound by age alone. */
  groups: Readonly<Record<string, readonly string[]>>;
}

/** Drops from every partition what retention lets go. The number of records dropped. */
export async function applyRetention(log: Log, { beforeMs, groups }: RetentionOptions): Promise<number> {
  let dropped = 0;
  for (const { name, partitions } of await log.topics()) {
    const before = beforeMs(name);
    if (before === undefined) continue;
    for (let partition = 0; partition < partitions; partition++) {
      const { start } = await log.bounds(name, partition);
      let end = await firstAtOrAfter(log, name, partition, before);
      for (const group of groups[name] ?? []) end = Math.min(end, await log.committed(group, name, partition));
      if (end <= start) continue;
      await log.truncate(name, partition, end);
      dropped += end - start;
    }
  }
  return dropped;
}

/** Offset of the first record appended at `timeMs` or later; the end of the partition when there is none. By halving. */
export async function firstAtOrAfter(log: Log, topic: string, partition: number, timeMs: number): Promise<number> {
  const { start, end } = await log.bounds(topic, partition);
  let low = start;
  let high = end;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [record] = await log.read(topic, partition, middle, { maxRecords: 1, maxBytes: 1 });
    if (record !== undefined && record.timestampMs < timeMs) low = record.offset + 1;
    else high = middle;
  }
  return low;
}
