/** The log on Kafka as the configuration says. */
import type { Clock } from '#shared/clock.ts';
import { TOPICS } from '#shared/topics.ts';
import type { Config } from '../config.ts';
import { openKafkaLog, type KafkaLog } from '../log/kafka.ts';
import type { TopicSpec } from '../log/log.ts';
import { LogError } from '../log/log-error.ts';
import { topicSpecs } from '../log/topics.ts';
import type { Logger } from '../ops/logger.ts';

const RETRY_MS = 1_000;

export interface KafkaOptions {
  clock: Clock;
  logger: Logger;
  /** Set where the broker may be away at first: it is waited for until this aborts. */
  patience?: AbortSignal;
}

export async function openLog(config: Config, { clock, logger, patience }: KafkaOptions): Promise<KafkaLog> {
  const { brokers, clientId, logPrefix: prefix, replicas } = config;
  for (;;) {
    try {
      return await openKafkaLog({ brokers, clientId, clock, logger, prefix, replicas });
    } catch (error) {
      if (patience === undefined || patience.aborted || !(error instanceof LogError && error.code === 'unavailable'))
        throw error;
      logger.warn('no broker answers, waiting for one', { brokers: brokers.join(',') });
      await new Promise<void>((resolve) => {
        const cancel = clock.schedule(RETRY_MS, resolve);
        patience.addEventListener('abort', () => (cancel(), resolve()), { once: true });
      });
    }
  }
}

/** Partitions of the log as it is, else as configured: only `migrate` insists on the number. */
export async function partitionsOf(log: KafkaLog, config: Config): Promise<number> {
  const trades = (await log.topics()).find(({ name }) => name === TOPICS.trades);
  return trades?.partitions ?? config.partitions;
}

/** All topics. Ticks and what is made of them have the same number of partitions, so that a window task reads and writes one. */
export function specsOf(config: Config, partitions: number): TopicSpec[] {
  return topicSpecs({
    tradesPartitions: partitions,
    quotesPartitions: partitions,
    aggregatesPartitions: partitions,
    replicas: config.replicas,
  });
}
