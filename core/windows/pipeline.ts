/** The windows as a service: one task a partition over the log. */
import type { BarState } from '#shared/bars.ts';
import type { Clock } from '#shared/clock.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
import type { Log } from '../log/log.ts';
import type { Logger } from '../ops/logger.ts';
import type { LivePublisher } from '../relay/live.ts';
import type { Service } from '../service.ts';
import { noCounts, type TickCounts, type TickHistory } from './changes.ts';
import { LiveView } from './live-view.ts';
import { PartitionTask } from './partition-task.ts';
import type { EngineOptions } from './state.ts';

export interface WindowsOptions {
  log: Log;
  partitions: number;
  history: TickHistory;
  /** Left out when nobody looks. */
  live?: LivePublisher | undefined;
  clock: Clock;
  logger: Logger;
  commitIntervalMs?: number;
  /** How often open bars and statistics are shown. */
  provisionalIntervalMs?: number;
  /** How often open bars, profiles and statistics are written to the log. */
  durableProvisionalMs?: number;
  /** How often the engine's state is kept; a restart reads the log from there. */
  snapshotIntervalMs?: number;
  /** Least time between two recomputes from history. */
  recomputeIntervalMs?: number;
  /** Bytes and records read at once. */
  batchBytes?: number;
  batchRecords?: number;
  engine?: Partial<EngineOptions>;
}

export interface Windows extends Service {
  /** Resolves when what the log holds now has gone through, and what came of it is committed. */
  caughtUp(): Promise<void>;
  counts(): TickCounts;
  /** How many bars there have been in this data, by the state they are in now. */
  barsByState(): Record<BarState, number>;
  /** Recomputes from history that failed and are tried again. */
  failures(): number;
}

export function createWindows(options: WindowsOptions): Windows {
  const { log, partitions, live, logger } = options;
  const view = live === undefined ? undefined : new LiveView(live);
  const tasks = Array.from(
    { length: partitions },
    (_, partition) =>
      new PartitionTask({
        log,
        partition,
        history: options.history,
        view,
        clock: options.clock,
        logger: logger.child({ service: 'windows' }),
        commitIntervalMs: options.commitIntervalMs ?? 100,
        provisionalIntervalMs: options.provisionalIntervalMs ?? 200,
        durableProvisionalMs: options.durableProvisionalMs ?? 1_000,
        snapshotIntervalMs: options.snapshotIntervalMs ?? 5_000,
        recomputeIntervalMs: options.recomputeIntervalMs ?? 1_000,
        readBytes: options.batchBytes ?? 2_097_152,
        readRecords: options.batchRecords ?? 64,
        engine: options.engine ?? {},
      }),
  );
  let running: Promise<void> | undefined;

  const work = async (): Promise<void> => {
    await log.ensureTopics([
      ...[
        TOPICS.trades,
        TOPICS.quotes,
        TOPICS.volumeProfile,
        TOPICS.statistics,
        ...TIMEFRAMES.map(aggregatesTopic),
      ].map((name) => ({ name, partitions })),
      { name: TOPICS.deadLetter, partitions: 1 },
    ]);
    try {
      await Promise.all(tasks.map((task) => task.run()));
    } finally {
      for (const task of tasks) task.stop();
    }
  };

  return {
    name: 'windows',
    run: () => (running ??= work()),
    async drain() {
      for (const task of tasks) task.stop();
      await running?.catch(() => {});
    },
    async caughtUp() {
      await Promise.all(tasks.map((task) => task.caughtUp()));
    },
    counts() {
      const total = noCounts();
      for (const task of tasks) {
        for (const [name, n] of Object.entries(task.engine.counts)) total[name as keyof TickCounts] += n;
      }
      return total;
    },
    barsByState() {
      const total: Record<BarState, number> = { provisional: 0, final: 0, revised: 0 };
      for (const task of tasks) {
        for (const [state, n] of Object.entries(task.engine.barsByState())) total[state as BarState] += n;
      }
      return total;
    },
    failures: () => tasks.reduce((sum, task) => sum + task.failures, 0),
  };
}
