/**
 * From the log into the store (SPEC ST-2, ST-4). Batches are cut and the cut is kept in the log before the insert, so that after a
 * crash the same batch is written again under the same token; the group's offset is committed behind the insert.
 */
import type { Clock } from '#shared/clock.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
import { runAssigned } from '../log/assigned-tasks.ts';
import type { Assignment } from '../log/assignment.ts';
import type { Log } from '../log/log.ts';
import type { Logger } from '../ops/logger.ts';
import type { Service } from '../service.ts';
import { LANES, type Lane } from './sink-lanes.ts';
import { LaneRunner } from './sink-runner.ts';
import type { MarketStore } from './stores.ts';

export interface SinkOptions {
  log: Log;
  /** Its tables must be there (`migrate`). */
  store: MarketStore;
  /** Partitions of the topics, where they are not there yet. */
  partitions: number;
  clock: Clock;
  logger: Logger;
  /** Consumer group. */
  group?: string;
  /** A batch is written when it has this many rows … */
  maxBatchRows?: number;
  /** … or when its first record has waited for so long. */
  maxDelayMs?: number;
  /** Which shares of the partitions are this process's; all of them when left out. */
  assignment?: Assignment | undefined;
}

/** Shares into which the partitions are parted where several processes sink. Never to be changed for a log that exists. */
const MOST_SHARES = 8;

/** Share `partition % sharesOf(partitions)` has the partition, of every topic. */
export function sharesOf(partitions: number): number {
  return Math.min(partitions, MOST_SHARES);
}

export interface Sink extends Service {
  /** Resolves when everything that is in the log now is stored. Rejects when the sink stops first. */
  caughtUp(): Promise<void>;
  /** The same, at once: batches do not wait to fill. */
  flush(): Promise<void>;
  /** Rows written since the start, by lane. */
  rows(): Record<string, number>;
  /** Lanes whose store does not answer, with its last error. Empty when all is well (SPEC ST-4). */
  troubles(): Record<string, string>;
}

/** Consumer group of the sinks. */
export const SINK_GROUP = 'sink';

export function createSink(options: SinkOptions): Sink {
  const { log, partitions, logger, group = SINK_GROUP, maxBatchRows = 65_536, maxDelayMs = 500 } = options;
  const { assignment, clock } = options;
  const runnerOptions = { ...options, group, maxBatchRows, maxDelayMs, logger: logger.child({ part: 'sink' }) };
  const runnersOf = (share?: { unit: number; units: number }): LaneRunner<unknown>[] =>
    LANES.map(
      (lane) => new LaneRunner(lane as Lane<unknown>, { ...runnerOptions, ...(share === undefined ? {} : { share }) }),
    );
  /** By share; those that are this process's now. */
  const held = new Map<number, LaneRunner<unknown>[]>();
  if (assignment === undefined) held.set(0, runnersOf());
  const all = (): LaneRunner<unknown>[] => [...held.values()].flat();
  const rowsOfEnded: Record<string, number> = {};
  const stop = new AbortController();
  let running: Promise<void> | undefined;
  const flush = async (): Promise<void> => {
    await Promise.all(all().map((runner) => runner.flush()));
  };
  const work = async (): Promise<void> => {
    await log.ensureTopics(sinkTopics(partitions));
    if (assignment === undefined) return runAll(all());
    const units = sharesOf(partitions);
    await runAssigned({
      assignment,
      units,
      start(unit) {
        const runners = runnersOf({ unit, units });
        held.set(unit, runners);
        const end = (): void => runners.forEach((runner) => runner.stop());
        return { run: () => runAll(runners), stop: end, drop: end };
      },
      ended(unit) {
        for (const { name, rows } of held.get(unit) ?? []) rowsOfEnded[name] = (rowsOfEnded[name] ?? 0) + rows;
        held.delete(unit);
      },
      signal: stop.signal,
      clock,
      logger: runnerOptions.logger,
    });
  };
  return {
    name: 'sink',
    run: () => (running ??= work()),
    async drain() {
      stop.abort();
      if (assignment === undefined) for (const runner of all()) runner.stop();
      await running?.catch(() => {});
    },
    caughtUp: flush,
    flush,
    rows() {
      const sum: Record<string, number> = Object.fromEntries(LANES.map(({ name }) => [name, rowsOfEnded[name] ?? 0]));
      for (const { name, rows } of all()) sum[name] = (sum[name] ?? 0) + rows;
      return sum;
    },
    troubles: () =>
      Object.fromEntries(all().flatMap(({ name, trouble }) => (trouble === undefined ? [] : [[name, trouble]]))),
  };
}

/** All of them; the first that fails takes the others along. */
async function runAll(runners: readonly LaneRunner<unknown>[]): Promise<void> {
  const runs = runners.map((runner) => runner.run());
  try {
    await Promise.all(runs);
  } finally {
    for (const runner of runners) runner.stop();
    await Promise.allSettled(runs);
  }
}

function sinkTopics(partitions: number) {
  const split = [
    TOPICS.trades,
    TOPICS.quotes,
    TOPICS.volumeProfile,
    TOPICS.statistics,
    ...TIMEFRAMES.map(aggregatesTopic),
  ];
  return [...split.map((name) => ({ name, partitions })), { name: TOPICS.deadLetter, partitions: 1 }];
}
