/** Apache Kafka as one KRaft node, from its Maven Central jars: no image, no tarball. Needs Java 17 and Maven. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, launch, listening, onPath, type LocalService, type Started } from './service.ts';

export const KAFKA_VERSION = '4.3.0';
const here = new URL('.', import.meta.url).pathname;
const JARS = new URL(`../../.edgetape/jars/kafka-${KAFKA_VERSION}`, import.meta.url).pathname;

export const kafka: LocalService = {
  name: 'kafka',

  missing() {
    const absent = ['java', ...(existsSync(JARS) ? [] : ['mvn'])].filter((command) => onPath(command) === undefined);
    return absent.length === 0
      ? undefined
      : `Kafka needs ${absent.join(' and ')} on the PATH (Java 17 or newer, and Maven to bring the broker's jars).`;
  },

  start: (dataDir, temporary) => startKafka({ dataDir, temporary }),
};

export interface KafkaStart {
  dataDir: string;
  temporary: boolean;
  /** A free one when absent. With the folder and the port of an earlier start, clients find their broker again. */
  port?: number;
}

export async function startKafka({ dataDir, temporary, port: wanted }: KafkaStart): Promise<Started> {
  bringJars();
  const port = wanted ?? (await freePort());
  const controllerPort = await freePort();
  mkdirSync(dataDir, { recursive: true });
  const config = join(dataDir, 'server.properties');
  writeFileSync(config, properties(dataDir, port, controllerPort));
  if (!existsSync(join(dataDir, 'log', 'meta.properties'))) {
    const clusterId = randomBytes(16).toString('base64url');
    java(['-Xmx128m'], 'kafka.tools.StorageTool', ['format', '--standalone', '-t', clusterId, '-c', config]);
  }
  const pid = launch('kafka', dataDir, 'java', [
    '-Xms256m',
    '-Xmx512m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=4',
    `-Dlog4j2.configurationFile=${join(here, 'kafka-log4j2.properties')}`,
    '-cp',
    `${JARS}/*`,
    'kafka.Kafka',
    config,
  ]);
  await listening('kafka', pid, port, dataDir);
  return {
    name: 'kafka',
    version: KAFKA_VERSION,
    pid,
    port,
    address: `127.0.0.1:${port}`,
    dataDir,
    marker: dataDir,
    temporary,
  };
}

function java(options: string[], main: string, args: string[]): void {
  execFileSync(
    'java',
    [
      ...options,
      `-Dlog4j2.configurationFile=${join(here, 'kafka-log4j2.properties')}`,
      '-cp',
      `${JARS}/*`,
      main,
      ...args,
    ],
    { stdio: 'pipe' },
  );
}

/** Once a version: 46 jars, 44 MB, into `.edgetape/jars`. Two that bring them at the same time do not disturb each other. */
export function bringJars(): void {
  if (existsSync(JARS)) return;
  console.log(`Bringing Kafka ${KAFKA_VERSION} (44 MB, once) ...`);
  const staging = `${JARS}.part-${process.pid}`;
  mkdirSync(staging, { recursive: true });
  copyFileSync(join(here, 'kafka-pom.xml'), join(staging, 'pom.xml'));
  execFileSync(
    'mvn',
    [
      '-q',
      '-B',
      `-Dkafka.version=${KAFKA_VERSION}`,
      '-f',
      join(staging, 'pom.xml'),
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${staging}`,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (!readdirSync(staging).some((jar) => jar === `kafka_2.13-${KAFKA_VERSION}.jar`))
    throw new Error(`Maven brought no broker of version ${KAFKA_VERSION}`);
  try {
    renameSync(staging, JARS);
  } catch (error) {
    if (!existsSync(JARS)) throw error;
    rmSync(staging, { recursive: true });
  }
}

function properties(dataDir: string, port: number, controllerPort: number): string {
  const settings: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': join(dataDir, 'log'),
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'offsets.retention.minutes': 43_200,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'group.initial.rebalance.delay.ms': 0,
    // A dead process's work goes to others after --session-timeout-ms; brokers take no less than 6 s by themselves.
    'group.min.session.timeout.ms': 500,
    // A broker that was killed may come back once its session has ended: soon.
    'broker.session.timeout.ms': 3_000,
    'broker.heartbeat.interval.ms': 500,
    'auto.create.topics.enable': 'false',
    'message.max.bytes': 2_097_152,
    'num.network.threads': 2,
    'num.io.threads': 4,
  };
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}
