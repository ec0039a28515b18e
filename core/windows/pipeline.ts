/** The windows as a service: one task a partition over the log. */
import type { BarState } from '#shared/bars.ts';
import type { Clock } from '#shared/clock.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
import { runAssigned } from '../log/assigned-tasks.ts';
import type { Assignment } from '../log/assignment.ts';
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
  /** Which partitions are this process's; all of them when left out. */
  assignment?: Assignment | undefined;
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
  const logged = logger.child({ service: 'windows' });
  const newTask = (partition: number): PartitionTask =>
    new PartitionTask({
      log,
      partition,
      history: options.history,
      view,
      clock: options.clock,
      logger: logged,
      commitIntervalMs: options.commitIntervalMs ?? 100,
      provisionalIntervalMs: options.provisionalIntervalMs ?? 200,
      durableProvisionalMs: options.durableProvisionalMs ?? 1_000,
      snapshotIntervalMs: options.snapshotIntervalMs ?? 5_000,
      recomputeIntervalMs: options.recomputeIntervalMs ?? 1_000,
      readBytes: options.batchBytes ?? 2_097_152,
      readRecords: options.batchRecords ?? 64,
      engine: options.engine ?? {},
    });
  const { assignment } = options;
  /** By partition; those that are this process's now. */
  const held = new Map<number, PartitionTask>();
  if (assignment === undefined)
    for (let partition = 0; partition < partitions; partition++) held.set(partition, newTask(partition));
  const tasks = (): PartitionTask[] => [...held.values()];
  const stop = new AbortController();
  let running: Promise<void> | undefined;

  const alone = async (): Promise<void> => {
    try {
      await Promise.all(tasks().map((task) => task.run()));
    } finally {
      for (const task of tasks()) task.stop();
    }
  };
  const shared = (among: Assignment): Promise<void> =>
    runAssigned({
      assignment: among,
      units: partitions,
      start(partition) {
        const task = newTask(partition);
        held.set(partition, task);
        return task;
      },
      ended(partition) {
        held.delete(partition);
        view?.forget(partition);
      },
      signal: stop.signal,
      clock: options.clock,
      logger: logged,
    });

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
    await (assignment === undefined ? alone() : shared(assignment));
  };

  return {
    name: 'windows',
    run: () => (running ??= work()),
    async drain() {
      stop.abort();
      if (assignment === undefined) for (const task of tasks()) task.stop();
      await running?.catch(() => {});
    },
    async caughtUp() {
      await Promise.all(tasks().map((task) => task.caughtUp()));
    },
    counts() {
      const total = noCounts();
      for (const task of tasks()) {
        for (const [name, n] of Object.entries(task.engine.counts)) total[name as keyof TickCounts] += n;
      }
      return total;
    },
    barsByState() {
      const total: Record<BarState, number> = { provisional: 0, final: 0, revised: 0 };
      for (const task of tasks()) {
        for (const [state, n] of Object.entries(task.engine.barsByState())) total[state as BarState] += n;
      }
      return total;
    },
    failures: () => tasks().reduce((sum, task) => sum + task.failures, 0),
  };
}
