import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { T0, aBar } from '../../test/support/query-app.ts';
import { createLiveState, teePublisher } from './live-state.ts';
import { mergeBars } from './merge-bars.ts';

describe('live state', () => {
  it('ST-3 keeps the newest form of a bar, whatever comes in which order', () => {
    const form = fc.record({
      minute: fc.nat({ max: 5 }),
      revision: fc.nat({ max: 3 }),
      tradeCount: fc.nat({ max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(form, { maxLength: 40 }), (forms) => {
        const live = createLiveState();
        const best = new Map<number, { revision: number; tradeCount: number }>();
        for (const { minute, revision, tradeCount } of forms) {
          live.bar(aBar('x:Y', '1m', T0 + minute * 60_000, { revision, tradeCount }));
          const held = best.get(minute);
          if (
            held === undefined ||
            revision > held.revision ||
            (revision === held.revision && tradeCount >= held.tradeCount)
          )
            best.set(minute, { revision, tradeCount });
        }
        const kept = live
          .recentBars('x:Y', '1m')
          .map((bar) => [(bar.startMs - T0) / 60_000, bar.revision, bar.tradeCount]);
        expect(kept).toEqual(
          [...best]
            .sort(([a], [b]) => a - b)
            .map(([minute, { revision, tradeCount }]) => [minute, revision, tradeCount]),
        );
      }),
    );
  });

  it('holds a bounded number of bars, the newest ones', () => {
    const live = createLiveState();
    for (let i = 0; i < 100; i++) live.bar(aBar('x:Y', '1m', T0 + i * 60_000));
    live.bar(aBar('x:Y', '1m', T0));
    const starts = live.recentBars('x:Y', '1m').map((bar) => bar.startMs);
    expect(starts.length).toBeLessThan(20);
    expect(starts.at(-1)).toBe(T0 + 99 * 60_000);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
  });

  it('a late trade, a cancel and a correction are not the last trade', () => {
    const live = createLiveState();
    const trade = {
      instrument: 'x:Y',
      priceScale: 2,
      sizeScale: 0,
      price: 1,
      size: 1,
      side: 0,
      tradeId: '',
      conditions: '',
      eventMs: T0,
      action: 0,
    };
    live.trade(trade);
    live.trade({ ...trade, eventMs: T0 - 1, price: 2 });
    live.trade({ ...trade, eventMs: T0 + 1, price: 3, action: 1 });
    expect(live.lastTrade('x:Y')?.price).toBe(1);
    expect(live.newestEventMs()).toBe(T0 + 1);
  });

  it('a tee hands everything to each', () => {
    const a = createLiveState();
    const b = createLiveState();
    teePublisher([a, b]).bar(aBar('x:Y', '1h', T0));
    expect([a, b].map((live) => live.recentBars('x:Y', '1h').length)).toEqual([1, 1]);
  });
});

it('QY-2 pages over store and memory give the newest form of every bar once, in both directions', () => {
  const minutes = fc.uniqueArray(fc.nat({ max: 30 }), { maxLength: 30 });
  fc.assert(
    fc.property(
      minutes,
      fc.uniqueArray(fc.nat({ max: 34 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 7 }),
      fc.boolean(),
      (inStore, inMemory, limit, newestFirst) => {
        const sign = newestFirst ? -1 : 1;
        const sorted = inStore.toSorted((a, b) => (a - b) * sign).map((minute) => aBar('x:Y', '1m', minute));
        const recent = inMemory
          .toSorted((a, b) => a - b)
          .map((minute) => aBar('x:Y', '1m', minute, { revision: 2, state: 'revised' }));
        const seen: [number, number][] = [];
        let after: number | undefined;
        for (;;) {
          const behind = sorted
            .filter((bar) => after === undefined || (bar.startMs - after) * sign > 0)
            .slice(0, limit + 1);
          const range = { newestFirst, complete: behind.length <= limit, ...(after === undefined ? {} : { after }) };
          const all = mergeBars(behind, recent, range);
          const page = all.slice(0, limit);
          seen.push(...page.map((bar): [number, number] => [bar.startMs, bar.revision]));
          if (all.length <= limit) break;
          after = page.at(-1)?.startMs;
        }
        const expected = [...new Set([...inStore, ...inMemory])].sort((a, b) => (a - b) * sign);
        expect(seen).toEqual(expected.map((minute) => [minute, inMemory.includes(minute) ? 2 : 1]));
      },
    ),
  );
});
