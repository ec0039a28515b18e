/**
 * How long the embedded log keeps what (SPEC LG-11): as Kafka's topics do, and nothing goes that windows or store have not read. It
 * compacts nothing, so a topic of last values is kept as long as a raw one; the store has them.
 */
import type { Clock } from '#shared/clock.ts';
import { TOPICS } from '#shared/topics.ts';
import type { Log } from '../log/log.ts';
import { createRetention } from '../log/retention-service.ts';
import { RAW_RETENTION_MS, topicSpecs } from '../log/topics.ts';
import type { Logger } from '../ops/logger.ts';
import type { Service } from '../service.ts';
import { LANES } from '../stores/sink-lanes.ts';
import { SINK_GROUP } from '../stores/sink.ts';
import { WINDOWS_GROUP } from '../windows/partition-task.ts';

const KEPT_MS = new Map(topicSpecs().map((spec) => [spec.name, spec.retentionMs ?? RAW_RETENTION_MS]));
const STORED = new Set(LANES.flatMap((lane) => lane.topics));

function readersOf(topic: string): string[] {
  const readers = STORED.has(topic) ? [SINK_GROUP] : [];
  return topic === TOPICS.trades || topic === TOPICS.quotes ? [WINDOWS_GROUP, ...readers] : readers;
}

export function embeddedRetention(log: Log, clock: Clock, logger: Logger): Service {
  const groups = Object.fromEntries([...KEPT_MS.keys()].map((topic) => [topic, readersOf(topic)]));
  return createRetention({ log, clock, logger, retentionMs: (topic) => KEPT_MS.get(topic), groups });
}
