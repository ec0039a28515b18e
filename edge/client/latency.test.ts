import { describe, expect, it } from 'vitest';
import { ClockOffset, DelayWindow } from './latency.ts';

describe('delay window', () => {
  it('knows nothing before the first sample', () => {
    expect(new DelayWindow().summary()).toMatchObject({ samples: 0, p50Ms: Number.NaN, maxMs: Number.NaN });
  });

  it('gives nearest-rank percentiles of the newest samples only', () => {
    const window = new DelayWindow(100);
    for (let i = 1; i <= 200; i++) window.add(i);
    expect(window.summary()).toEqual({ samples: 100, p50Ms: 150, p99Ms: 199, maxMs: 200, lastMs: 200 });
  });

  it('passes over what is no number', () => {
    const window = new DelayWindow();
    window.add(Number.NaN);
    window.add(Number.POSITIVE_INFINITY);
    window.add(7);
    expect(window.summary()).toMatchObject({ samples: 1, p50Ms: 7 });
  });
});

describe('clock offset', () => {
  it('trusts the probe with the shortest round trip', () => {
    const clock = new ClockOffset();
    clock.probe(1_000, 1_550, 1_100);
    clock.probe(2_000, 2_505, 2_010);
    clock.probe(3_000, 3_700, 3_400);
    expect(clock.estimate()).toEqual({ offsetMs: 500, roundTripMs: 10 });
  });

  it('uses one-way times while no probe was answered, the fastest message first', () => {
    const clock = new ClockOffset();
    expect(clock.estimate().offsetMs).toBeNaN();
    clock.oneWay(1_480, 1_000);
    clock.oneWay(2_495, 2_000);
    clock.oneWay(3_400, 3_000);
    expect(clock.estimate()).toEqual({ offsetMs: 495, roundTripMs: Number.NaN });
  });
});
