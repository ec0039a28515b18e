import { describe, expect, it } from 'vitest';
import { DrainWatch, RateWindow } from './session.ts';

describe('DrainWatch', () => {
  it('SU-10 leaves a client that never sent a beacon alone, until a long silence under much data', () => {
    const watch = new DrainWatch(0);
    watch.sent(10_000_000, 1, false);
    expect(watch.check(undefined, 400_000)).toBe('keeps_up');
    watch.sent(10_000_000, 2, false);
    expect(watch.check(undefined, 200_000)).toBe('keeps_up');
    expect(watch.check(undefined, 300_001)).toBe('close');
    watch.heard(300_002);
    expect(watch.check(undefined, 300_003)).toBe('keeps_up');
  });

  it('SU-10 finds a client stale that owes a beacon for more than 2 s, and takes it back', () => {
    const watch = new DrainWatch(0);
    expect(watch.check(0, 1)).toBe('keeps_up');
    watch.sent(100, 1_000, false);
    expect(watch.check(0, 3_000)).toBe('keeps_up');
    expect(watch.check(0, 3_001)).toBe('stale');
    expect(watch.stale).toBe(true);
    expect(watch.check(0, 3_500)).toBe('stale');
    expect(watch.check(3_600, 4_000)).toBe('recovered');
    expect(watch.stale).toBe(false);
  });

  it('SU-10 lets an idle client be silent for as long as nothing is sent', () => {
    const watch = new DrainWatch(0);
    watch.sent(100, 10, false);
    expect(watch.check(20, 500)).toBe('keeps_up');
    expect(watch.check(20, 1_000_000)).toBe('keeps_up');
  });

  it('SU-10 finds a client stale that owes more than 64 KB for a second; snapshots do not count', () => {
    const watch = new DrainWatch(0);
    watch.check(0, 1);
    watch.sent(1_000_000, 100, true);
    expect(watch.check(0, 1_500)).toBe('keeps_up');
    watch.sent(70_000, 1_501, false);
    expect(watch.check(0, 1_600)).toBe('stale');
  });

  it('SU-10 gives up a client that stays stale for 30 s', () => {
    const watch = new DrainWatch(0);
    watch.check(0, 1);
    watch.sent(1, 2, false);
    expect(watch.check(0, 3_000)).toBe('stale');
    expect(watch.check(0, 33_000)).toBe('stale');
    expect(watch.check(0, 33_001)).toBe('close');
  });
});

it('SU-7 counts messages in windows of 10 s', () => {
  const rate = new RateWindow();
  expect([rate.count(0), rate.count(9_999)]).toEqual([1, 2]);
  expect(rate.retryAfterMs(9_999)).toBe(1);
  expect(rate.count(10_000)).toBe(1);
});
