import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Bar } from '#shared/bars.ts';
import { formatVwap } from '#shared/decimal.ts';
import { quoteColumns } from '#shared/ticks.ts';
import { dataFile, hasData } from '../../test/support/data.ts';
import type { TapeRow } from '../../test/support/window-oracle.ts';
import { batchOf, WindowRun } from '../../test/support/window-run.ts';
import { createWindowEngine } from './engine.ts';

const DAY_MS = Date.UTC(2024, 7, 8);
let nextId = 1;

function trade(ms: number, price: string, more: Partial<TapeRow> = {}): TapeRow {
  const id = more.id ?? String(nextId++);
  return { instrument: 'v:A', kind: 'trade', sub: 0, size: '1', side: '', ...more, id, ms: DAY_MS + ms, price };
}

function bar(run: WindowRun, timeframe: string, ms = 0, instrument = 'v:A'): Bar | undefined {
  return run.bars.get(`${instrument} ${timeframe} ${DAY_MS + ms}`);
}

describe('finality', () => {
  it('WN-6 WN-7 a bar is provisional until the watermark reaches its end and the grace, then final, then revised', async () => {
    const run = new WindowRun();
    run.feed([trade(1_000, '10'), trade(2_000, '11')]);
    await run.drain(true);
    expect(bar(run, '1m')).toMatchObject({ state: 'provisional', revision: 0, tradeCount: 2 });
    run.feed([trade(61_999, '12')]);
    await run.drain(true);
    expect(bar(run, '1m')).toMatchObject({ state: 'provisional', revision: 0 });
    run.feed([trade(62_000, '12')]);
    await run.drain(false);
    expect(bar(run, '1m')).toMatchObject({ state: 'final', revision: 1, open: 10, close: 11 });
    run.feed([trade(3_000, '13'), trade(4_000, '9')]);
    await run.drain(false);
    expect(bar(run, '1m')).toMatchObject({ state: 'revised', revision: 3, close: 9, high: 13, low: 9 });
    expect(run.engine.counts).toMatchObject({ late: 2, accepted: 6 });
  });

  it('WN-7 a bar that comes into being after its time was final starts as revised, 2', async () => {
    const run = new WindowRun();
    run.feed([trade(200_000, '10'), trade(1_000, '11')]);
    await run.drain(true);
    expect(bar(run, '1m')).toMatchObject({ state: 'revised', revision: 2 });
    expect(bar(run, '5m')).toMatchObject({ state: 'provisional', revision: 0, tradeCount: 2 });
  });

  it('WN-5 venues do not move each other; a heartbeat moves its own', async () => {
    const run = new WindowRun();
    run.feed([trade(1_000, '10'), trade(500_000, '1', { instrument: 'other:A' })]);
    await run.drain(true);
    expect(bar(run, '1m')?.state).toBe('provisional');
    run.engine.onControl({ type: 'heartbeat', venue: 'v', eventMs: DAY_MS + 62_000 });
    await run.drain(false);
    expect(bar(run, '1m')).toMatchObject({ state: 'final', revision: 1 });
  });

  it('WN-6 the end of the source makes every bar final; a trade after it revises', async () => {
    const run = new WindowRun();
    run.feed([trade(1_000, '10')]);
    await run.end();
    for (const tf of ['1m', '5m', '15m', '1h', '1d'])
      expect(bar(run, tf)).toMatchObject({ state: 'final', revision: 1 });
    run.feed([trade(2_000, '11'), trade(70_000, '12')]);
    await run.drain(true);
    expect(bar(run, '1m')).toMatchObject({ state: 'revised', revision: 2 });
    expect(bar(run, '1m', 60_000)).toMatchObject({ state: 'provisional', revision: 0 });
    expect(bar(run, '1d')).toMatchObject({ state: 'revised', revision: 3, tradeCount: 3 });
  });
});

describe('duplicates', () => {
  it('WN-10 the same id again is counted and changes nothing; ids that come late are no duplicates', async () => {
    const run = new WindowRun();
    run.feed(['5', '7', '5', '6', '6', '3', '7'].map((id, i) => trade(i * 10, '10', { id, ms: 0 })));
    await run.drain(true);
    expect(bar(run, '1m')?.tradeCount).toBe(4);
    expect(run.engine.counts.duplicate).toBe(3);
  });

  it('WN-10 a venue that begins its ids anew is no repeat of itself', async () => {
    const run = new WindowRun();
    run.feed([trade(1_000, '10', { id: '1000' }), trade(2_000, '10', { id: '1001' })]);
    run.feed([trade(3_000, '11', { id: '1' }), trade(4_000, '11', { id: '2' }), trade(4_000, '11', { id: '2' })]);
    run.feed([trade(2_000, '10', { id: '1001' })]);
    await run.drain(true);
    expect(bar(run, '1m')?.tradeCount).toBe(4);
    expect(run.engine.counts.duplicate).toBe(2);
  });

  it('WN-10 trades without id are never duplicates', async () => {
    const run = new WindowRun();
    run.feed([trade(1_000, '10', { id: '' }), trade(1_000, '10', { id: '' })]);
    await run.drain(true);
    expect(bar(run, '1m')?.tradeCount).toBe(2);
  });
});

describe('cancels and corrections', () => {
  it('WN-15 a bar whose only trade is cancelled holds nothing, and says so', async () => {
    const run = new WindowRun();
    run.feed([trade(1_000, '10', { id: '1' }), trade(63_000, '11', { id: '2' })]);
    await run.drain(true);
    run.feed([trade(63_500, '0', { id: '1', kind: 'cancel' })]);
    await run.drain(true);
    expect(bar(run, '1m')).toMatchObject({
      tradeCount: 0,
      volume: 0n,
      open: Number.NaN,
      state: 'revised',
      revision: 2,
    });
    expect(bar(run, '5m')).toMatchObject({ tradeCount: 1, open: 11, state: 'provisional' });
    expect(run.engine.counts).toMatchObject({ cancelled: 1, unknownReference: 0 });
  });

  it('WN-8 a cancel of a trade nobody knows is counted until the trade comes', async () => {
    const run = new WindowRun();
    run.feed([trade(1_000, '10', { id: '1' }), trade(1_500, '0', { id: '9', kind: 'cancel' })]);
    await run.drain(true);
    expect(run.engine.counts).toMatchObject({ cancelled: 0, unknownReference: 1 });
    run.feed([trade(1_400, '99', { id: '9' })]);
    await run.drain(true);
    expect(run.engine.counts).toMatchObject({ cancelled: 1, unknownReference: 0 });
    expect(bar(run, '1m')).toMatchObject({ tradeCount: 1, high: 10 });
  });
});

describe('eligibility', () => {
  const withCode = (ms: number, price: string, code: string) => ({
    row: trade(ms, price, { instrument: 'sip_cta:X' }),
    code,
  });

  async function feed(entries: { row: TapeRow; code: string }[]): Promise<WindowRun> {
    const run = new WindowRun();
    const batch = batchOf(
      entries.map(({ row }) => row),
      0,
    );
    entries.forEach(({ code }, i) => (batch.conditions[i] = batch.strings.intern(code)));
    run.batches.push(batch);
    run.engine.onTrades(batch, 0);
    await run.drain(true);
    return run;
  }

  it('WN-4 a trade sets only what its condition lets it set', async () => {
    const run = await feed([
      withCode(1_000, '10', ''),
      withCode(2_000, '50', 'I'),
      withCode(3_000, '12', 'Z'),
      withCode(4_000, '1', 'M'),
    ]);
    expect(bar(run, '1m', 0, 'sip_cta:X')).toMatchObject({
      open: 10,
      high: 12,
      low: 10,
      close: 10,
      volume: 3n,
      tradeCount: 3,
    });
  });

  it('WN-4 a bar in which no trade may set a price has volume and no prices', async () => {
    const run = await feed([withCode(1_000, '10', 'I')]);
    expect(bar(run, '1m', 0, 'sip_cta:X')).toMatchObject({
      open: Number.NaN,
      high: Number.NaN,
      low: Number.NaN,
      close: Number.NaN,
      volume: 1n,
    });
    const lateReport = await feed([withCode(1_000, '10', 'Z')]);
    expect(bar(lateReport, '1m', 0, 'sip_cta:X')).toMatchObject({ open: 10, close: 10 });
  });
});

describe('what a bar cannot hold', () => {
  it('MD-3 a tick that would make the scale too large is refused, counted and changes nothing', async () => {
    const run = new WindowRun();
    run.feed([trade(1_000, '9007199254740991'), trade(2_000, '0.5'), trade(3_000, '7')]);
    const { refused } = run.engine.drain({ provisional: false });
    expect(refused).toEqual([{ offset: 0, row: 1, instrument: 'v:A', reason: 'too_precise' }]);
    await run.drain(true);
    expect(bar(run, '1m')).toMatchObject({ tradeCount: 2, low: 7, high: Number.MAX_SAFE_INTEGER });
    expect(run.engine.counts.rejected).toBe(1);
  });

  it('TK-4 hostile columns do no harm', () => {
    const engine = createWindowEngine();
    const rows = [Number.NaN, Infinity, -1, 0, 0.5, 2 ** 60].flatMap((bad) => {
      const batch = batchOf([trade(1_000, '1'), trade(1_000, '1'), trade(1_000, '1')], 0);
      batch.price[0] = bad;
      batch.size[1] = bad;
      batch.eventMs[2] = bad;
      return [batch];
    });
    rows.forEach((batch, k) => engine.onTrades(batch, k));
    expect(() => engine.drain({ provisional: true })).not.toThrow();
    expect(engine.counts.rejected).toBeGreaterThan(10);
  });
});

describe('statistics', () => {
  it('WN-2 the 30 s figures hold the panes of the last 30 s', () => {
    const run = new WindowRun();
    run.feed([trade(0, '10', { size: '5' }), trade(1_000, '20', { size: '1' }), trade(29_999, '30', { size: '3' })]);
    expect(run.engine.drain({ provisional: true }).stats[0]).toMatchObject({
      trades30s: 3,
      volume30s: 9n,
      average30s: 20,
      vwap30s: 160 / 9,
    });
    run.feed([trade(30_500, '40', { size: '0.5' })]);
    const [stats] = run.engine.drain({ provisional: true }).stats;
    expect(stats).toMatchObject({
      trades30s: 3,
      volume30s: 45n,
      sizeScale: 1,
      lastPrice: 40,
      dayOpen: 10,
      change: 30,
      changeFraction: 3,
    });
    expect(stats).toMatchObject({ dayHigh: 40, dayLow: 10, dayVolume: 95n, dayTrades: 4 });
  });

  it('WN-12 realised volatility is the root of the squared log returns of previous-tick prices on the minute grid', () => {
    const run = new WindowRun();
    run.feed([trade(0, '100'), trade(61_000, '110'), trade(240_000, '99'), trade(300_001, '99')]);
    const [stats] = run.engine.drain({ provisional: true }).stats;
    const expected = Math.sqrt(Math.log(110 / 100) ** 2 + Math.log(99 / 110) ** 2);
    expect(stats?.realisedVolatility).toBeCloseTo(expected, 14);
    const early = new WindowRun();
    early.feed([trade(0, '100')]);
    expect(early.engine.drain({ provisional: true }).stats[0]?.realisedVolatility).toBeNaN();
  });

  it('WN-2 the spread is that of the newest quote, and quotes change no bar', () => {
    const run = new WindowRun();
    run.feed([trade(0, '10')]);
    const quotes = quoteColumns(1);
    quotes.instrument[0] = quotes.instruments.intern('v:A');
    quotes.eventMs[0] = DAY_MS + 10;
    quotes.bidPrice[0] = 995;
    quotes.bidPriceDecimals[0] = 2;
    quotes.askPrice[0] = 1005;
    quotes.askPriceDecimals[0] = 2;
    run.engine.onQuotes({ ...quotes, length: 1 });
    const { stats, bars } = run.engine.drain({ provisional: true });
    expect(stats[0]).toMatchObject({
      priceScale: 2,
      spread: 10,
      spreadBps: 100,
      lastPrice: 1000,
      eventMs: DAY_MS + 10,
    });
    expect(bars[0]).toMatchObject({ priceScale: 0, open: 10 });
  });
});

it.skipIf(!hasData)(
  'WN-9 VWAP agrees with published values: 50 daily bars, each at the mean of its four prices',
  async () => {
    const [, ...lines] = readFileSync(dataFile('vectors/lean/spy_with_vwap.txt'), 'utf8').trim().split('\n');
    const bars = lines.map((line) => line.split(','));
    let checked = 0;
    for (let last = 49; last < bars.length; last += 25) {
      const run = new WindowRun();
      run.feed(
        bars.slice(last - 49, last + 1).map((row, i) => {
          const [open, high, low, close] = row.slice(1, 5).map((text) => Math.round(Number(text) * 1e4)) as [
            number,
            number,
            number,
            number,
          ];
          const quarter = ((open + high + low + close) / 4).toFixed(2);
          const [whole = '', fraction = ''] = quarter.split('.');
          const digits = whole.padStart(5, '0') + fraction;
          return trade(i, `${digits.slice(0, -6)}.${digits.slice(-6)}`, { size: row[5] as string });
        }),
      );
      await run.drain(true);
      const held = bar(run, '1d') as Bar;
      expect(
        Math.abs(Number(formatVwap(held.pv, held.volume, held.priceScale)) - Number(bars[last]?.[6])),
      ).toBeLessThan(6e-5);
      checked++;
    }
    expect(checked).toBeGreaterThan(15);
  },
);
