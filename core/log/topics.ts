/** The log's topics as code: names, partitions, copies, retention (SPEC LG-2). */
import { LIMITS } from '#shared/limits.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { aggregatesTopic, TOPICS } from '#shared/topics.ts';
import type { TopicSpec } from './log.ts';

export interface TopicsConfig {
  tradesPartitions: number;
  quotesPartitions: number;
  aggregatesPartitions: number;
  /** Copies of each partition; two of three must have a record before it counts as written. */
  replicas: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Raw ticks. */
export const RAW_RETENTION_MS = DAY_MS;
/** What was computed from them, and what could not be read. */
export const DERIVED_RETENTION_MS = 7 * DAY_MS;
/** Bytes of a record where a spec says nothing. */
export const DEFAULT_MAX_RECORD_BYTES = LIMITS.frameBytes;
/** Bytes of one state entry. */
export const STATE_MAX_RECORD_BYTES = 32 * 1_048_576;
const BATCH_OVERHEAD_BYTES = 65_536;

export const DEFAULT_TOPICS: TopicsConfig = {
  tradesPartitions: 100,
  quotesPartitions: 50,
  aggregatesPartitions: 50,
  replicas: 3,
};

export function topicSpecs(config: TopicsConfig = DEFAULT_TOPICS): TopicSpec[] {
  const { replicas, tradesPartitions, quotesPartitions, aggregatesPartitions } = config;
  const raw = (name: string, partitions: number): TopicSpec => ({
    name,
    partitions,
    replicas,
    retentionMs: RAW_RETENTION_MS,
  });
  const derived = (name: string, partitions: number): TopicSpec => ({
    name,
    partitions,
    replicas,
    retentionMs: DERIVED_RETENTION_MS,
  });
  const lastValue = (name: string, partitions: number): TopicSpec => ({ name, partitions, replicas, compacted: true });
  return [
    raw(TOPICS.trades, tradesPartitions),
    raw(TOPICS.quotes, quotesPartitions),
    derived(TOPICS.events, 1),
    ...TIMEFRAMES.map((timeframe) => derived(aggregatesTopic(timeframe), aggregatesPartitions)),
    derived(TOPICS.volumeProfile, aggregatesPartitions),
    derived(TOPICS.tickCount, aggregatesPartitions),
    lastValue(TOPICS.statistics, aggregatesPartitions),
    derived(TOPICS.orders, aggregatesPartitions),
    derived(TOPICS.news, 1),
    derived(TOPICS.alerts, 1),
    derived(TOPICS.deadLetter, 1),
  ];
}

/** Where a log on Kafka keeps its stores; never listed among the topics. */
export function stateTopic(partitions: number): TopicSpec {
  return { name: 'state', partitions, compacted: true, maxRecordBytes: STATE_MAX_RECORD_BYTES };
}

/** A topic's settings by Kafka's names. */
export function topicConfig(spec: TopicSpec, replicas: number): Record<string, string> {
  return {
    'cleanup.policy': spec.compacted === true ? 'compact' : 'delete',
    'max.message.bytes': String((spec.maxRecordBytes ?? DEFAULT_MAX_RECORD_BYTES) + BATCH_OVERHEAD_BYTES),
    'min.insync.replicas': String(replicas >= 3 ? 2 : 1),
    'retention.ms': spec.compacted === true ? '-1' : String(spec.retentionMs ?? -1),
    // A small active segment is compacted and expires soon after its time.
    'segment.ms': String(spec.compacted === true ? HOUR_MS : Math.min(HOUR_MS, spec.retentionMs ?? HOUR_MS)),
  };
}
