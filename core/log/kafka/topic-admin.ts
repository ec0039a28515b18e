/** Creates topics, and says where the cluster differs from their specs. Its connections live only as long as a call. */
import kafkajs, { type Admin, type SASLOptions } from 'kafkajs';
import type { TopicSpec } from '../log.ts';
import { topicConfig } from '../topics.ts';

export interface TopicAdminOptions {
  brokers: readonly string[];
  clientId: string;
  replicas: number;
  ssl?: boolean;
  sasl?: SASLOptions;
}

// kafkajs is CommonJS, and builds its exports in a way that their names are not known to an import.
const { ConfigResourceTypes, Kafka, logLevel } = kafkajs;

/** Group offsets of a partition that is quiet for that long are forgotten by the broker: at least 30 days, min. */
const LEAST_OFFSETS_RETENTION_MIN = 43_200;

export class TopicAdmin {
  readonly #kafka: InstanceType<typeof Kafka>;
  readonly #replicas: number;

  constructor({ brokers, clientId, replicas, ssl, sasl }: TopicAdminOptions) {
    this.#kafka = new Kafka({
      brokers: [...brokers],
      clientId: `${clientId}-admin`,
      logLevel: logLevel.NOTHING,
      retry: { retries: 8, initialRetryTime: 50, maxRetryTime: 1_000 },
      ...(ssl === undefined ? {} : { ssl }),
      ...(sasl === undefined ? {} : { sasl }),
    });
    this.#replicas = replicas;
  }

  /** Creates them all, and does not wait until their leaders answer; one that somebody else created meanwhile is left as it is. */
  async create(topics: readonly TopicSpec[]): Promise<void> {
    if (topics.length === 0) return;
    await this.#with((admin) =>
      admin.createTopics({
        // kafkajs would wait with a metadata request that rejects while a broker has not heard of the topic.
        waitForLeaders: false,
        timeout: 30_000,
        topics: topics.map((spec) => ({
          topic: spec.name,
          numPartitions: spec.partitions,
          replicationFactor: spec.replicas ?? this.#replicas,
          configEntries: Object.entries(topicConfig(spec, spec.replicas ?? this.#replicas)).map(([name, value]) => ({
            name,
            value,
          })),
        })),
      }),
    );
  }

  async drift(topics: readonly TopicSpec[], known: ReadonlyMap<string, number>): Promise<string[]> {
    const sentences = topics
      .filter(({ name }) => !known.has(name))
      .map(({ name }) => `Topic "${name}" does not exist.`);
    const existing = topics.filter(({ name }) => known.has(name));
    for (const { name, partitions } of existing)
      if (known.get(name) !== partitions)
        sentences.push(`Topic "${name}" has ${known.get(name)} partitions instead of ${partitions}.`);
    if (existing.length === 0) return sentences;
    return this.#with(async (admin) => {
      sentences.push(...(await this.#topicDrift(admin, existing)), ...(await brokerDrift(admin)));
      return sentences;
    });
  }

  async #topicDrift(admin: Admin, topics: readonly TopicSpec[]): Promise<string[]> {
    const sentences: string[] = [];
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: topics.map(({ name }) => ({ type: ConfigResourceTypes.TOPIC, name })),
    });
    const metadata = await admin.fetchTopicMetadata({ topics: topics.map(({ name }) => name) });
    for (const spec of topics) {
      const replicas = spec.replicas ?? this.#replicas;
      const copies = metadata.topics.find(({ name }) => name === spec.name)?.partitions[0]?.replicas.length;
      if (copies !== replicas) sentences.push(`Topic "${spec.name}" has ${copies} replicas instead of ${replicas}.`);
      const entries = resources.find(({ resourceName }) => resourceName === spec.name)?.configEntries ?? [];
      for (const [name, wanted] of Object.entries(topicConfig(spec, replicas))) {
        const found = entries.find(({ configName }) => configName === name)?.configValue;
        if (found !== wanted) sentences.push(`Topic "${spec.name}" has ${name}=${found} instead of ${wanted}.`);
      }
    }
    return sentences;
  }

  async #with<T>(use: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = this.#kafka.admin();
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }
}

async function brokerDrift(admin: Admin): Promise<string[]> {
  const { brokers } = await admin.describeCluster();
  const name = String(brokers[0]?.nodeId ?? 0);
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.BROKER, name, configNames: ['offsets.retention.minutes'] }],
  });
  const minutes = Number(resources[0]?.configEntries[0]?.configValue ?? LEAST_OFFSETS_RETENTION_MIN);
  return minutes >= LEAST_OFFSETS_RETENTION_MIN
    ? []
    : [
        `The brokers forget group offsets after ${minutes} minutes (offsets.retention.minutes): a partition that is quiet for longer would be read from its start. Set at least ${LEAST_OFFSETS_RETENTION_MIN}.`,
      ];
}
