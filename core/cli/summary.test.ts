import { expect, it } from 'vitest';
import { summaryLines, type ReplayFigures } from './summary.ts';

const FIGURES: ReplayFigures = {
  collector: {
    read: 133_820,
    accepted: { trades: 133_815, quotes: 0 },
    rejected: { too_long: 1, not_positive: 4 },
    ignored: 12,
    gaps: 2,
    sourcesDone: 1,
  },
  counts: {
    accepted: 133_815,
    reordered: 7,
    late: 3,
    tooLate: 1,
    duplicate: 5,
    cancelled: 2,
    corrected: 1,
    unknownReference: 4,
    rejected: 0,
  },
  bars: { provisional: 0, final: 1_200, revised: 3 },
  trades: 133_815,
  quotes: 0,
  elapsedMs: 500,
  cpuSeconds: 0.6,
};

it('WN-8 MD-9 says everything that was counted', () => {
  expect(summaryLines(FIGURES)).toEqual([
    'read       133,820 rows',
    'accepted   133,815 trades, 0 quotes',
    'rejected   5: not_positive 4, too_long 1',
    'ignored    12 messages of other kinds',
    'gaps       2 in trade ids',
    'order      7 reordered, 3 late, 1 recomputed, 5 duplicates',
    'changes    2 cancelled, 1 corrected, 4 naming an unknown trade',
    'bars       1,200 final, 3 revised, 0 provisional',
    'elapsed    0.50 s, CPU 0.60 s',
    'rate       267,630 trades/s, 4.5 CPU-seconds per million',
  ]);
});

it('says when there was nothing left to do', () => {
  const lines = summaryLines({ ...FIGURES, trades: 0 });
  expect(lines.at(-1)).toMatch(/replayed before/);
  expect(lines.some((line) => line.startsWith('rate'))).toBe(false);
});
