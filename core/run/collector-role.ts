/** Collectors of one process over a shared log: one a source, each under its own name. */
import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import { createCollector, ownerOf, type Collector, type CollectorSummary } from '../collector/collector.ts';
import type { Source } from '../collector/source.ts';
import { spooled, type SpooledSource } from '../collector/spool.ts';
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
  /** Where live feeds wait while the log takes nothing, and how much of it there is; tapes wait by themselves. */
  spool?: { folder: string; maxBytes: number };
}

export interface CollectorRole extends Service {
  summary(): CollectorSummary;
  waitingRows(): number;
  /** Bytes of live feeds that wait on disk, and the names of those that are held because there is no more room. */
  buffered(): { bytes: number; full: string[] };
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

  const spools = new Map<string, SpooledSource>();
  const withSpool = (source: Source): Source => {
    const { spool } = options;
    if (spool === undefined || spool.maxBytes === 0 || source.finite) return source;
    const path = join(spool.folder, `${source.id.replaceAll(/[^A-Za-z0-9_-]+/g, '_').slice(0, 80)}-${process.pid}`);
    const wrapped = spooled(source, { path, maxBytes: spool.maxBytes, logger });
    spools.set(source.id, wrapped);
    return wrapped;
  };
  const open = async (): Promise<Source[]> => (await options.openSources()).map(withSpool);

  const start = (source: Source): Collector => {
    const collector = createCollector({ ...options, sources: [source], name: source.id });
    current.set(source.id, { source, collector });
    return collector;
  };
  const again = async (name: string): Promise<Source | undefined> =>
    (await open()).find((candidate) => candidate.id === name);

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
      await Promise.all((await open()).map(collect));
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
    buffered() {
      const all = [...spools.values()];
      return {
        bytes: all.reduce((sum, spool) => sum + spool.bufferedBytes(), 0),
        full: all.filter((spool) => spool.full()).map(({ id }) => id),
      };
    },
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
