import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TIMEFRAMES, TIMEFRAME_MS } from '#shared/timeframes.ts';
import {
  TILE_BARS,
  balanceKey,
  barKey,
  barVersion,
  historyKey,
  orderKey,
  priceKey,
  referenceKey,
  sessionKey,
  tileStartMs,
} from './keys.ts';

describe('cache keys', () => {
  it('are spelt and kept as the kinds say', () => {
    expect(priceKey('asx:BHP')).toEqual({ kind: 'price', name: 'price:{asx:BHP}', ttlMs: 5_000 });
    expect(barKey('asx:BHP', '1m', 60_000)).toEqual({ kind: 'bar', name: 'ohlc:{asx:BHP}:1m:60000', ttlMs: 60_000 });
    expect(barKey('asx:BHP', '5m', 0).ttlMs).toBe(300_000);
    expect(barKey('asx:BHP', '1d', 0).ttlMs).toBe(86_400_000);
    expect(referenceKey('asx:BHP').ttlMs).toBe(7 * 86_400_000);
    expect(sessionKey('s').ttlMs).toBe(86_400_000);
    expect(orderKey('u', 'o').name).toBe('order:{u}:o');
  });

  it('no two user keys are spelt the same, whatever stands in the ids (property)', () => {
    const id = fc.string({ unit: fc.constantFrom('a', ':', '{', '}', '%', '3', 'A') });
    fc.assert(
      fc.property(id, id, id, id, (a, b, c, d) => {
        fc.pre(a !== c || b !== d);
        expect(orderKey(a, b).name).not.toBe(orderKey(c, d).name);
        expect(balanceKey(a, b).name).not.toBe(balanceKey(c, d).name);
      }),
      { seed: 3 },
    );
  });

  it('WN-2 a tile holds whole bars, and every bar of its time falls into it', () => {
    for (const timeframe of TIMEFRAMES) {
      const start = tileStartMs(timeframe, 1_394_398_800_000);
      const last = start + (TILE_BARS - 1) * TIMEFRAME_MS[timeframe];
      expect(start % TIMEFRAME_MS[timeframe]).toBe(0);
      expect(historyKey('asx:BHP', timeframe, last)).toEqual(historyKey('asx:BHP', timeframe, start));
      const next = historyKey('asx:BHP', timeframe, last + TIMEFRAME_MS[timeframe]);
      expect(next.name).not.toBe(historyKey('asx:BHP', timeframe, start).name);
    }
  });

  it('ST-3 the version of a bar rises with (revision, trade count) and stays exact', () => {
    const form = fc.record({ revision: fc.nat(2_000_000), tradeCount: fc.nat(2 ** 31 - 1) });
    fc.assert(
      fc.property(form, form, (a, b) => {
        const order = a.revision - b.revision || a.tradeCount - b.tradeCount;
        expect(Math.sign(barVersion(a) - barVersion(b))).toBe(Math.sign(order));
        expect(Number.isSafeInteger(barVersion(a))).toBe(true);
      }),
      { seed: 4 },
    );
    expect(Number.isSafeInteger(barVersion({ revision: 2 ** 50, tradeCount: 2 ** 50 }))).toBe(true);
  });
});
