import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDecimal } from '#shared/decimal.ts';
import { monthPartition, partitionEndMs, scaledInteger } from './bar-rows.ts';
import { chooseFlavour, readMigrationSet } from './migrations.ts';

describe('rows of bars', () => {
  it('MD-1 a decimal comes back as the integer it was (property)', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
        fc.integer({ min: 0, max: 36 }),
        (mantissa, places) => {
          expect(scaledInteger(formatDecimal(mantissa, places), places)).toBe(mantissa);
        },
      ),
      { seed: 8 },
    );
    expect(scaledInteger('36.2300', 2)).toBe(3_623n);
    expect(() => scaledInteger('0.001', 2)).toThrow(RangeError);
  });

  it('a month follows the other without gap, from 1970 to 2099', () => {
    let endMs = 0;
    for (let month = 0; month < 130 * 12; month++) {
      const { name, from, to } = monthPartition(endMs);
      expect(Date.parse(from)).toBe(endMs);
      expect(partitionEndMs(name)).toBe(Date.parse(to));
      expect(monthPartition(Date.parse(to) - 1).name).toBe(name);
      endMs = Date.parse(to);
    }
    expect(endMs).toBe(Date.UTC(2100, 0, 1));
    expect(partitionEndMs('bars_old')).toBeUndefined();
  });
});

describe('files of sql/timescale', () => {
  it('ST-1 a database keeps the flavour that it was made with', async () => {
    const set = await readMigrationSet();
    expect(set.native).toHaveLength(set.timescale.length);
    expect(chooseFlavour(set, [], true)).toBe('timescale');
    expect(chooseFlavour(set, [], false)).toBe('native');
    expect(chooseFlavour(set, set.native, true)).toBe('native');
    expect(chooseFlavour(set, set.timescale, false)).toBe('timescale');
    expect(chooseFlavour(set, set.native.slice(0, 1), true)).toBe('timescale');
  });

  it('both flavours make the same columns of bars', async () => {
    const set = await readMigrationSet();
    const columns = (sql: string | undefined): string | undefined =>
      /CREATE TABLE bars \(([\s\S]*?)\n\)/.exec(sql ?? '')?.[1];
    expect(columns(set.native[1]?.sql)).toBe(columns(set.timescale[1]?.sql));
    expect(columns(set.native[1]?.sql)).toContain('pv numeric NOT NULL');
  });
});
