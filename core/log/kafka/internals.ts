/**
 * The one place that reaches behind kafkajs's public face. kafkajs is pinned to 2.2.4 and its project is frozen, so these paths do
 * not move. Public kafkajs cannot do what the log needs: it reads by group only, hides markers' offsets, gives up a commit whose
 * answer got lost, and retries transactions with fixed back-off. Here its cluster, connections and request encoders are used as a
 * plain protocol client; fetching, producing, transactions and retries are ours.
 */
import { createRequire } from 'node:module';
import type { SASLOptions } from 'kafkajs';
import type { Logger } from '../../ops/logger.ts';
import type { BrokerApi, RawRequest, Throttled } from './broker-api.ts';

const require = createRequire(import.meta.url);

interface Connection {
  socket?: { destroy(): void };
  rejectRequests(error: Error): void;
  disconnect(): Promise<unknown>;
  send<T extends Throttled>(request: RawRequest<T>): Promise<T>;
}

interface ConnectionPool {
  host: string;
  port: number;
  pool: Connection[];
  getConnection(index: number): Promise<Connection>;
}

interface Broker extends BrokerApi {
  connectionPool: ConnectionPool;
  isConnected(): boolean;
  connect(): Promise<void>;
}

interface Metadata {
  brokers: { nodeId: number; host: string; port: number; rack: string | null }[];
  topicMetadata: {
    topic: string;
    isInternal: boolean;
    partitionMetadata: { partitionId: number; leader: number }[];
  }[];
}

interface Cluster {
  rootLogger: unknown;
  brokerPool: {
    metadata: Metadata | null;
    versions: unknown;
    brokers: Record<string, Broker>;
    seedBroker?: Broker;
    findConnectedBroker(): Promise<Broker>;
  };
  connectionPoolBuilder: {
    build(to: { host: string; port: number; rack: string | null }): Promise<ConnectionPool>;
  };
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
}

const ClusterClass = require('kafkajs/src/cluster') as new (options: Record<string, unknown>) => Cluster;
const BrokerClass = require('kafkajs/src/broker') as new (options: Record<string, unknown>) => Broker;
const socketFactory = require('kafkajs/src/network/socketFactory') as () => unknown;
const { createLogger } = require('kafkajs/src/loggers') as {
  createLogger: (options: { level: number; logCreator: () => (entry: KafkajsLogEntry) => void }) => unknown;
};
const { errorCodes, createErrorFromCode } = require('kafkajs/src/protocol/error') as {
  createErrorFromCode: (code: number) => Error;
  errorCodes: { type: string; code: number; retriable: boolean; message: string }[];
};
const RequestQueue = require('kafkajs/src/network/requestQueue') as { prototype: RequestQueueState };

interface KafkajsLogEntry {
  level: number;
  namespace: string;
  log: { message: string; broker?: string };
}

interface RequestQueueState {
  pending: unknown[];
  inflight: Map<number, { sentAt: number; requestTimeout: number; timeoutRequest(): void }>;
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  requestTimeoutIntervalId?: NodeJS.Timeout;
  isConnected(): boolean;
  destroy(): void;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
  scheduleRequestTimeoutCheck(): void;
}

export const COORDINATOR = { group: 0, transaction: 1 } as const;
export type CoordinatorKind = (typeof COORDINATOR)[keyof typeof COORDINATOR];

let patched = false;

/**
 * Once a process:
 * - kafkajs arms a timer of ≤ 1 ms after every check of an empty request queue, for ever, on every connection. Nothing pending:
 *   nothing to look at; a full window of requests is looked at again when one of them is answered.
 * - it looks for timed out requests ten times a second on every connection: once is enough for timeouts of seconds.
 * - error codes that came after it get their names.
 */
function patchOnce(): void {
  if (patched) return;
  patched = true;
  const queue = RequestQueue.prototype;
  queue.scheduleCheckPendingRequests = function scheduleCheckPendingRequests(this: RequestQueueState): void {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
    const throttledMs = this.throttledUntil - Date.now();
    if (throttledMs <= 0 && this.inflight.size > 0) return;
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      Math.max(1, throttledMs),
    );
  };
  queue.scheduleRequestTimeoutCheck = function scheduleRequestTimeoutCheck(this: RequestQueueState): void {
    this.destroy();
    this.requestTimeoutIntervalId = setInterval(() => {
      const nowMs = Date.now();
      for (const request of this.inflight.values())
        if (nowMs - request.sentAt > request.requestTimeout) request.timeoutRequest();
      if (!this.isConnected()) this.destroy();
    }, 1_000);
    this.requestTimeoutIntervalId.unref();
  };
  for (const [code, type] of [
    [90, 'PRODUCER_FENCED'],
    [120, 'TRANSACTION_ABORTABLE'],
  ] as const)
    if (!errorCodes.some((known) => known.code === code))
      errorCodes.push({ type, code, retriable: false, message: type.toLowerCase().replaceAll('_', ' ') });
}

/** kafkajs's error of a code of the protocol. */
export function errorOf(code: number): Error {
  return createErrorFromCode(code);
}

export interface WireOptions {
  /** `host:port` of one or more brokers. */
  brokers: readonly string[];
  clientId: string;
  logger: Logger;
  requestTimeoutMs: number;
  connectionTimeoutMs: number;
  ssl?: boolean;
  sasl?: SASLOptions;
}

interface ClusterIndex {
  metadata: Metadata | null;
  partitions: ReadonlyMap<string, number>;
  leaders: ReadonlyMap<string, ReadonlyMap<number, number>>;
}

/** What the cluster looks like, and connections to its nodes. */
export class Wire {
  readonly #cluster: Cluster;
  readonly #lanes = new Set<Lanes>();
  #indexed: ClusterIndex | undefined;

  constructor(options: WireOptions) {
    patchOnce();
    const { logger } = options;
    this.#cluster = new ClusterClass({
      logger: createLogger({
        level: 2,
        // What kafkajs calls an error is mostly a retry of ours: faults that matter are logged where they are handled.
        logCreator: () => (entry) => {
          logger.debug(entry.log.message, { part: entry.namespace, broker: entry.log.broker });
        },
      }),
      socketFactory: socketFactory(),
      brokers: [...options.brokers],
      clientId: options.clientId,
      connectionTimeout: options.connectionTimeoutMs,
      requestTimeout: options.requestTimeoutMs,
      enforceRequestTimeout: true,
      metadataMaxAge: 300_000,
      allowAutoTopicCreation: false,
      isolationLevel: 1,
      retry: { retries: 2, initialRetryTime: 20, maxRetryTime: 200 },
      ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
      ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
    });
  }

  async refresh(): Promise<void> {
    await this.#cluster.connect();
    await this.#cluster.refreshMetadata();
  }

  /** Partition counts as of the last refresh. */
  topics(): ReadonlyMap<string, number> {
    return this.#index().partitions;
  }

  /** Node that leads the partition as of the last refresh; undefined when there is none. */
  leader(topic: string, partition: number): number | undefined {
    const found = this.#index().leaders.get(topic)?.get(partition);
    return found === undefined || found < 0 ? undefined : found;
  }

  #index(): ClusterIndex {
    const { metadata } = this.#cluster.brokerPool;
    if (this.#indexed?.metadata !== metadata) {
      const topics = (metadata?.topicMetadata ?? []).filter((topic) => !topic.isInternal);
      this.#indexed = {
        metadata,
        partitions: new Map(topics.map((topic) => [topic.topic, topic.partitionMetadata.length])),
        leaders: new Map(
          topics.map((topic) => [
            topic.topic,
            new Map(topic.partitionMetadata.map(({ partitionId, leader }) => [partitionId, leader])),
          ]),
        ),
      };
    }
    return this.#indexed;
  }

  async coordinator(kind: CoordinatorKind, id: string): Promise<number> {
    const broker = await this.#cluster.brokerPool.findConnectedBroker();
    const { coordinator } = await broker.findGroupCoordinator({ groupId: id, coordinatorType: kind });
    return coordinator.nodeId;
  }

  /** A set of connections of its own, one a node: a broker answers the requests of one connection one after the other. */
  lanes(): Lanes {
    const lanes = new Lanes(this.#cluster);
    this.#lanes.add(lanes);
    return lanes;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#lanes].map((lanes) => lanes.close()));
    const { brokers, seedBroker } = this.#cluster.brokerPool;
    for (const broker of [...Object.values(brokers), ...(seedBroker === undefined ? [] : [seedBroker])]) cut(broker);
    await this.#cluster.disconnect();
  }
}

export class Lanes {
  readonly #cluster: Cluster;
  readonly #nodes = new Map<number, Broker>();
  #closed = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** The connection to the node, opened when needed. */
  async to(nodeId: number): Promise<BrokerApi> {
    return this.#broker(nodeId);
  }

  /** Sends a request that kafkajs does not know in this form. */
  async send<T extends Throttled>(nodeId: number, request: RawRequest<T>): Promise<T> {
    const broker = await this.#broker(nodeId);
    const connection = await broker.connectionPool.getConnection(0);
    return connection.send(request);
  }

  /** Closes the connection to the node at once; what was under way on it fails. The next use opens a new one. */
  cut(nodeId: number): void {
    const broker = this.#nodes.get(nodeId);
    this.#nodes.delete(nodeId);
    if (broker !== undefined) cut(broker);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const nodeId of this.#nodes.keys()) this.cut(nodeId);
  }

  async #broker(nodeId: number): Promise<Broker> {
    const node = this.#cluster.brokerPool.metadata?.brokers.find((candidate) => candidate.nodeId === nodeId);
    if (node === undefined || this.#closed) throw new NoBrokerError(nodeId);
    let broker = this.#nodes.get(nodeId);
    if (
      broker !== undefined &&
      (broker.connectionPool.host !== node.host || broker.connectionPool.port !== node.port)
    ) {
      this.cut(nodeId);
      broker = undefined;
    }
    if (broker === undefined) {
      broker = new BrokerClass({
        connectionPool: await this.#cluster.connectionPoolBuilder.build(node),
        logger: this.#cluster.rootLogger,
        nodeId,
        versions: this.#cluster.brokerPool.versions,
        allowAutoTopicCreation: false,
      });
      const other = this.#nodes.get(nodeId);
      if (other === undefined) this.#nodes.set(nodeId, broker);
      else broker = other;
    }
    if (!broker.isConnected()) await broker.connect();
    return broker;
  }
}

/** The node is not known (any more): look at the cluster again. */
export class NoBrokerError extends Error {
  constructor(nodeId: number) {
    super(`Broker ${nodeId} is not known`);
    this.name = 'KafkaJSBrokerNotFound';
  }
}

function cut(broker: Broker): void {
  for (const connection of broker.connectionPool.pool) {
    connection.rejectRequests(new ConnectionCutError());
    connection.socket?.destroy();
    connection.disconnect().catch(() => undefined);
  }
}

class ConnectionCutError extends Error {
  constructor() {
    super('The connection was closed here');
    this.name = 'KafkaJSConnectionClosedError';
  }
}
