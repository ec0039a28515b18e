/** How far a group is behind a partition. */
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
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

export interface PlacedLag extends Lag {
  group: string;
  topic: string;
  partition: number;
}

/** What each group of the core reads. */
export const GROUP_INPUTS: Readonly<Record<string, readonly string[]>> = {
  windows: [TOPICS.trades, TOPICS.quotes],
  sink: [
    TOPICS.trades,
    TOPICS.quotes,
    ...TIMEFRAMES.map(aggregatesTopic),
    TOPICS.volumeProfile,
    TOPICS.statistics,
    TOPICS.deadLetter,
  ],
};

/** Lags of the groups on the partitions that are asked for, by group, topic and partition. */
export async function lagsOf(
  log: Log,
  nowMs: () => number,
  wanted: (group: string, partition: number) => boolean = () => true,
): Promise<PlacedLag[]> {
  const partitions = new Map((await log.topics()).map((spec) => [spec.name, spec.partitions]));
  const places = Object.entries(GROUP_INPUTS).flatMap(([group, topics]) =>
    topics.flatMap((topic) =>
      Array.from({ length: partitions.get(topic) ?? 0 }, (_, partition) => ({ group, topic, partition })),
    ),
  );
  const asked = places.filter(({ group, partition }) => wanted(group, partition));
  return Promise.all(
    asked.map(async (place) => ({
      ...place,
      ...(await lagOf(log, place.group, place.topic, place.partition, nowMs())),
    })),
  );
}
