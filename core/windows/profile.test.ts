import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dataFile, hasData } from '../../test/support/data.ts';
import { ProfileTable } from './profile-table.ts';
import { valueArea } from './profile.ts';

const rowsOf = (volumes: readonly number[], prices = volumes.map((_, i) => i)) =>
  volumes.map((volume, i) => ({ price: prices[i] as number, volume: BigInt(volume) }));

describe('point of control and value area', () => {
  it('WN-11 of equal rows the one nearest to the middle of the range, then the lower price, is the point of control', () => {
    expect(valueArea(rowsOf([5, 1, 5, 1])).poc).toBe(2);
    expect(valueArea(rowsOf([5, 1, 1, 5])).poc).toBe(0);
    expect(valueArea(rowsOf([5, 5], [0, 9_007_199_254_740_991])).poc).toBe(0);
  });

  it('WN-11 the value area takes the larger neighbour, the upper one of equals, until it holds 70 %', () => {
    expect(valueArea(rowsOf([1, 2, 10, 2, 1]))).toEqual({ poc: 2, low: 2, high: 3, volume: 12n });
    expect(valueArea(rowsOf([3, 4, 10, 2, 1]))).toEqual({ poc: 2, low: 1, high: 2, volume: 14n });
    expect(valueArea(rowsOf([7, 3]))).toEqual({ poc: 0, low: 0, high: 0, volume: 7n });
  });

  it('WN-11 nothing traded: no point of control', () => {
    expect(valueArea([])).toEqual({ poc: -1, low: 0, high: -1, volume: 0n });
    expect(valueArea(rowsOf([0, 0])).poc).toBe(-1);
  });

  it.skipIf(!hasData)('WN-11 agrees with published values: three bars, each at its close rounded up to 0.05', () => {
    const [, ...lines] = readFileSync(dataFile('vectors/lean/vp_datatest.csv'), 'utf8').trim().split('\n');
    const bars = lines.map((line) => line.split(','));
    let checked = 0;
    for (let last = 2; last < bars.length; last++) {
      const volumes = new Map<number, bigint>();
      for (const bar of bars.slice(last - 2, last + 1)) {
        const close = Math.round(Number(bar[4]) * 1e6);
        const price = Math.ceil(close / 50_000) * 5;
        volumes.set(price, (volumes.get(price) ?? 0n) + BigInt(bar[6] as string));
      }
      const rows = [...volumes].sort(([a], [b]) => a - b).map(([price, volume]) => ({ price, volume }));
      const area = valueArea(rows);
      const [pocPrice, pocVolume, high, low, , areaHigh, areaLow] = (bars[last] as string[]).slice(-7).map(Number);
      const cents = (n: number | undefined): number => Math.round((n as number) * 100);
      expect([rows[area.poc]?.price, rows[area.poc]?.volume], String(bars[last]?.[0])).toEqual([
        cents(pocPrice),
        BigInt(pocVolume as number),
      ]);
      expect([rows.at(-1)?.price, rows[0]?.price]).toEqual([cents(high), cents(low)]);
      expect([rows[area.high]?.price, rows[area.low]?.price]).toEqual([cents(areaHigh), cents(areaLow)]);
      checked++;
    }
    expect(checked).toBe(19);
  });
});

describe('profile table', () => {
  it('MD-1 holds many prices and huge volumes exactly, and grows with the scale', () => {
    const table = new ProfileTable(0);
    for (let round = 0; round < 3; round++) {
      for (let price = 1; price <= 1_000; price++) table.add(price, Number.MAX_SAFE_INTEGER, price % 3);
    }
    table.grow(2, 1);
    const copy = new ProfileTable(0);
    copy.load(table.compact());
    for (const rows of [table.list(), copy.list()]) {
      expect(rows.map((row) => row.price)).toEqual(Array.from({ length: 1_000 }, (_, i) => (i + 1) * 100));
      const volume = 30n * BigInt(Number.MAX_SAFE_INTEGER);
      expect(rows[0]).toEqual({ price: 100, volume, buyVolume: volume, sellVolume: 0n, tradeCount: 3 });
      expect(rows[1]).toEqual({ price: 200, volume, buyVolume: 0n, sellVolume: volume, tradeCount: 3 });
    }
  });
});
