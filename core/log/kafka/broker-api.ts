/** What is used of kafkajs's connections to one node, and of their requests. Types only; the values are in internals.ts. */

export interface TopicPartitions {
  topic: string;
  partitions: number[];
}

export interface PartitionOffset {
  partition: number;
  offset: string;
}

/** How long the broker asks to be left alone (KIP-219), ms: kafkajs keeps to it. */
export interface Throttled {
  clientSideThrottleTime: number;
}

/** A request as kafkajs's connections take it. */
export interface RawRequest<T extends Throttled> {
  request: {
    apiKey: number;
    apiVersion: number;
    apiName: string;
    encode: () => Promise<{ buf: Buffer; buffer: Buffer }>;
  };
  response: { decode: (payload: Buffer) => Promise<T>; parse: (decoded: T) => Promise<T> };
  requestTimeout?: number;
  logResponseError?: boolean;
}

export interface Producer {
  transactionalId: string;
  producerId: string;
  producerEpoch: number;
}

/** What is used of kafkajs's Broker: one connection to one node. Errors are kafkajs's; see faults.ts. */
export interface BrokerApi {
  findGroupCoordinator(request: {
    groupId: string;
    coordinatorType: number;
  }): Promise<{ coordinator: { nodeId: number } }>;
  initProducerId(request: {
    transactionalId: string;
    transactionTimeout: number;
  }): Promise<{ producerId: string; producerEpoch: number }>;
  addPartitionsToTxn(request: Producer & { topics: TopicPartitions[] }): Promise<unknown>;
  addOffsetsToTxn(request: Producer & { groupId: string }): Promise<unknown>;
  txnOffsetCommit(
    request: Producer & { groupId: string; topics: { topic: string; partitions: PartitionOffset[] }[] },
  ): Promise<unknown>;
  endTxn(request: Producer & { transactionResult: boolean }): Promise<unknown>;
  listOffsets(request: {
    replicaId: number;
    isolationLevel: number;
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[];
  }): Promise<{ responses: { partitions: PartitionOffset[] }[] }>;
  offsetFetch(request: {
    groupId: string;
    topics: { topic: string; partitions: { partition: number }[] }[];
  }): Promise<{ responses: { partitions: PartitionOffset[] }[] }>;
  joinGroup(request: {
    groupId: string;
    sessionTimeout: number;
    rebalanceTimeout: number;
    memberId: string;
    protocolType: string;
    groupProtocols: { name: string; metadata: Buffer }[];
  }): Promise<{
    generationId: number;
    leaderId: string;
    memberId: string;
    /** For the leader only. */
    members: { memberId: string; memberMetadata: Buffer | null }[];
  }>;
  syncGroup(request: {
    groupId: string;
    generationId: number;
    memberId: string;
    groupAssignment: { memberId: string; memberAssignment: Buffer }[];
  }): Promise<{ memberAssignment: Buffer | null }>;
  heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>;
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
  deleteRecords(request: { topics: { topic: string; partitions: PartitionOffset[] }[] }): Promise<unknown>;
}
