import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EdgetapeError } from '#shared/errors.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';

const code = (work: () => unknown): string => {
  try {
    work();
    return 'accepted';
  } catch (error) {
    return error instanceof EdgetapeError ? error.code : `threw ${String(error)}`;
  }
};

it('QY-2 a cursor gives back its position, for its query only', () => {
  const position = fc.oneof(fc.maxSafeNat(), fc.string({ maxLength: 130 }));
  fc.assert(
    fc.property(position, fc.string(), fc.string(), (at, query, other) => {
      const kind = typeof at === 'string' ? 'string' : 'number';
      const cursor = encodeCursor(query, at);
      expect(cursor).toMatch(/^[\w-]+$/);
      expect(decodeCursor(query, cursor, kind)).toBe(at);
      if (other !== query) expect(code(() => decodeCursor(other, cursor, kind))).toBe('bad_cursor');
      expect(code(() => decodeCursor(query, cursor, kind === 'string' ? 'number' : 'string'))).toBe('bad_cursor');
    }),
  );
});

it('QY-2 ER-1 a cursor that was changed anywhere is bad_cursor, whatever was changed', () => {
  const whole = encodeCursor('bars?asx:BHP', 1_723_161_240_000);
  fc.assert(
    fc.property(
      fc.nat({ max: whole.length - 1 }),
      fc.constantFrom(...Array.from('ABCDwxyz0189-_=+/ é')),
      fc.nat({ max: 2 }),
      (at, char, how) => {
        const changed =
          how === 0
            ? whole.slice(0, at) + char + whole.slice(at + 1)
            : how === 1
              ? whole.slice(0, at)
              : whole.slice(0, at) + char + whole.slice(at);
        if (changed !== whole) expect(code(() => decodeCursor('bars?asx:BHP', changed, 'number'))).toBe('bad_cursor');
      },
    ),
    { numRuns: 500 },
  );
});

it('QY-2 ER-1 text that never was a cursor is bad_cursor', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 700 }), (text) => {
      expect(code(() => decodeCursor('q', text, 'number'))).toBe('bad_cursor');
    }),
  );
});
