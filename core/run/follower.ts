/**
 * What is known now, from the log: for processes that show it and have no windows in them. What they show is as old as the windows'
 * commits.
 */
import { decodeControl, isControl } from '#shared/control.ts';
import { decodeFrame } from '#shared/frame.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
import type { Log, LogRecord } from '../log/log.ts';
import type { LivePublisher } from '../relay/live.ts';
import type { Service } from '../service.ts';
import { LiveView } from '../windows/live-view.ts';
import { decodeBars, decodeStats } from '../windows/records.ts';

const READ = { maxRecords: 64, maxBytes: 1_048_576 };

export interface FollowerOptions {
  log: Log;
  partitions: number;
  live: LivePublisher;
}

/** Statistics are read from their first record, as the topic keeps the last of each; the rest from where the log ends now. */
export function createFollower({ log, partitions, live }: FollowerOptions): Service {
  const view = new LiveView(live);
  const stop = new AbortController();
  const { signal } = stop;
  /** Newest event time of a partition's venues. */
  const times = new Map<number, Map<string, number>>();

  const trades = (partition: number, { value }: LogRecord): void => {
    const event = isControl(value) ? decodeControl(value) : undefined;
    if (event !== undefined) view.control(event, partition);
    const frame = isControl(value) ? undefined : decodeFrame(value);
    if (frame?.ok !== true || frame.kind !== 'trades') return;
    view.trades(frame.trades, () => false);
    const marks = times.get(partition) ?? new Map<string, number>();
    times.set(partition, marks);
    const { instruments, instrument, eventMs, length } = frame.trades;
    const venues = instruments.values.map((name) => name.slice(0, name.indexOf(':')));
    for (let i = 0; i < length; i++) {
      const venue = venues[instrument[i] as number] as string;
      marks.set(venue, Math.max(marks.get(venue) ?? 0, eventMs[i] as number));
    }
    view.status(
      partition,
      [...marks].map(([venue, watermarkMs]) => ({ venue, watermarkMs, late: 0, duplicates: 0 })),
    );
  };
  const quotes = (_: number, { value }: LogRecord): void => {
    const frame = isControl(value) ? undefined : decodeFrame(value);
    if (frame?.ok && frame.kind === 'quotes') view.quotes(frame.quotes);
  };
  const bars = (_: number, { value }: LogRecord): void => {
    for (const bar of decodeBars(value) ?? []) view.bar(bar);
  };
  const stats = (_: number, { value }: LogRecord): void => {
    for (const entry of decodeStats(value) ?? []) view.stats(entry);
  };

  const follow = async (
    topic: string,
    partition: number,
    fromStart: boolean,
    show: (partition: number, record: LogRecord) => void,
  ): Promise<void> => {
    const { start, end } = await log.bounds(topic, partition);
    for (let next = fromStart ? start : end; !signal.aborted;) {
      const records = await log.read(topic, partition, next, READ);
      for (const record of records) show(partition, record);
      const last = records.at(-1);
      if (last === undefined) await log.wait(topic, partition, next, signal);
      else next = last.offset + 1;
    }
  };

  return {
    name: 'follower',
    async run() {
      const work = Array.from({ length: partitions }, (_, partition) => [
        follow(TOPICS.trades, partition, false, trades),
        follow(TOPICS.quotes, partition, false, quotes),
        follow(TOPICS.statistics, partition, true, stats),
        ...TIMEFRAMES.map((timeframe) => follow(aggregatesTopic(timeframe), partition, false, bars)),
      ]);
      await Promise.all(work.flat());
    },
    async drain() {
      stop.abort();
    },
  };
}
