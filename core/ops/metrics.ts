/** Prometheus metrics of the process (text format), from what the parts count themselves. */
import { Counter, Gauge, Registry, collectDefaultMetrics } from '@prometheus-io/client';
import type { Clock } from '#shared/clock.ts';
import type { StatusView } from '#shared/market.ts';
import type { LiveState } from '../query/live-state.ts';
import type { RelayPartitionStatus } from '../relay/relay.ts';

interface Lagging {
  group: string;
  topic: string;
  partition: number;
  records: number;
  lagMs: number;
}

export interface MetricsDeps {
  counts(): StatusView['counts'];
  relay(): readonly RelayPartitionStatus[];
  live: LiveState;
  clock: Clock;
  /** How far each group is behind each partition of its inputs. */
  lags?: () => Promise<readonly Lagging[]>;
  /** Units of work that this process holds, by role. */
  held?: () => Readonly<Record<string, number>>;
  /** Bytes of live feeds that wait on disk for the log. */
  bufferedBytes?: () => number;
  /** Rows of the sources that wait for the log. */
  waitingRows?: () => number;
}

/** Renders the metrics at the moment of asking. Labels are venues, reasons and partitions: never symbols or users. */
export function createMetrics(deps: MetricsDeps): () => Promise<{ contentType: string; body: string }> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'edgetape_' });

  const gauge = (
    name: string,
    help: string,
    labelNames: string[],
    collect: (set: (labels: Record<string, string>, value: number) => void) => void,
  ): void => {
    const metric = new Gauge({
      name,
      help,
      labelNames,
      registers: [],
      collect() {
        this.reset();
        collect((labels, value) => {
          if (Number.isFinite(value)) this.set(labels, value);
        });
      },
    });
    registry.registerMetric(metric);
  };
  /** A count that only rises, kept elsewhere: what has come since the last time is added. */
  const counter = (
    name: string,
    help: string,
    labelNames: string[],
    collect: (set: (labels: Record<string, string>, total: number) => void) => void,
  ): void => {
    const told = new Map<string, number>();
    const metric = new Counter({
      name,
      help,
      labelNames,
      registers: [],
      collect() {
        collect((labels, total) => {
          const key = JSON.stringify(labels);
          this.inc(labels, Math.max(0, total - (told.get(key) ?? 0)));
          told.set(key, Math.max(total, told.get(key) ?? 0));
        });
      },
    });
    registry.registerMetric(metric);
  };

  counter('edgetape_rows_read_total', 'Rows read from sources, rejected ones included.', [], (set) =>
    set({}, deps.counts().read),
  );
  counter('edgetape_ticks_accepted_total', 'Ticks taken in, by kind.', ['kind'], (set) => {
    const { acceptedTrades, acceptedQuotes } = deps.counts();
    set({ kind: 'trade' }, acceptedTrades);
    set({ kind: 'quote' }, acceptedQuotes);
  });
  counter('edgetape_rows_rejected_total', 'Rows refused, by reason.', ['reason'], (set) => {
    for (const [reason, count] of Object.entries(deps.counts().rejected)) set({ reason }, count);
  });
  counter('edgetape_ticks_apart_total', 'Ticks counted apart by the windows, by outcome.', ['outcome'], (set) => {
    const { reordered, late, tooLate, duplicate, cancelled, corrected, unknownReference } = deps.counts();
    for (const [outcome, count] of Object.entries({
      reordered,
      late,
      tooLate,
      duplicate,
      cancelled,
      corrected,
      unknownReference,
    }))
      set({ outcome }, count);
  });
  counter('edgetape_feed_gaps_total', 'Gaps in the trade ids of a venue.', ['venue'], (set) => {
    for (const { venue, gaps } of deps.live.venues()) set({ venue }, gaps);
  });
  gauge('edgetape_feed_connected', 'Whether the venue is connected.', ['venue'], (set) => {
    for (const { venue, state } of deps.live.venues()) set({ venue }, state === 'connected' ? 1 : 0);
  });
  gauge('edgetape_source_age_seconds', 'Wall clock minus the newest event time of the venue.', ['venue'], (set) => {
    for (const { venue, eventMs } of deps.live.venues()) set({ venue }, (deps.clock.nowMs() - eventMs) / 1_000);
  });
  gauge('edgetape_watermark_delay_seconds', 'Wall clock minus the watermark of the venue.', ['venue'], (set) => {
    for (const { venue, watermarkMs } of deps.live.venues()) set({ venue }, (deps.clock.nowMs() - watermarkMs) / 1_000);
  });
  gauge('edgetape_relay_linked', 'Whether the hub of the partition is linked.', ['partition'], (set) => {
    for (const { partition, link } of deps.relay()) set({ partition: String(partition) }, link === 'live' ? 1 : 0);
  });
  counter('edgetape_relay_frames_total', 'Frames sent to hubs.', ['partition'], (set) => {
    for (const { partition, frames } of deps.relay()) set({ partition: String(partition) }, frames);
  });
  counter('edgetape_relay_bytes_total', 'Bytes sent to hubs.', ['partition'], (set) => {
    for (const { partition, bytes } of deps.relay()) set({ partition: String(partition) }, bytes);
  });

  const { lags, held, waitingRows, bufferedBytes } = deps;
  if (lags !== undefined) {
    let asking: Promise<readonly Lagging[]> | undefined;
    /** Both metrics are collected at the same time, and share one answer. */
    const ask = (): Promise<readonly Lagging[]> =>
      (asking ??= inTime(lags, deps.clock).finally(() => (asking = undefined)));
    const lagGauge = (name: string, help: string, value: (lag: Lagging) => number): void =>
      registry.registerMetric(
        new Gauge({
          name,
          help,
          labelNames: ['group', 'topic', 'partition'],
          registers: [],
          async collect() {
            const all = await ask();
            this.reset();
            for (const lag of all)
              this.set({ group: lag.group, topic: lag.topic, partition: String(lag.partition) }, value(lag));
          },
        }),
      );
    lagGauge(
      'edgetape_log_lag_records',
      'Offsets between the group and the end of the partition.',
      ({ records }) => records,
    );
    lagGauge(
      'edgetape_log_lag_seconds',
      'Age of the oldest record that the group has not consumed.',
      ({ lagMs }) => lagMs / 1_000,
    );
  }
  if (held !== undefined)
    gauge('edgetape_units_held', 'Units of work that this process holds.', ['role'], (set) => {
      for (const [role, units] of Object.entries(held())) set({ role }, units);
    });
  if (bufferedBytes !== undefined)
    gauge('edgetape_collector_buffered_bytes', 'Live feeds that wait on disk for the log.', [], (set) =>
      set({}, bufferedBytes()),
    );
  if (waitingRows !== undefined)
    gauge('edgetape_collector_waiting_rows', 'Rows of the sources that wait for the log.', [], (set) =>
      set({}, waitingRows()),
    );

  return async () => ({ contentType: registry.contentType, body: await registry.metrics() });
}

/** Longest that the log is waited for. */
const LAGS_MS = 2_000;

/** Nothing where the log does not answer: the other metrics must be had just then. */
async function inTime<T>(ask: () => Promise<readonly T[]>, clock: Clock): Promise<readonly T[]> {
  const late = Promise.withResolvers<readonly T[]>();
  const cancel = clock.schedule(LAGS_MS, () => late.resolve([]));
  try {
    return await Promise.race([ask(), late.promise]);
  } catch {
    return [];
  } finally {
    cancel();
  }
}
