import { expect, it } from 'vitest';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createLiveState } from '../query/live-state.ts';
import { createMetrics } from './metrics.ts';

function metricsWith(
  lags: () => Promise<{ group: string; topic: string; partition: number; records: number; lagMs: number }[]>,
) {
  const clock = new ManualClock();
  const metrics = createMetrics({
    counts: () => ({
      read: 3,
      acceptedTrades: 2,
      acceptedQuotes: 1,
      rejected: {},
      reordered: 0,
      late: 0,
      tooLate: 0,
      duplicate: 0,
      cancelled: 0,
      corrected: 0,
      unknownReference: 0,
    }),
    relay: () => [],
    live: createLiveState(),
    clock,
    lags,
    bufferedBytes: () => 42,
  });
  return { clock, metrics };
}

it('tells the lag of each group in records and in seconds', async () => {
  const { metrics } = metricsWith(async () => [
    { group: 'sink', topic: 'trades', partition: 2, records: 7, lagMs: 1_500 },
  ]);
  const { body } = await metrics();
  expect(body).toContain('edgetape_log_lag_records{group="sink",topic="trades",partition="2"} 7');
  expect(body).toContain('edgetape_log_lag_seconds{group="sink",topic="trades",partition="2"} 1.5');
});

it('the rest is told while the log does not answer', async () => {
  const away = metricsWith(() => Promise.reject(new Error('no broker')));
  expect((await away.metrics()).body).toContain('edgetape_collector_buffered_bytes 42');
  const silent = metricsWith(() => new Promise(() => {}));
  const asked = silent.metrics();
  for (let i = 0; i < 50; i++) {
    await Promise.resolve();
    silent.clock.advance(100);
  }
  expect((await asked).body).toContain('edgetape_rows_read_total 3');
});
