/** The windows' view of the past, read from the log itself: for windows that run without a store beside them. */
import type { Bar, Profile } from '#shared/bars.ts';
import { isControl } from '#shared/control.ts';
import { decodeFrame } from '#shared/frame.ts';
import type { TradeColumns } from '#shared/ticks.ts';
import type { Timeframe } from '#shared/timeframes.ts';
import { aggregatesTopic, partitionOf, TOPICS } from '#shared/topics.ts';
import type { Log, LogRecord } from '../log/log.ts';
import type { TickHistory } from './changes.ts';
import { decodeBars, decodeProfiles } from './records.ts';

const READ = { maxRecords: 256, maxBytes: 4_194_304 };

/**
 * Reads the instrument's partition from its first record that is kept. Costs a pass over the partition's raw trades a question;
 * questions come only of ticks that are later than what the windows hold (SPEC WN-13).
 */
export function createLogHistory(log: Log, partitions: number): TickHistory {
  const newest = async <T extends { revision: number }>(
    topic: string,
    instrument: string,
    decode: (value: Uint8Array) => readonly T[] | undefined,
    matches: (value: T) => boolean,
  ): Promise<T | undefined> => {
    let found: T | undefined;
    for await (const { value } of records(log, topic, partitionOf(instrument, partitions)))
      for (const candidate of decode(value) ?? [])
        if (matches(candidate) && (found === undefined || candidate.revision >= found.revision)) found = candidate;
    return found;
  };
  return {
    async *trades(instrument, fromMs): AsyncGenerator<TradeColumns> {
      const partition = partitionOf(instrument, partitions);
      await insistOnRange(log, partition, fromMs);
      for await (const { value } of records(log, TOPICS.trades, partition)) {
        const frame = isControl(value) ? undefined : decodeFrame(value);
        if (frame?.ok && frame.kind === 'trades' && frame.trades.instruments.values.includes(instrument))
          yield frame.trades;
      }
    },
    bar: (instrument: string, timeframe: Timeframe, startMs: number): Promise<Bar | undefined> =>
      newest<Bar>(
        aggregatesTopic(timeframe),
        instrument,
        decodeBars,
        (bar) => bar.instrument === instrument && bar.startMs === startMs,
      ),
    profile: (instrument: string, startMs: number): Promise<Profile | undefined> =>
      newest<Profile>(
        TOPICS.volumeProfile,
        instrument,
        decodeProfiles,
        (profile) => profile.instrument === instrument && profile.startMs === startMs,
      ),
  };
}

/** A trade stands in the log no earlier than it happened: what is older than the first record that is kept may be gone. */
async function insistOnRange(log: Log, partition: number, fromMs: number): Promise<void> {
  const { start } = await log.bounds(TOPICS.trades, partition);
  if (start === 0) return;
  const [first] = await log.read(TOPICS.trades, partition, start, { maxRecords: 1, maxBytes: 1 });
  if (first === undefined || first.timestampMs > fromMs)
    throw new Error('the raw trades of that time are no longer in the log');
}

async function* records(log: Log, topic: string, partition: number): AsyncGenerator<LogRecord> {
  const { start, end } = await log.bounds(topic, partition);
  for (let next = start; next < end;) {
    const read = await log.read(topic, partition, next, READ);
    const last = read.at(-1);
    if (last === undefined) return;
    yield* read;
    next = last.offset + 1;
  }
}
