/** Keeps an embedded log from growing for ever: what is old and read by everyone goes, once an hour. Kafka does this by itself. */
import type { Clock } from '#shared/clock.ts';
import type { Logger } from '../ops/logger.ts';
import type { Service } from '../service.ts';
import type { Log } from './log.ts';
import { applyRetention } from './retention.ts';

export interface RetentionServiceOptions {
  log: Log;
  clock: Clock;
  logger: Logger;
  /** How long records of the topic are kept, ms; undefined for ever. */
  retentionMs: (topic: string) => number | undefined;
  /** Consumer groups by topic that must have read a record before it goes. */
  groups: Readonly<Record<string, readonly string[]>>;
  intervalMs?: number;
}

const INTERVAL_MS = 3_600_000;

export function createRetention(options: RetentionServiceOptions): Service {
  const { log, clock, logger, groups, intervalMs = INTERVAL_MS } = options;
  let stopped = false;
  let wake = (): void => {};
  const rest = (): Promise<void> =>
    new Promise((resolve) => {
      const cancel = clock.schedule(intervalMs, resolve);
      wake = () => {
        cancel();
        resolve();
      };
    });
  return {
    name: 'retention',
    async run() {
      while (!stopped) {
        const nowMs = clock.nowMs();
        const beforeMs = (topic: string): number | undefined => {
          const keptMs = options.retentionMs(topic);
          return keptMs === undefined ? undefined : nowMs - keptMs;
        };
        const dropped = await applyRetention(log, { beforeMs, groups });
        if (dropped > 0) logger.info('Old records dropped from the log', { records: dropped });
        if (!stopped) await rest();
      }
    },
    async drain() {
      stopped = true;
      wake();
    },
  };
}
