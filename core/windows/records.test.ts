import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bar, Profile, Stats } from '#shared/bars.ts';
import { TIMEFRAMES } from '#shared/timeframes.ts';
import { decodeBars, decodeProfiles, decodeStats, encodeBars, encodeProfiles, encodeStats } from './records.ts';

const mantissa = fc.oneof(fc.maxSafeNat(), fc.constant(Number.NaN), fc.constant(Number.MAX_SAFE_INTEGER));
const sum = fc.oneof(fc.bigInt({ min: 0n, max: 1n << 200n }), fc.constant((1n << 53n) - 1n), fc.constant(1n << 53n));
const instrument = fc.stringMatching(/^[a-z0-9_]{1,9}:[A-Z]{1,9}$/);
const scales = { priceScale: fc.nat(18), sizeScale: fc.nat(18) };
const state = fc.constantFrom('provisional', 'final', 'revised');
const bar: fc.Arbitrary<Bar> = fc.record({
  instrument,
  timeframe: fc.constantFrom(...TIMEFRAMES),
  startMs: fc.nat(4_102_444_800),
  ...scales,
  open: mantissa,
  high: mantissa,
  low: mantissa,
  close: mantissa,
  volume: sum,
  buyVolume: sum,
  sellVolume: sum,
  pv: sum,
  tradeCount: fc.nat(),
  state,
  revision: fc.nat(),
});
const profile: fc.Arbitrary<Profile> = fc.record({
  instrument,
  startMs: fc.maxSafeNat(),
  ...scales,
  state,
  revision: fc.nat(),
  rows: fc.array(
    fc.record({ price: fc.maxSafeNat(), volume: sum, buyVolume: sum, sellVolume: sum, tradeCount: fc.nat() }),
  ),
});
const float = fc.double().map((x) => (x === 0 ? 0 : x));
const stats: fc.Arbitrary<Stats> = fc.record({
  instrument,
  ...scales,
  eventMs: fc.maxSafeNat(),
  lastPrice: mantissa,
  spread: mantissa,
  spreadBps: float,
  vwap30s: float,
  average30s: float,
  volume30s: sum,
  trades30s: fc.nat(),
  realisedVolatility: float,
  change: float,
  changeFraction: float,
  dayOpen: mantissa,
  dayHigh: mantissa,
  dayLow: mantissa,
  dayVolume: sum,
  dayTrades: fc.nat(),
});

describe('records of the windows', () => {
  it('MD-1 bars come back exactly as they went in, sums of any size included', () => {
    fc.assert(
      fc.property(fc.array(bar), (bars) => {
        expect(decodeBars(encodeBars(bars))).toEqual(bars);
      }),
    );
  });

  it('MD-1 profiles come back exactly', () => {
    fc.assert(
      fc.property(fc.array(profile), (profiles) => {
        expect(decodeProfiles(encodeProfiles(profiles))).toEqual(profiles);
      }),
    );
  });

  it('MD-1 statistics come back exactly', () => {
    fc.assert(
      fc.property(fc.array(stats), (all) => {
        expect(decodeStats(encodeStats(all))).toEqual(all);
      }),
    );
  });

  it('TK-4 hostile bytes, another kind and a later version give undefined, never an error', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.array(bar, { maxLength: 3 }),
        fc.nat(),
        fc.nat(255),
        (noise, bars, at, byte) => {
          const damaged = encodeBars(bars);
          damaged[at % damaged.length] = byte;
          for (const bytes of [
            noise,
            new Uint8Array([1, 0x42, ...noise]),
            new Uint8Array([1, 0x50, ...noise]),
            damaged,
          ]) {
            decodeBars(bytes);
            decodeProfiles(bytes);
            decodeStats(bytes);
          }
        },
      ),
    );
    const bytes = encodeBars([]);
    expect(decodeProfiles(bytes)).toBeUndefined();
    bytes[0] = 2;
    expect(decodeBars(bytes)).toBeUndefined();
  });
});
