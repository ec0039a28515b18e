/** What the parts of a stack say of themselves, for /v1/health. */
import type { Clock } from '#shared/clock.ts';
import type { HealthView } from '#shared/market.ts';
import { TOPICS } from '#shared/topics.ts';
import type { Log } from '../log/log.ts';
import type { HealthProbe } from '../query/health-routes.ts';

export interface Check {
  name: string;
  /** Resolves when it is well; rejects with what is wrong. `starting` while it is not there yet. */
  check(): Promise<'up' | 'starting'>;
}

export interface HealthOptions {
  log: Log;
  partitions: number;
  checks: readonly Check[];
  clock: Clock;
  /** A check that takes longer counts as down. */
  timeoutMs?: number;
}

const GROUPS = ['windows', 'sink'] as const;
const INPUTS = [TOPICS.trades, TOPICS.quotes] as const;
const DEFAULT_TIMEOUT_MS = 2_000;

export function createHealthProbe(options: HealthOptions): HealthProbe {
  return {
    dependencies: () => Promise.all(options.checks.map((check) => run(check, options))),
    lag: () => Promise.all(GROUPS.map((group) => lagOf(group, options))),
  };
}

async function run(
  check: Check,
  { clock, timeoutMs = DEFAULT_TIMEOUT_MS }: HealthOptions,
): Promise<HealthView['dependencies'][number]> {
  const startedMs = clock.nowMs();
  const late = Promise.withResolvers<never>();
  const cancel = clock.schedule(timeoutMs, () => late.reject(new Error('no answer in time')));
  try {
    const state = await Promise.race([check.check(), late.promise]);
    return { name: check.name, state, checkMs: clock.nowMs() - startedMs };
  } catch {
    // Why it failed may name paths or addresses (SPEC ER-3): it stands in the log of whoever owns the part.
    return { name: check.name, state: 'down', checkMs: null, detail: 'does not answer' };
  } finally {
    cancel();
  }
}

/** How far a group is behind the log's trades and quotes. Nothing where the log does not answer: its own check says so. */
async function lagOf(group: string, { log, partitions, clock }: HealthOptions): Promise<HealthView['lag'][number]> {
  let records = 0;
  let oldestMs = Number.POSITIVE_INFINITY;
  try {
    for (const topic of INPUTS) {
      for (let partition = 0; partition < partitions; partition++) {
        const next = await log.committed(group, topic, partition);
        const { end } = await log.bounds(topic, partition);
        if (next >= end) continue;
        records += end - next;
        const [record] = await log.read(topic, partition, next, { maxRecords: 1, maxBytes: 1 });
        if (record !== undefined) oldestMs = Math.min(oldestMs, record.timestampMs);
      }
    }
  } catch {
    return { part: group, lagMs: 0, records: 0 };
  }
  return { part: group, lagMs: records === 0 ? 0 : Math.max(0, Math.round(clock.nowMs() - oldestMs)), records };
}
