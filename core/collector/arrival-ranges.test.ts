import { expect, it } from 'vitest';
import { ARRIVALS_PER_RANGE } from '#shared/ticks.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { MemoryLog } from '../../test/support/memory-log.ts';
import { firstArrivalOf } from './arrival-ranges.ts';

it('TK-1 gives each source a range of its own, once', async () => {
  const log = new MemoryLog(new ManualClock());
  expect(await firstArrivalOf(log, 'a')).toBe(0);
  expect(await firstArrivalOf(log, 'b')).toBe(ARRIVALS_PER_RANGE);
  expect(await firstArrivalOf(log, 'a')).toBe(0);
  expect(await firstArrivalOf(log, 'c')).toBe(2 * ARRIVALS_PER_RANGE);
});
