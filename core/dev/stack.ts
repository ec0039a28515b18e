/**
 * The whole product in one process: the composition root of `edgetape dev`. Everything is built here from finished parts, and
 * taken down here in the order in which data flows.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '#shared/clock.ts';
import type { Bar } from '#shared/bars.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import type { Config } from '../config.ts';
import type { Log } from '../log/log.ts';
import { createMetrics } from '../ops/metrics.ts';
import { mutedWhen, type Logger } from '../ops/logger.ts';
import { insistOnPort } from '../ops/port.ts';
import { createSupervisor, type DrainStep, type Failure } from '../ops/supervisor.ts';
import { version } from '../ops/version.ts';
import { createQueryApp } from '../query/app.ts';
import { createLiveState, teePublisher } from '../query/live-state.ts';
import { startQueryServer } from '../query/server.ts';
import { nextEpoch } from '../relay/epoch.ts';
import { createRelay, type Relay } from '../relay/relay.ts';
import type { MarketStore } from '../stores/stores.ts';
import { buildDashboard, DASHBOARD_DIR } from './dashboard.ts';
import { countsOf } from './counts.ts';
import { startEdge } from './edge-host.ts';
import { openBase } from './embedded.ts';
import { epochStore } from './epoch-store.ts';
import { createHealthProbe } from './health.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import { embeddedRetention } from './retention.ts';
import { keepingSignals } from './signals.ts';
import { sourcesOf } from './sources.ts';

export interface StackOptions {
  config: Config;
  clock: Clock;
  logger: Logger;
  /** 0 to 1; spreads reconnects. */
  random: () => number;
}

export interface Stack {
  /** Where users go: dashboard, sockets and REST; the core's REST alone when there is no edge. */
  url: string;
  /** Whether what is shown is simulated. */
  simulated: boolean;
  /** Resolves when a part has failed. */
  failed: Promise<Failure>;
  /** Resolves when every source has come to its end; never where one goes on for ever. */
  sourcesEnded: Promise<void>;
  /** Takes everything down in order. Resolves with the parts that did not end well. May be called again. */
  stop(): Promise<string[]>;
}

/** Starts the product. On an error whatever was started is taken down again. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { config, clock, logger } = options;
  const sources = await sourcesOf(config, clock, logger, options.random);
  const simulated = sources.some((source) => source.simulated);
  const withEdge = config.edge === 'embedded';
  const supervisor = createSupervisor({ clock, logger });
  /** In the order in which they are taken down. */
  let pipelineSteps: DrainStep[] = [];
  const outer: DrainStep[] = [];
  let stopping: Promise<string[]> | undefined;
  const stop = (): Promise<string[]> =>
    (stopping ??= supervisor.drain([...pipelineSteps, ...outer], config.drainTimeoutMs));

  try {
    const [base] = await Promise.all([
      openBase(config, { command: 'dev', clock, logger }),
      withEdge ? buildDashboard(logger) : undefined,
    ]);
    outer.unshift({ name: 'log and store', drain: () => base.close() });

    const live = createLiveState();
    const parts: Parts = { pipeline: undefined, relay: undefined };
    const startedAtMs = clock.nowMs();
    const app = createQueryApp({
      store: base.store,
      live,
      clock,
      logger: logger.child({ part: 'query' }),
      version: version(),
      requestTimeoutMs: config.requestTimeoutMs,
      health: createHealthProbe({
        log: base.log,
        partitions: config.partitions,
        checks: checks(base.log, base.store, parts, withEdge),
        clock,
      }),
      status: {
        startedAtMs,
        simulated: () => simulated,
        counts: () => countsOf(parts.pipeline?.collector.summary(), parts.pipeline?.windows.counts()),
      },
      metrics: createMetrics({
        counts: () => countsOf(parts.pipeline?.collector.summary(), parts.pipeline?.windows.counts()),
        relay: () => parts.relay?.status() ?? [],
        live,
        clock,
      }),
    });
    const query = await startQueryServer(
      app,
      withEdge ? '127.0.0.1' : config.host,
      withEdge ? config.corePort : config.port,
    );
    outer.unshift({ name: 'query', drain: () => query.stop() });

    const edge = withEdge ? await openEdge(options, base.dir.edgePath, query.url) : undefined;
    if (edge !== undefined) outer.splice(1, 0, { name: 'edge', drain: () => edge.stop() });
    if (edge !== undefined) {
      const epoch = await nextEpoch(epochStore(base.log), clock.nowMs());
      const relay = createRelay({
        edgeUrl: edge.relayUrl,
        secret: edge.secret,
        partitions: HUB_PARTITIONS,
        epoch,
        clock,
        logger: mutedWhen(() => stopping !== undefined, logger.child({ part: 'relay' })),
        random: options.random,
      });
      parts.relay = relay;
      outer.unshift({ name: 'relay', drain: () => relay.drain() });
      void supervisor.start(relay);
    }

    const publishers = parts.relay === undefined ? [live] : [live, parts.relay.publisher];
    const pipeline = createPipeline({
      log: base.log,
      store: base.store,
      sources,
      partitions: config.partitions,
      live: teePublisher(publishers),
      clock,
      logger,
    });
    parts.pipeline = pipeline;
    pipelineSteps = pipeline.drainSteps(supervisor);
    const sourcesEnded = pipeline.start(supervisor);
    const retention = embeddedRetention(base.log, clock, logger);
    outer.unshift({ name: 'retention', drain: () => retention.drain() });
    void supervisor.start(retention);
    if (parts.relay !== undefined) {
      const seeding = seedHistory(base.store, parts.relay, logger, () => stopping !== undefined);
      outer.unshift({ name: 'bars of earlier runs', drain: () => seeding });
    }
    const url = edge?.url ?? query.url;
    base.dir.announce(url);
    return { url, simulated, failed: supervisor.failed, sourcesEnded, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Parts {
  pipeline: Pipeline | undefined;
  relay: Relay | undefined;
}

/** Partitions of the relay's sequences, one hub each. */
const HUB_PARTITIONS = 4;

async function openEdge(
  options: StackOptions,
  stateDir: string,
  coreUrl: string,
): Promise<{ url: string; relayUrl: string; secret: string; stop(): Promise<void> }> {
  const { config, logger } = options;
  const secret = config.relaySecret === '' ? randomBytes(24).toString('base64url') : config.relaySecret;
  await insistOnPort(config.host, config.port);
  // Miniflare ends the process at the first Ctrl-C, before anything is drained.
  const edge = await keepingSignals(() =>
    startEdge({
      host: config.host,
      port: config.port,
      hubPartitions: HUB_PARTITIONS,
      coreUrl,
      relaySecret: secret,
      stateDir,
      assetsDir: DASHBOARD_DIR,
      logger: logger.child({ part: 'edge' }),
    }),
  );
  return { ...edge, secret };
}

function checks(log: Log, store: MarketStore, parts: Parts, withEdge: boolean) {
  const list = [
    { name: 'log', check: async () => (await log.topics(), 'up' as const) },
    {
      name: 'store',
      async check() {
        await store.ping();
        const [trouble] = Object.values(parts.pipeline?.sink.troubles() ?? {});
        if (trouble !== undefined) throw new Error(trouble);
        return 'up' as const;
      },
    },
    { name: 'pipeline', check: async () => (parts.pipeline === undefined ? ('starting' as const) : ('up' as const)) },
  ];
  if (withEdge)
    list.push({
      name: 'relay',
      async check() {
        if (parts.relay === undefined) return 'starting' as const;
        if (parts.relay.status().some(({ link }) => link !== 'live')) throw new Error('a hub is not linked');
        return 'up' as const;
      },
    });
  return list;
}

/** Bars that a screen gets with its first snapshot (SPEC SU-9). */
const SEED_BARS = 300;

/** Gives the relay the bars of earlier runs. A store that does not answer leaves screens with the bars of this run only. */
async function seedHistory(store: MarketStore, relay: Relay, logger: Logger, stopped: () => boolean): Promise<void> {
  try {
    for (const { venue, symbol } of await store.instruments()) {
      for (const timeframe of TIMEFRAMES) {
        if (stopped()) return;
        const bars: Bar[] = [];
        for await (const batch of store.bars({
          instrument: `${venue}:${symbol}`,
          timeframe,
          limit: SEED_BARS,
          newestFirst: true,
        }))
          bars.push(...batch);
        relay.seedBars(bars.sort((a, b) => a.startMs - b.startMs));
      }
    }
  } catch (error) {
    logger.warn('bars of earlier runs are not there for the screens', {
      error: error instanceof Error ? error.message : String(error),
    });
  }
}
