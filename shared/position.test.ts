import fc from 'fast-check';
import { expect, it } from 'vitest';
import { continuity, resumeFrom } from '#shared/position.ts';

const small = fc.integer({ min: 0, max: 20 });

it('SQ-2 applies exactly the ranges that continue what is held, and never leaves a hole', () => {
  fc.assert(
    fc.property(small, small, small, (have, seqFrom, length) => {
      const seq = seqFrom + length;
      const verdict = continuity({ epoch: 1, seq: have }, 1, seqFrom, seq);
      if (seq <= have) expect(verdict).toBe('duplicate');
      else if (seqFrom <= have + 1) expect(verdict).toBe('apply');
      else expect(verdict).toBe('gap');
    }),
  );
});

it('SQ-1 another epoch continues nothing', () => {
  expect(continuity({ epoch: 1, seq: 5 }, 2, 6, 7)).toBe('gap');
  expect(continuity(undefined, 2, 0, 7)).toBe('gap');
});

it('SQ-3 a position in the ring is caught up, any other gets a snapshot', () => {
  const now = { epoch: 3, seq: 100 };
  expect(resumeFrom({ epoch: 3, seq: 100 }, now, 40)).toBe('nothing');
  expect(resumeFrom({ epoch: 3, seq: 40 }, now, 40)).toBe('catchup');
  expect(resumeFrom({ epoch: 3, seq: 39 }, now, 40)).toBe('snapshot');
  expect(resumeFrom({ epoch: 3, seq: 101 }, now, 40)).toBe('snapshot');
  expect(resumeFrom({ epoch: 2, seq: 90 }, now, 40)).toBe('snapshot');
  expect(resumeFrom(undefined, now, 40)).toBe('snapshot');
});
