import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decimalSink, formatPrinted, parseDecimal } from '#shared/decimal.ts';
import { formatNanos, parseNanos } from '#shared/event-time.ts';
import { utf8Encode } from '#shared/text.ts';
import { parseDecimalBytes, parseIdBytes, parseNanosBytes } from './byte-parse.ts';

const decimalText = fc.oneof(
  fc.stringMatching(/^-?[0-9]{1,20}(\.[0-9]{0,20})?$/),
  fc.stringMatching(/^[0-9+.eE-]{0,20}$/),
  fc.string(),
  fc.constantFrom('', '.', '0', '0.000', 'NaN', 'Infinity', '-0', '9'.repeat(400), `0.${'3'.repeat(400)}`),
);

it('MD-1 reads the same decimals from bytes as from text, behind whatever else stands there', () => {
  fc.assert(
    fc.property(decimalText, (text) => {
      const bytes = utf8Encode(`7,${text},9`);
      const fromBytes = decimalSink();
      const fromText = decimalSink();
      const fault = parseDecimalBytes(bytes, 2, bytes.length - 2, fromBytes);
      const expected = /^[\0-\x7f]*$/.test(text) ? parseDecimal(text, fromText) : fault;
      expect(fault).toBe(expected);
      if (expected === undefined) expect(fromBytes).toEqual(fromText);
    }),
    { numRuns: 2_000 },
  );
});

it('MD-4 prints a decimal as it came, at its own scale and at a larger one', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^(0|[1-9][0-9]{0,6})(\.[0-9]{1,6})?$/), fc.nat({ max: 3 }), (text, more) => {
      const sink = decimalSink();
      const bytes = utf8Encode(text);
      expect(parseDecimalBytes(bytes, 0, bytes.length, sink)).toBeUndefined();
      const { mantissa, decimals, printed } = sink;
      expect(formatPrinted(mantissa, decimals, printed)).toBe(text);
      expect(formatPrinted(mantissa * 10 ** more, decimals + more, printed)).toBe(text);
    }),
    { numRuns: 1_000 },
  );
});

it('MD-6 reads the same times from bytes as from text', () => {
  const text = fc.oneof(
    fc.bigInt({ min: 0n, max: 5_000_000_000_000_000_000n }).map(String),
    fc.stringMatching(/^[0-9-]{0,22}$/),
    fc.constantFrom('', '0', '-1', 'soon', '4102444800000000000', '4102444799999999999'),
  );
  fc.assert(
    fc.property(text, (given) => {
      const bytes = utf8Encode(given);
      const fromBytes = { ms: 0, subNs: 0 };
      const fromText = { ms: 0, subNs: 0 };
      const fault = parseNanosBytes(bytes, 0, bytes.length, fromBytes);
      expect(fault).toBe(parseNanos(given, fromText));
      if (fault !== undefined) return;
      expect(fromBytes).toEqual(fromText);
      if (/^[1-9]/.test(given)) expect(formatNanos(fromBytes.ms, fromBytes.subNs)).toBe(given);
    }),
    { numRuns: 2_000 },
  );
});

it('WN-1 takes only canonical whole numbers for integer trade ids', () => {
  const id = (text: string): number => parseIdBytes(utf8Encode(text), 0, text.length);
  expect(['0', '7', '849714402', '999999999999999'].map(id)).toEqual([0, 7, 849_714_402, 999_999_999_999_999]);
  expect(['', '007', '-1', '1.0', '1e3', '1000000000000000', 'a1'].map(id)).toEqual([-1, -1, -1, -1, -1, -1, -1]);
});
