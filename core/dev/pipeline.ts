/** Collector, windows and sink over one log and store, and the order in which they are taken down. */
import type { Clock } from '#shared/clock.ts';
import { createCollector, type CollectorSummary } from '../collector/collector.ts';
import type { Source } from '../collector/source.ts';
import type { Log } from '../log/log.ts';
import type { Logger } from '../ops/logger.ts';
import type { DrainStep, Supervisor } from '../ops/supervisor.ts';
import type { LivePublisher } from '../relay/live.ts';
import { createHistory } from '../stores/history.ts';
import { createSink } from '../stores/sink.ts';
import type { MarketStore } from '../stores/stores.ts';
import { createWindows } from '../windows/pipeline.ts';

export interface PipelineDeps {
  log: Log;
  store: MarketStore;
  sources: readonly Source[];
  partitions: number;
  live: LivePublisher | undefined;
  clock: Clock;
  logger: Logger;
  onProgress?: (summary: CollectorSummary) => void;
  /** Nobody waits for single ticks (a replay): the store gets fewer, larger batches. */
  bulk?: boolean;
}

const BULK = { maxBatchRows: 262_144, maxDelayMs: 2_000 };

export type Pipeline = ReturnType<typeof createPipeline>;

export function createPipeline(deps: PipelineDeps) {
  const { log, store, partitions, clock, logger } = deps;
  const sink = createSink({ log, store, partitions, clock, logger, ...(deps.bulk === true ? BULK : {}) });
  const history = createHistory({ store, flush: () => sink.flush() });
  const windows = createWindows({ log, partitions, history, live: deps.live, clock, logger });
  const collector = createCollector({
    log,
    sources: deps.sources,
    partitions,
    clock,
    logger,
    ...(deps.onProgress === undefined ? {} : { onProgress: deps.onProgress }),
  });

  return {
    collector,
    windows,
    sink,
    /** Starts all three. Resolves when the sources have come to their end, or the collector was drained or failed. */
    start(supervisor: Supervisor): Promise<void> {
      void supervisor.start(sink);
      void supervisor.start(windows);
      return supervisor.start(collector);
    },
    /** Everything that is in the log has gone through windows and store. */
    async caughtUp(): Promise<void> {
      await windows.caughtUp();
      await sink.caughtUp();
    },
    /**
     * The order of going down: nothing new comes in; what came in goes through the windows; what they made goes into the
     * store. A part that has failed is not waited for.
     */
    drainSteps(supervisor: Supervisor): DrainStep[] {
      const waitUnlessFailed = (work: () => Promise<void>) => async (): Promise<void> => {
        if (supervisor.failure() === undefined) await supervisor.unlessFailed(work());
      };
      return [
        { name: 'collector', drain: () => collector.drain() },
        { name: 'windows (rest of the log)', drain: waitUnlessFailed(() => windows.caughtUp()) },
        { name: 'windows', drain: () => windows.drain() },
        { name: 'sink (rest of the log)', drain: waitUnlessFailed(() => sink.caughtUp()) },
        { name: 'sink', drain: () => sink.drain() },
      ];
    },
  };
}
