/** The window engine against a plain recompute, over random tapes, orders, cuts and restarts. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainBars, type TapeRow } from '../support/window-oracle.ts';
import { plainMap, WindowRun } from '../support/window-run.ts';

const GRACE_MS = 2_000;
const LATENESS_MS = 900_000;
const START_MS = Date.UTC(2024, 7, 8, 23, 30);
const RUNS = { numRuns: Number(process.env['FUZZ_RUNS'] ?? 60) };

const decimal = (max: number, places: number) =>
  fc.tuple(fc.integer({ min: 1, max }), fc.nat(places)).map(([n, p]) => {
    const digits = String(n).padStart(p + 1, '0');
    return p === 0 ? digits : `${digits.slice(0, -p)}.${digits.slice(-p)}`;
  });

interface Spec {
  instrument: string;
  gapMs: number;
  sub: number;
  price: string;
  size: string;
  side: TapeRow['side'];
  idKind: 'integer' | 'text' | 'none';
  fate: 'plain' | 'twice' | 'cancelled' | 'corrected' | 'corrected twice';
  newPrice: string;
  delayMs: number;
  afterMs: number;
}

const spec = (maxGapMs: number, maxDelayMs: number, places = 4): fc.Arbitrary<Spec> =>
  fc.record({
    instrument: fc.constantFrom('one:AAA', 'one:BBB', 'two:AAA'),
    gapMs: fc.nat(maxGapMs),
    sub: fc.constantFrom(0, 0, 500_000),
    price: decimal(5_000, places),
    size: decimal(900, places),
    side: fc.constantFrom('', 'buy', 'sell'),
    idKind: fc.constantFrom('integer', 'integer', 'integer', 'text', 'none'),
    fate: fc.constantFrom('plain', 'plain', 'plain', 'plain', 'twice', 'cancelled', 'corrected', 'corrected twice'),
    newPrice: decimal(5_000, places),
    delayMs: fc.nat(maxDelayMs),
    afterMs: fc.nat(maxDelayMs),
  });

/** Rows in the order in which they reach the log: each is held back by its delay. */
function tape(specs: readonly Spec[]): TapeRow[] {
  const held: { at: number; row: TapeRow }[] = [];
  const taken = new Set<string>();
  const nextId = new Map<string, number>();
  let ms = START_MS;
  specs.forEach((s, k) => {
    ms += s.gapMs;
    const number = (nextId.get(s.instrument) ?? 100) + 1;
    let sub = s.sub;
    // Without an id only the arrival would tell equal times apart, and that is what is shuffled here.
    while (s.idKind !== 'integer' && taken.has(`${s.instrument} ${ms} ${sub}`)) sub += 1;
    if (s.idKind === 'integer') nextId.set(s.instrument, number);
    taken.add(`${s.instrument} ${ms} ${sub}`);
    const id = s.idKind === 'integer' ? String(number) : s.idKind === 'text' ? `t-${k}` : '';
    const { instrument, price, size, side } = s;
    const row: TapeRow = { instrument, kind: 'trade', id, ms, sub, price, size, side };
    held.push({ at: ms + s.delayMs, row });
    if (id === '' || s.fate === 'plain') return;
    // A text id is known for the lateness only, and no longer than the tail holds its trade.
    if (s.fate === 'twice' && s.idKind === 'text') held.push({ at: ms + s.delayMs, row });
    else if (s.fate === 'twice') held.push({ at: ms + s.afterMs, row });
    else if (s.fate === 'cancelled') held.push({ at: ms + s.afterMs, row: { ...row, kind: 'cancel', ms: ms + 1 } });
    else held.push({ at: ms + s.afterMs, row: { ...row, kind: 'correction', ms: ms + 1, price: s.newPrice } });
    if (s.fate === 'corrected twice') {
      held.push({ at: ms + s.delayMs, row: { ...row, kind: 'correction', ms: ms + 2, price: s.price, size: '7' } });
    }
  });
  return held.sort((a, b) => a.at - b.at).map(({ row }) => row);
}

const cuts = fc.array(
  fc.record({ rows: fc.integer({ min: 1, max: 40 }), drain: fc.constantFrom('no', 'final', 'all') }),
  {
    minLength: 1,
    maxLength: 20,
  },
);

async function run(
  rows: readonly TapeRow[],
  cutting: readonly { rows: number; drain: string }[],
  target: WindowRun,
  restarts: ReadonlySet<number> = new Set(),
): Promise<void> {
  let at = 0;
  for (let k = 0; at < rows.length; k++) {
    const cut = cutting[k % cutting.length] as { rows: number; drain: string };
    target.feed(rows.slice(at, at + cut.rows));
    at += cut.rows;
    if (restarts.has(k % 7)) target.restart();
    if (cut.drain !== 'no') await target.drain(cut.drain === 'all');
    if (restarts.has((k % 7) + 7)) target.restart();
  }
  await target.end();
}

describe('windows against a plain recompute', () => {
  it('WN-1 WN-9 WN-10 WN-15 any order within the grace, with duplicates, cancels and corrections, gives the same bars', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(spec(20_000, GRACE_MS - 1), { maxLength: 120 }), cuts, async (specs, cutting) => {
        const rows = tape(specs);
        const windows = new WindowRun();
        await run(rows, cutting, windows);
        expect(plainMap(windows.bars)).toEqual(plainBars(rows, GRACE_MS));
      }),
      RUNS,
    );
  });

  it('WN-7 WN-13 orders beyond the grace and beyond memory give the same bars and revisions', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(spec(300_000, 3 * LATENESS_MS), { maxLength: 80 }), cuts, async (specs, cutting) => {
        const rows = tape(specs);
        const windows = new WindowRun();
        await run(rows, cutting, windows);
        expect(plainMap(windows.bars)).toEqual(plainBars(rows, GRACE_MS));
      }),
      RUNS,
    );
  });

  it('WN-13 orders over days, and a tail too small for its window, give the same bars and revisions', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(spec(4_000_000, 100_000_000), { maxLength: 60 }),
        cuts,
        fc.nat(30),
        async (specs, cutting, maxTailTrades) => {
          const rows = tape(specs.map((s) => (s.idKind === 'text' ? { ...s, fate: 'cancelled' } : s)));
          const windows = new WindowRun({ maxTailTrades });
          await run(rows, cutting, windows);
          expect(plainMap(windows.bars)).toEqual(plainBars(rows, GRACE_MS));
        },
      ),
      RUNS,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(spec(5_000, 400_000), { maxLength: 100 }),
        cuts,
        fc.nat(30),
        async (specs, cutting, maxTailTrades) => {
          const rows = tape(specs.map((s) => (s.idKind === 'text' ? { ...s, fate: 'cancelled' } : s)));
          const windows = new WindowRun({ maxTailTrades });
          await run(rows, cutting, windows);
          expect(plainMap(windows.bars)).toEqual(plainBars(rows, GRACE_MS));
        },
      ),
      RUNS,
    );
  });

  it('WN-14 snapshot and restore at any cut give the bars, revisions, profiles and counts of a run that never stopped', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(spec(60_000, 2 * LATENESS_MS), { maxLength: 100 }),
        cuts,
        fc.array(fc.nat(13), { minLength: 1, maxLength: 6 }),
        async (specs, cutting, restarts) => {
          const rows = tape(specs);
          const straight = new WindowRun();
          await run(rows, cutting, straight);
          const stopped = new WindowRun();
          await run(rows, cutting, stopped, new Set(restarts));
          expect(stopped.bars).toEqual(straight.bars);
          expect(stopped.profiles).toEqual(straight.profiles);
          expect(stopped.engine.counts).toEqual(straight.engine.counts);
          expect(stopped.engine.latestStats()).toEqual(straight.engine.latestStats());
        },
      ),
      RUNS,
    );
  });

  it('WN-5 WN-6 revisions and counts do not depend on how the log was cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(spec(60_000, 2 * LATENESS_MS), { maxLength: 100 }),
        cuts,
        cuts,
        async (specs, one, other) => {
          const rows = tape(specs);
          const first = new WindowRun();
          await run(rows, one, first);
          const second = new WindowRun();
          await run(rows, other, second);
          expect(plainMap(second.bars)).toEqual(plainMap(first.bars));
          expect(second.engine.counts).toEqual(first.engine.counts);
        },
      ),
      RUNS,
    );
  });

  it('MD-3 a scale that grows anywhere changes no value', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(spec(30_000, 5_000, 9), { maxLength: 100 }), cuts, async (specs, cutting) => {
        const rows = tape(specs);
        const windows = new WindowRun();
        await run(rows, cutting, windows);
        expect(windows.engine.counts.rejected).toBe(0);
        expect(plainMap(windows.bars)).toEqual(plainBars(rows, GRACE_MS));
      }),
      RUNS,
    );
  });

  it('MD-1 sums of numbers up to 2^53 - 1 are exact', async () => {
    const huge = fc
      .oneof(
        fc.constant(Number.MAX_SAFE_INTEGER),
        fc.maxSafeNat().filter((n) => n > 0),
      )
      .map(String);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(spec(30_000, 5_000), huge, huge), { maxLength: 80 }),
        cuts,
        async (pairs, cutting) => {
          const rows = tape(pairs.map(([s, price, size]) => ({ ...s, price, size, newPrice: size })));
          const windows = new WindowRun();
          await run(rows, cutting, windows);
          expect(plainMap(windows.bars)).toEqual(plainBars(rows, GRACE_MS));
        },
      ),
      RUNS,
    );
  });

  it('WN-11 profiles hold the volume of their 5-minute bars', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(spec(60_000, 2 * LATENESS_MS), { maxLength: 100 }), cuts, async (specs, cutting) => {
        const windows = new WindowRun();
        await run(tape(specs), cutting, windows);
        for (const [key, bar] of windows.bars) {
          if (bar.timeframe !== '5m') continue;
          const profile = windows.profiles.get(`${bar.instrument} ${bar.startMs}`);
          const rows = profile?.rows ?? [];
          expect(
            rows.reduce((sum, row) => sum + row.volume, 0n),
            key,
          ).toBe(bar.volume);
          expect(
            rows.reduce((sum, row) => sum + row.buyVolume, 0n),
            key,
          ).toBe(bar.buyVolume);
          expect(
            rows.reduce((sum, row) => sum + row.volume * BigInt(row.price), 0n),
            key,
          ).toBe(bar.pv);
          expect(
            rows.reduce((sum, row) => sum + row.tradeCount, 0),
            key,
          ).toBe(bar.tradeCount);
          expect([profile?.revision, profile?.state], key).toEqual([bar.revision, bar.state]);
        }
      }),
      RUNS,
    );
  });
});
