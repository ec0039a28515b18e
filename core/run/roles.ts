/**
 * Some roles of the core in one process, over Kafka: the composition root of `edgetape run`. The same parts as in core/dev, with
 * the work shared among processes.
 */
import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import type { Config } from '../config.ts';
import { openDataDir } from '../dev/data-dir.ts';
import { countsOf } from '../dev/counts.ts';
import { epochStore } from '../dev/epoch-store.ts';
import { openStore } from '../dev/embedded.ts';
import { createHealthProbe, type Check } from '../dev/health.ts';
import { sourcesOf } from '../dev/sources.ts';
import type { Assignment } from '../log/assignment.ts';
import type { KafkaLog } from '../log/kafka.ts';
import { lagsOf } from '../log/lag.ts';
import { createMetrics } from '../ops/metrics.ts';
import { mutedWhen, type Logger } from '../ops/logger.ts';
import { createSupervisor, type DrainStep, type Failure } from '../ops/supervisor.ts';
import { version } from '../ops/version.ts';
import { createQueryApp } from '../query/app.ts';
import { createLiveState, teePublisher } from '../query/live-state.ts';
import { startQueryServer } from '../query/server.ts';
import { nextEpoch } from '../relay/epoch.ts';
import { createRelay, type Relay } from '../relay/relay.ts';
import type { LivePublisher } from '../relay/live.ts';
import type { Service } from '../service.ts';
import { createSink, sharesOf, type Sink } from '../stores/sink.ts';
import type { MarketStore } from '../stores/stores.ts';
import { createLogHistory } from '../windows/log-history.ts';
import { createWindows, type Windows } from '../windows/pipeline.ts';
import { createCollectorRole, type CollectorRole } from './collector-role.ts';
import { createFollower } from './follower.ts';
import { startHealthServer } from './health-server.ts';
import { insistOnOwnStore } from './own-store.ts';
import { openLog, partitionsOf, specsOf } from './kafka.ts';

export const ROLES = ['collector', 'windows', 'sink', 'query', 'relay'] as const;
export type Role = (typeof ROLES)[number];

/** Partitions of the relay's sequences, one hub each. */
const HUB_PARTITIONS = 4;

export interface RolesOptions {
  config: Config;
  roles: ReadonlySet<Role>;
  clock: Clock;
  logger: Logger;
  /** 0 to 1; spreads reconnects. */
  random: () => number;
  /** Ends the wait for a broker that is not there at the start. */
  stop: AbortSignal;
}

export interface RunningRoles {
  /** What is served, a line each. */
  serves: string[];
  failed: Promise<Failure>;
  /** Resolves when every source has come to its end; never in a process that has more to do than to collect. */
  ended: Promise<void>;
  /** Takes everything down in order. Resolves with the parts that did not end well. */
  stop(): Promise<string[]>;
}

interface Parts {
  collector?: CollectorRole;
  windows?: Windows;
  sink?: Sink;
  relay?: Relay;
}

/** Starts them. On an error whatever was started is taken down again. */
export async function startRoles(options: RolesOptions): Promise<RunningRoles> {
  const { config, roles, clock, logger } = options;
  const supervisor = createSupervisor({ clock, logger });
  /** In the order in which they are taken down: who takes things in first, what the others stand on last. */
  const steps: Record<'collector' | 'windows' | 'sink' | 'follower' | 'relay' | 'query' | 'health', DrainStep[]> = {
    collector: [],
    windows: [],
    sink: [],
    follower: [],
    relay: [],
    query: [],
    health: [],
  };
  const base: DrainStep[] = [];
  let stopping: Promise<string[]> | undefined;
  const stop = (): Promise<string[]> =>
    (stopping ??= supervisor.drain([...Object.values(steps).flat(), ...base], config.drainTimeoutMs));
  const runs = new Map<string, Promise<void>>();
  const run = (step: keyof typeof steps, service: Service): void => {
    steps[step].push({ name: service.name, drain: () => service.drain() });
    runs.set(service.name, supervisor.start(service));
  };

  try {
    const log = await openLog(config, { clock, logger, patience: options.stop });
    base.unshift({ name: 'log', drain: () => log.close() });
    const partitions = await partitionsOf(log, config);
    await log.ensureTopics(specsOf(config, partitions));
    const { sessionTimeoutMs } = config;
    const timeouts = { sessionTimeoutMs, rebalanceTimeoutMs: Math.max(sessionTimeoutMs, config.drainTimeoutMs) };
    const memberships: Partial<Record<Role, Assignment>> = {};
    const store = roles.has('sink') || roles.has('query') ? await takeStore(config, clock, base) : undefined;
    if (roles.has('sink') && config.clickhouseUrl === '') await insistOnOwnStore(log, config.dataDir);
    const parts: Parts = {};
    const serves: string[] = [];

    const live = createLiveState();
    const publishers: LivePublisher[] = [live];
    if (roles.has('relay')) {
      const relay = createRelay({
        edgeUrl: config.edgeUrl,
        secret: config.relaySecret,
        partitions: HUB_PARTITIONS,
        epoch: await nextEpoch(epochStore(log), clock.nowMs()),
        clock,
        logger: mutedWhen(() => stopping !== undefined, logger.child({ part: 'relay' })),
        random: options.random,
      });
      parts.relay = relay;
      publishers.push(relay.publisher);
      run('relay', relay);
    }
    if (roles.has('sink') && store !== undefined) {
      const assignment = (memberships.sink = log.membership('sink', timeouts));
      parts.sink = createSink({ log, store, partitions, clock, logger, assignment });
      run('sink', parts.sink);
    }
    const shows = roles.has('query') || roles.has('relay');
    // Other processes may have windows too: what is shown then comes from the log, where all of it stands.
    if (shows) run('follower', createFollower({ log, partitions, live: teePublisher(publishers) }));
    if (roles.has('windows')) {
      const assignment = (memberships.windows = log.membership('windows', timeouts));
      const history = createLogHistory(log, partitions);
      parts.windows = createWindows({ log, partitions, history, clock, logger, assignment });
      run('windows', parts.windows);
    }
    if (roles.has('collector')) {
      parts.collector = createCollectorRole({
        log,
        openSources: () => sourcesOf(config, clock, logger, options.random),
        partitions,
        clock,
        logger,
        spool: { folder: join(config.dataDir, 'spool'), maxBytes: config.bufferMb * 1_048_576 },
        owner: `${config.clientId} ${process.pid} ${clock.nowMs()}`,
      });
      run('collector', parts.collector);
    }

    const counts = () => countsOf(parts.collector?.summary(), parts.windows?.counts());
    const metrics = createMetrics({
      counts,
      relay: () => parts.relay?.status() ?? [],
      live,
      clock,
      lags: () =>
        lagsOf(
          log,
          () => clock.nowMs(),
          (group, partition) => holds(memberships, group, partition, partitions),
        ),
      held: () =>
        Object.fromEntries(Object.entries(memberships).map(([role, assignment]) => [role, assignment.held().length])),
      bufferedBytes: () => parts.collector?.buffered().bytes ?? 0,
      waitingRows: () => parts.collector?.waitingRows() ?? 0,
    });
    const checks = checksOf(log, store, parts);
    if (roles.has('query') && store !== undefined) {
      const app = createQueryApp({
        store,
        live,
        clock,
        logger: logger.child({ part: 'query' }),
        version: version(),
        requestTimeoutMs: config.requestTimeoutMs,
        health: createHealthProbe({ log, partitions, checks, clock }),
        status: {
          startedAtMs: clock.nowMs(),
          simulated: () => live.venues().some(({ simulated }) => simulated),
          counts,
        },
        metrics,
      });
      const server = await startQueryServer(app, config.host, config.port);
      steps.query.push({ name: 'query', drain: () => server.stop() });
      serves.push(server.url);
    }
    if (config.healthPort !== 0) {
      const probe = createHealthProbe({ log, partitions, checks, clock });
      const unready = async (): Promise<string[]> => {
        const dependencies = await probe.dependencies();
        return dependencies.filter(({ state }) => state !== 'up').map(({ name, state }) => `${name} ${state}`);
      };
      const server = await startHealthServer({ host: config.host, port: config.healthPort, unready, metrics });
      steps.health.push({ name: 'health', drain: () => server.stop() });
      serves.push(`${server.url}/readyz`);
    }
    const alone = roles.size === 1 && roles.has('collector');
    const ended = alone ? (runs.get('collector') ?? Promise.resolve()) : new Promise<void>(() => {});
    return { serves, failed: supervisor.failed, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The store of the configuration, with its schema up to date. A folder is taken only where the store is in it. */
async function takeStore(config: Config, clock: Clock, base: DrainStep[]): Promise<MarketStore> {
  const dir = openDataDir(config.dataDir, { command: 'run' });
  base.push({ name: 'data folder', drain: async () => dir.release() });
  const store = await openStore(config, dir, clock);
  base.unshift({ name: 'store', drain: () => store.close() });
  await store.migrate();
  return store;
}

function checksOf(log: KafkaLog, store: MarketStore | undefined, parts: Parts): Check[] {
  const checks: Check[] = [{ name: 'log', check: async () => (await log.topics(), 'up') }];
  if (store !== undefined)
    checks.push({
      name: 'store',
      async check() {
        await store.ping();
        const [trouble] = Object.values(parts.sink?.troubles() ?? {});
        if (trouble !== undefined) throw new Error(trouble);
        return 'up';
      },
    });
  if (parts.collector !== undefined)
    checks.push({
      name: 'feeds',
      async check() {
        if ((parts.collector?.buffered().full.length ?? 0) > 0) throw new Error('a feed is held: no more room on disk');
        return 'up';
      },
    });
  if (parts.relay !== undefined)
    checks.push({
      name: 'relay',
      async check() {
        if (parts.relay?.status().some(({ link }) => link !== 'live')) throw new Error('a hub is not linked');
        return 'up';
      },
    });
  return checks;
}

/** Whether this process holds the group's share in which the partition is. */
function holds(
  memberships: Partial<Record<Role, Assignment>>,
  group: string,
  partition: number,
  partitions: number,
): boolean {
  if (group === 'windows') return memberships.windows?.held().includes(partition) ?? false;
  return memberships.sink?.held().includes(partition % sharesOf(partitions)) ?? false;
}
