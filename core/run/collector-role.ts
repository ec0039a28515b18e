/** Collectors of one process over a shared log: one a source, each under its own name. */
import type { Clock } from '#shared/clock.ts';
import { createCollector, ownerOf, type Collector, type CollectorSummary } from '../collector/collector.ts';
import type { Source } from '../collector/source.ts';
import { addCounters, emptyCounters } from '../collector/source-state.ts';
import { isFenced } from '../log/assigned-tasks.ts';
import type { Log } from '../log/log.ts';
import type { Logger } from '../ops/logger.ts';
import type { Service } from '../service.ts';

export interface CollectorRoleOptions {
  log: Log;
  /** Opens the sources; called again where one has to be taken up anew. */
  openSources: () => Promise<Source[]>;
  partitions: number;
  clock: Clock;
  logger: Logger;
  /** Tells this process from others. */
  owner: string;
}

export interface CollectorRole extends Service {
  summary(): CollectorSummary;
  waitingRows(): number;
  /** Of the sources that are finite. */
  progress(): { bytesRead: number; totalBytes: number | undefined };
  /** Names of sources that another process has taken over. */
  taken(): readonly string[];
}

export function createCollectorRole(options: CollectorRoleOptions): CollectorRole {
  const { log, logger } = options;
  const current = new Map<string, { source: Source; collector: Collector }>();
  const taken: string[] = [];
  let draining = false;

  const start = (source: Source): Collector => {
    const collector = createCollector({ ...options, sources: [source], name: source.id });
    current.set(source.id, { source, collector });
    return collector;
  };
  const again = async (name: string): Promise<Source | undefined> =>
    (await options.openSources()).find((candidate) => candidate.id === name);

  /** Until the source has ended, or another process has taken it over. */
  const collect = async (first: Source): Promise<void> => {
    const { id } = first;
    for (let source: Source | undefined = first; source !== undefined && !draining; source = await again(id)) {
      try {
        await start(source).run();
        return;
      } catch (error) {
        if (!isFenced(error)) throw error;
        if ((await ownerOf(log, id)) !== options.owner) {
          logger.warn('another process collects this source now', { source: id });
          taken.push(id);
          return;
        }
        logger.warn('the broker ended a transaction; taking the source up again', { source: id });
      }
    }
  };

  return {
    name: 'collector',
    async run() {
      await Promise.all((await options.openSources()).map(collect));
    },
    async drain() {
      draining = true;
      await Promise.all([...current.values()].map(({ collector }) => collector.drain()));
    },
    summary() {
      const sum: CollectorSummary = { ...emptyCounters(), sourcesDone: 0 };
      for (const { collector } of current.values()) {
        const summary = collector.summary();
        addCounters(sum, summary);
        sum.sourcesDone += summary.sourcesDone;
      }
      return sum;
    },
    waitingRows: () => [...current.values()].reduce((sum, { collector }) => sum + collector.waitingRows(), 0),
    progress() {
      const sources = [...current.values()].map(({ source }) => source);
      const known = sources.map(({ totalBytes }) => totalBytes).filter((bytes) => bytes !== undefined);
      return {
        bytesRead: sources.reduce((sum, source) => sum + source.bytesRead(), 0),
        totalBytes: known.length === 0 ? undefined : known.reduce((a, b) => a + b, 0),
      };
    },
    taken: () => taken,
  };
}
