import { describe, expect, it } from 'vitest';
import { ACTION, quoteColumns, tradeColumns } from '#shared/ticks.ts';
import { tapeLine } from '../../test/support/decode-log.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { ODDITIES, SimulatedMarket } from './simulated-market.ts';
import { createSimulator } from './simulator.ts';

const NOW = 1_700_000_000_000;

function run(market: SimulatedMarket, steps: number, fromMs = NOW): string[] {
  const lines: string[] = [];
  for (let step = 1; step <= steps; step++) {
    const trades = tradeColumns(4_096);
    const quotes = quoteColumns(4_096);
    market.step(fromMs + step * 100, 100, 400, trades, quotes);
    const ordered: string[] = [];
    for (const ticks of [trades, quotes])
      for (let i = 0; i < ticks.length; i++) ordered[ticks.arrival[i] as number] = tapeLine(ticks, i);
    lines.push(...ordered);
  }
  return lines;
}

describe('simulated market', () => {
  it('MD-12 is the same for the same seed, another for another, and all on the venue simulated', () => {
    const lines = run(new SimulatedMarket(7), 50);
    expect(lines).toEqual(run(new SimulatedMarket(7), 50));
    expect(lines).not.toEqual(run(new SimulatedMarket(8), 50));
    expect(lines.length).toBeGreaterThan(1_000);
    expect(lines.every((line) => line.split(',')[2] === 'simulated')).toBe(true);
  });

  it('MD-12 goes on from its state as if it had never stopped', () => {
    const whole = run(new SimulatedMarket(7), 60);
    const first = new SimulatedMarket(7);
    const head = run(first, 30);
    const state = JSON.parse(JSON.stringify(first.state())) as ReturnType<SimulatedMarket['state']>;
    expect([...head, ...run(new SimulatedMarket(state), 30, NOW + 3_000)]).toEqual(whole);
  });

  it('MD-7 makes prices and sizes above zero, quotes that do not cross, and every odd kind of trade', () => {
    const market = new SimulatedMarket(1, { ...ODDITIES, late: 0.01, duplicate: 0.01, cancel: 0.01, correction: 0.01 });
    const seen = { late: 0, duplicate: 0, cancel: 0, correction: 0 };
    const ids = new Set<string>();
    const symbols = new Set<string>();
    for (let step = 1; step <= 600; step++) {
      const trades = tradeColumns(4_096);
      const quotes = quoteColumns(4_096);
      const nowMs = NOW + step * 100;
      market.step(nowMs, 100, 400, trades, quotes);
      for (let i = 0; i < trades.length; i++) {
        expect(trades.price[i]).toBeGreaterThan(0);
        expect(trades.size[i]).toBeGreaterThan(0);
        expect(trades.eventMs[i]).toBeLessThanOrEqual(nowMs);
        const symbol = trades.instruments.values[trades.instrument[i] as number] as string;
        const id = `${symbol} ${trades.tradeId[i]}`;
        symbols.add(symbol);
        if (trades.action[i] === ACTION.cancel) seen.cancel++;
        else if (trades.action[i] === ACTION.correction) seen.correction++;
        else if (ids.has(id)) seen.duplicate++;
        else if ((trades.eventMs[i] as number) < nowMs - 2_500) seen.late++;
        ids.add(id);
      }
      for (let i = 0; i < quotes.length; i++) {
        expect(quotes.bidPrice[i]).toBeGreaterThan(0);
        expect(quotes.askPrice[i]).toBeGreaterThan(quotes.bidPrice[i] as number);
      }
    }
    expect(symbols.size).toBe(12);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(5);
  });

  it('MD-12 is paced by the clock, at the rate that was asked for, and stops when told', async () => {
    const clock = new ManualClock(NOW);
    const source = createSimulator({ seed: 1, rate: 400, clock });
    expect(source).toMatchObject({ simulated: true, finite: false, id: 'simulator-1' });
    const stop = new AbortController();
    let ticks = 0;
    const running = (async () => {
      for await (const { rowsRead } of source.batches(undefined, stop.signal)) ticks += rowsRead;
    })();
    for (let turn = 0; turn < 400; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(25);
    }
    stop.abort();
    await running;
    expect(ticks).toBeGreaterThan(3_600);
    expect(ticks).toBeLessThan(4_400);
  });
});
