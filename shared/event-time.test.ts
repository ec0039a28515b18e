import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatNanos, MAX_EVENT_MS, parseNanos } from '#shared/event-time.ts';

const sink = { ms: 0, subNs: 0 };

it('MD-6 reads every nanosecond of the valid span exactly and prints it as it came', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: BigInt(MAX_EVENT_MS) * 1_000_000n - 1n }), (nanos) => {
      expect(parseNanos(nanos.toString(), sink)).toBeUndefined();
      expect(BigInt(sink.ms) * 1_000_000n + BigInt(sink.subNs)).toBe(nanos);
      expect(formatNanos(sink.ms, sink.subNs)).toBe(nanos.toString());
    }),
  );
});

it.each([
  ['', 'empty'],
  ['-1', 'before_1970'],
  ['-', 'not_a_time'],
  ['12a', 'not_a_time'],
  ['1.5', 'not_a_time'],
  ['4102444800000000000', 'after_2100'],
  ['9'.repeat(400), 'after_2100'],
])('MD-6 refuses %j as %s', (text, fault) => {
  expect(parseNanos(text, sink)).toBe(fault);
});
