import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { silentLogger } from '../../ops/logger.ts';
import { AnalyticsMaintenance, KEEP_MS } from './maintenance.ts';

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

describe('maintenance of the analytics store', () => {
  it('refreshes at the start and then each at its own pace, one at a time, until it is drained', async () => {
    const clock = new ManualClock();
    const done: string[] = [];
    let running = 0;
    const work = async (what: string): Promise<void> => {
      expect(++running).toBe(1);
      await Promise.resolve();
      running--;
      done.push(what);
    };
    const store = {
      refresh: (part: string) => work(part),
      retain: async (beforeMs: number) => {
        await work('retain');
        expect(beforeMs).toBe(clock.nowMs() - KEEP_MS);
        return [];
      },
    };
    const service = new AnalyticsMaintenance({ store, clock, logger: silentLogger, keepMs: KEEP_MS });
    const run = service.run();
    await settle();
    expect(done).toEqual(['derived', 'correlation', 'retain']);
    for (let minute = 0; minute < 60; minute++) {
      clock.advance(60_000);
      await settle();
    }
    expect(done.filter((what) => what === 'derived')).toHaveLength(61);
    expect(done.filter((what) => what === 'correlation')).toHaveLength(2);
    await service.drain();
    await run;
    expect(clock.pending).toBe(0);
  });

  it('ST-4 a database that is away is tried again, and the age of what it shows is known', async () => {
    const clock = new ManualClock();
    let away = false;
    const store = {
      refresh: async () => {
        if (away) throw new Error('away');
      },
      retain: async () => [],
    };
    const service = new AnalyticsMaintenance({ store, clock, logger: silentLogger });
    const run = service.run();
    await settle();
    const refreshedMs = service.status().refreshedMs.derived;
    away = true;
    for (let minute = 0; minute < 3; minute++) {
      clock.advance(60_000);
      await settle();
    }
    expect(service.status()).toMatchObject({ errors: 3, refreshedMs: { derived: refreshedMs } });
    away = false;
    clock.advance(60_000);
    await settle();
    expect(service.status().refreshedMs.derived).toBe(clock.nowMs());
    await service.drain();
    await run;
  });
});
