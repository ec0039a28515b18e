/** What an error of the broker or of the way to it means for us. */
import { LogError } from '../log-error.ts';

/**
 * - `busy`: the broker is still at something; ask again in a moment.
 * - `moved`: another node answers for this now, or will in a moment; look again.
 * - `down`: the broker was not reached, or its answer was lost.
 * - `fenced`: another producer took the transactional id, or the broker gave the transaction up.
 * - `too_large`, `fatal`: asking again gives the same.
 */
export type Fault = 'busy' | 'moved' | 'down' | 'fenced' | 'too_large' | 'fatal';

const BY_TYPE: Record<string, Fault> = {
  CONCURRENT_TRANSACTIONS: 'busy',
  GROUP_LOAD_IN_PROGRESS: 'busy',
  THROTTLING_QUOTA_EXCEEDED: 'busy',
  NOT_COORDINATOR_FOR_GROUP: 'moved',
  GROUP_COORDINATOR_NOT_AVAILABLE: 'moved',
  NOT_LEADER_FOR_PARTITION: 'moved',
  LEADER_NOT_AVAILABLE: 'moved',
  REPLICA_NOT_AVAILABLE: 'moved',
  FENCED_LEADER_EPOCH: 'moved',
  UNKNOWN_LEADER_EPOCH: 'moved',
  UNKNOWN_TOPIC_OR_PARTITION: 'moved',
  KAFKA_STORAGE_ERROR: 'moved',
  NOT_ENOUGH_REPLICAS: 'moved',
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 'moved',
  REQUEST_TIMED_OUT: 'moved',
  // What a node says that goes down or comes up in the middle of a request. Every request of ours can be repeated.
  UNKNOWN: 'moved',
  NETWORK_EXCEPTION: 'down',
  INVALID_PRODUCER_EPOCH: 'fenced',
  PRODUCER_FENCED: 'fenced',
  INVALID_PRODUCER_ID_MAPPING: 'fenced',
  INVALID_TXN_STATE: 'fenced',
  UNKNOWN_PRODUCER_ID: 'fenced',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'fenced',
  MESSAGE_TOO_LARGE: 'too_large',
  RECORD_LIST_TOO_LARGE: 'too_large',
};

const BY_NAME: Record<string, Fault> = {
  KafkaJSConnectionError: 'down',
  KafkaJSConnectionClosedError: 'down',
  KafkaJSRequestTimeoutError: 'down',
  KafkaJSBrokerNotFound: 'down',
  KafkaJSLockTimeout: 'down',
  KafkaJSNumberOfRetriesExceeded: 'down',
  KafkaJSGroupCoordinatorNotFound: 'moved',
  KafkaJSMetadataNotLoaded: 'down',
};

export function faultOf(error: unknown): Fault {
  if (!(error instanceof Error)) return 'fatal';
  const type = (error as { type?: unknown }).type;
  if (typeof type === 'string' && Object.hasOwn(BY_TYPE, type)) return BY_TYPE[type] as Fault;
  if (Object.hasOwn(BY_NAME, error.name)) return BY_NAME[error.name] as Fault;
  if (error.cause !== undefined && error.cause !== error) return faultOf(error.cause);
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^E(CONN|PIPE|HOST|NET|TIMEDOUT)/.test(code) ? 'down' : 'fatal';
}

/**
 * Another process writes under this transactional id now, or the broker gave the transaction up. What was to be committed is not
 * (unless the answer to the very commit got lost); whoever owns the partition next reads the committed offsets and goes on there.
 */
export class FencedError extends LogError {
  readonly transactionalId: string;

  constructor(transactionalId: string, cause?: unknown) {
    super(
      'fenced',
      `The transactional id "${transactionalId}" is no longer ours: give its partition up, and take it again from the committed offset.`,
      cause,
    );
    this.name = 'FencedError';
    this.transactionalId = transactionalId;
  }
}
