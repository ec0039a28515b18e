import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decimalSink,
  divideHalfEven,
  formatDecimal,
  formatPrinted,
  formatVwap,
  parseDecimal,
  rescale,
} from '#shared/decimal.ts';

const sink = decimalSink();

describe('decimals', () => {
  it('MD-1 MD-4 reads any decimal that fits and prints it as it came', () => {
    const decimal = fc
      .tuple(fc.integer({ min: 0, max: 9_999_999 }), fc.stringMatching(/^\d{0,8}$/))
      .map(([whole, fraction]) => (fraction === '' ? `${whole}` : `${whole}.${fraction}`));
    fc.assert(
      fc.property(decimal, (text) => {
        expect(parseDecimal(text, sink)).toBeUndefined();
        expect(formatPrinted(sink.mantissa, sink.decimals, sink.printed)).toBe(text);
        const [whole = '', fraction = ''] = text.split('.');
        const trimmed = fraction.replace(/0+$/, '');
        expect(formatDecimal(sink.mantissa, sink.decimals)).toBe(trimmed === '' ? whole : `${whole}.${trimmed}`);
      }),
    );
  });

  it('MD-1 never reads a number as another one: what it accepts equals the text, as a fraction of bigints', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^-?\d{0,20}\.?\d{0,20}$/), (text) => {
        if (parseDecimal(text, sink) !== undefined) return;
        const [whole = '', fraction = ''] = text.replace(/^-/, '').split('.');
        const exact = BigInt(whole + fraction) * (text.startsWith('-') ? -1n : 1n);
        expect(BigInt(sink.mantissa) * 10n ** BigInt(fraction.length)).toBe(exact * 10n ** BigInt(sink.decimals));
      }),
    );
  });

  it.each([
    ['', 'empty'],
    ['NaN', 'not_a_decimal'],
    ['Infinity', 'not_a_decimal'],
    ['1e5', 'not_a_decimal'],
    ['0x10', 'not_a_decimal'],
    ['1,000', 'not_a_decimal'],
    [' 1', 'not_a_decimal'],
    ['.', 'not_a_decimal'],
    ['-', 'not_a_decimal'],
    ['1.2.3', 'not_a_decimal'],
    ['9007199254740992', 'too_large'],
    ['0.0000000000000000001', 'too_precise'],
    ['9'.repeat(400), 'too_long'],
  ])('MD-1 refuses %j as %s', (text, fault) => {
    expect(parseDecimal(text, sink)).toBe(fault);
  });

  it('MD-1 reads the largest integer that is exact', () => {
    expect(parseDecimal('9007199254740991', sink)).toBeUndefined();
    expect(sink.mantissa).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('MD-3 moves a mantissa to more places exactly, and says when it no longer fits', () => {
    expect(rescale(6_183_763, 2, 5)).toBe(6_183_763_000);
    expect(rescale(9_007_199_254_740_991, 0, 1)).toBeNaN();
  });

  it('WN-9 rounds half to even', () => {
    expect(divideHalfEven(5n, 10n, 0)).toBe(0n);
    expect(divideHalfEven(15n, 10n, 0)).toBe(2n);
    expect(divideHalfEven(25n, 10n, 0)).toBe(2n);
    expect(divideHalfEven(251n, 100n, 0)).toBe(3n);
    expect(divideHalfEven(-25n, 10n, 0)).toBe(-2n);
  });

  it('WN-9 prints a VWAP at twelve places without padding zeros, and nothing when nothing was traded', () => {
    expect(formatVwap(1n, 3n, 0)).toBe('0.333333333333');
    expect(formatVwap(183_189_00n, 3_00n, 2)).toBe('610.63');
    expect(formatVwap(0n, 0n, 2)).toBe('');
  });
});
