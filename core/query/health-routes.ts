/** How the service is doing: /v1/health, /v1/status. */
import type { Clock } from '#shared/clock.ts';
import { healthResponseSchema, statusResponseSchema, type HealthView, type StatusView } from '#shared/market.ts';
import { PROTOCOL_VERSION } from '#shared/protocol/version.ts';
import { route, type Route } from './answer.ts';
import type { LiveState } from './live-state.ts';

/** What the parts say of themselves. Never rejects; a check that does not answer is `down`. */
export interface HealthProbe {
  dependencies(): Promise<HealthView['dependencies']>;
  lag(): Promise<HealthView['lag']>;
}

export interface StatusProbe {
  startedAtMs: number;
  simulated(): boolean;
  counts(): StatusView['counts'];
}

export interface HealthDeps {
  live: LiveState;
  clock: Clock;
  version: string;
  health: HealthProbe;
  status: StatusProbe;
}

export function healthRoutes(deps: HealthDeps): Route[] {
  return [
    route({
      path: '/v1/health',
      operationId: 'getHealth',
      summary: 'Health',
      description:
        'Whether the service lives and is ready, each thing it needs, how far the parts are behind the log, and how old the data is. 503 while not ready.',
      tag: 'service',
      params: {},
      schema: healthResponseSchema,
      unready: 'Not ready',
      example: {
        asOfMs: 1394604000000,
        status: 'ok',
        live: true,
        ready: true,
        uptimeMs: 65000,
        dependencies: [{ name: 'store', state: 'up', checkMs: 2 }],
        lag: [{ part: 'windows', lagMs: 0, records: 0 }],
        watermarkMs: 1394603999000,
        dataAgeMs: 320,
      },
      async answer() {
        const [dependencies, lag] = await Promise.all([deps.health.dependencies(), deps.health.lag()]);
        const nowMs = deps.clock.nowMs();
        const json = healthView(deps, dependencies, lag, nowMs);
        return { json, freshness: 'never', status: json.ready ? 200 : 503 };
      },
    }),
    route({
      path: '/v1/status',
      operationId: 'getStatus',
      summary: 'Status of the venues, and counts',
      description:
        'Which venues bring data, whether it is simulated, and how many ticks came late, twice or were refused.',
      tag: 'service',
      params: {},
      schema: statusResponseSchema,
      example: STATUS_EXAMPLE,
      async answer() {
        const venues = deps.live
          .venues()
          .map((status) => ({ ...status, eventMs: known(status.eventMs), watermarkMs: known(status.watermarkMs) }));
        return {
          json: {
            asOfMs: deps.clock.nowMs(),
            version: deps.version,
            protocol: PROTOCOL_VERSION,
            startedAtMs: deps.status.startedAtMs,
            simulated: deps.status.simulated(),
            venues,
            counts: deps.status.counts(),
          },
          freshness: 'live',
        };
      },
    }),
  ];
}

/** The judgement: `down` when the log is, `starting` while something starts, `stale` when the store is down (SPEC ST-4). Pure. */
export function healthView(
  deps: Pick<HealthDeps, 'live' | 'status'>,
  dependencies: HealthView['dependencies'],
  lag: HealthView['lag'],
  nowMs: number,
): HealthView {
  const state = (name: string): string | undefined =>
    dependencies.find((dependency) => dependency.name === name)?.state;
  const starting = dependencies.some((dependency) => dependency.state === 'starting');
  const status =
    state('log') === 'down'
      ? 'down'
      : starting
        ? 'starting'
        : dependencies.some((d) => d.state === 'down')
          ? 'stale'
          : 'ok';
  const connected = deps.live
    .venues()
    .filter((venue) => venue.state === 'connected')
    .map((venue) => venue.watermarkMs);
  const newestMs = deps.live.newestEventMs();
  return {
    asOfMs: nowMs,
    status,
    live: status !== 'down',
    ready: status === 'ok' || status === 'stale',
    uptimeMs: Math.max(0, nowMs - deps.status.startedAtMs),
    dependencies,
    lag,
    watermarkMs: connected.length === 0 ? null : known(Math.min(...connected)),
    dataAgeMs: Number.isNaN(newestMs) ? null : nowMs - newestMs,
  };
}

function known(ms: number): number | null {
  return Number.isFinite(ms) ? ms : null;
}

const STATUS_EXAMPLE: StatusView = {
  asOfMs: 1394604000000,
  version: '0.1.0',
  protocol: 1,
  startedAtMs: 1394603935000,
  simulated: true,
  venues: [
    {
      venue: 'simulated',
      state: 'connected',
      simulated: true,
      eventMs: 1394603999680,
      watermarkMs: 1394603999680,
      gaps: 0,
      late: 3,
      duplicates: 1,
    },
  ],
  counts: {
    read: 19500,
    acceptedTrades: 4210,
    acceptedQuotes: 15290,
    rejected: {},
    reordered: 12,
    late: 3,
    tooLate: 0,
    duplicate: 1,
    cancelled: 2,
    corrected: 2,
    unknownReference: 0,
  },
};
