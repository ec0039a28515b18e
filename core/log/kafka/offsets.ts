/** Offsets and records of one partition, asked for at its leader. */
import { LogError } from '../log-error.ts';
import type { Calls } from './calls.ts';
import { fetchRequest, OFFSET_OUT_OF_RANGE, type FetchedPartition, type FetchPartition } from './fetch.ts';
import type { Lanes } from './internals.ts';

const EARLIEST = -2;
const LATEST = -1;
const READ_COMMITTED = 1;

/** First offset that is kept. */
export function startOffset(calls: Calls, lanes: Lanes, topic: string, partition: number): Promise<number> {
  return offsetAt(calls, lanes, topic, partition, EARLIEST);
}

/** Offset of the oldest transaction that is open, or of the end when none is. */
export function stableOffset(calls: Calls, lanes: Lanes, topic: string, partition: number): Promise<number> {
  return offsetAt(calls, lanes, topic, partition, LATEST);
}

async function offsetAt(
  calls: Calls,
  lanes: Lanes,
  topic: string,
  partition: number,
  timestamp: number,
): Promise<number> {
  const topics = [{ topic, partitions: [{ partition, timestamp }] }];
  const { responses } = await calls.leader(lanes, topic, partition, (broker) =>
    broker.listOffsets({ replicaId: -1, isolationLevel: READ_COMMITTED, topics }),
  );
  return Number(responses[0]?.partitions[0]?.offset ?? 0);
}

/** What there is from the offset on, without waiting. The answer has no error but `offset out of range`. */
export function fetchOne(
  calls: Calls,
  lanes: Lanes,
  { uncommitted = false, ...wanted }: FetchPartition & { uncommitted?: boolean },
): Promise<FetchedPartition> {
  const request = fetchRequest({ partitions: [wanted], uncommitted, maxWaitMs: 0, maxBytes: wanted.maxBytes });
  return calls.leader(lanes, wanted.topic, wanted.partition, async (_broker, node) => {
    const { partitions } = await lanes.send(node, request);
    return checked(partitions[0]);
  });
}

const RETRY: Record<number, string> = {
  3: 'UNKNOWN_TOPIC_OR_PARTITION',
  5: 'LEADER_NOT_AVAILABLE',
  6: 'NOT_LEADER_FOR_PARTITION',
  9: 'REPLICA_NOT_AVAILABLE',
  56: 'KAFKA_STORAGE_ERROR',
  74: 'FENCED_LEADER_EPOCH',
  75: 'UNKNOWN_LEADER_EPOCH',
};

/** The answer for a partition, or a fault that calls for another look at the cluster. */
function checked(answer: FetchedPartition | undefined): FetchedPartition {
  if (answer === undefined) throw new LogError('unavailable', 'The broker left the partition out of its answer.');
  if (answer.errorCode === 0 || answer.errorCode === OFFSET_OUT_OF_RANGE) return answer;
  throw new FetchFault(answer);
}

class FetchFault extends Error {
  readonly type: string;

  constructor({ topic, partition, errorCode }: FetchedPartition) {
    super(`Partition ${partition} of ${topic} cannot be fetched: Kafka error ${errorCode}`);
    this.name = 'FetchFault';
    this.type = RETRY[errorCode] ?? 'FATAL';
  }
}
