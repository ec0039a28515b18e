/**
 * From the log into the store (SPEC ST-2, ST-4). Batches are cut and the cut is kept in the log before the insert, so that after a
 * crash the same batch is written again under the same token; the group's offset is committed behind the insert.
 */
import type { Clock } from '#shared/clock.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
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

export function createSink(options: SinkOptions): Sink {
  const { log, partitions, logger, group = 'sink', maxBatchRows = 65_536, maxDelayMs = 500 } = options;
  const runnerOptions = { ...options, group, maxBatchRows, maxDelayMs, logger: logger.child({ part: 'sink' }) };
  const runners = LANES.map((lane) => new LaneRunner(lane as Lane<unknown>, runnerOptions));
  let running: Promise<void> | undefined;
  const flush = async (): Promise<void> => {
    await Promise.all(runners.map((runner) => runner.flush()));
  };
  const work = async (): Promise<void> => {
    await log.ensureTopics(sinkTopics(partitions));
    try {
      await Promise.all(runners.map((runner) => runner.run()));
    } finally {
      for (const runner of runners) runner.stop();
    }
  };
  return {
    name: 'sink',
    run: () => (running ??= work()),
    async drain() {
      for (const runner of runners) runner.stop();
      await running?.catch(() => {});
    },
    caughtUp: flush,
    flush,
    rows: () => Object.fromEntries(runners.map((runner) => [runner.name, runner.rows])),
    troubles: () =>
      Object.fromEntries(runners.flatMap(({ name, trouble }) => (trouble === undefined ? [] : [[name, trouble]]))),
  };
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
