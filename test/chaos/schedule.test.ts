import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scheduleOf } from './schedule.ts';

const OPTIONS = { windows: 2, gapMs: 1_000, sessionTimeoutMs: 6_000 };

describe('schedule of a chaos run', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(scheduleOf({ ...OPTIONS, seed: 7, kills: 40 })).toEqual(scheduleOf({ ...OPTIONS, seed: 7, kills: 40 }));
    expect(scheduleOf({ ...OPTIONS, seed: 7, kills: 40 })).not.toEqual(scheduleOf({ ...OPTIONS, seed: 8, kills: 40 }));
  });

  it('holds the kills asked for and every kind of action, and acts only on processes that are there', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 5, max: 60 }), (seed, kills) => {
        const actions = scheduleOf({ ...OPTIONS, seed, kills }).map(({ action }) => action);
        const kinds = actions.map(({ kind }) => kind);
        expect(kinds.filter((kind) => kind === 'kill' || kind === 'kill_broker')).toHaveLength(kills);
        for (const kind of ['kill', 'kill_broker', 'stop_broker', 'pause'] as const) expect(kinds).toContain(kind);
        expect(kinds.some((kind) => kind === 'add' || kind === 'remove')).toBe(true);
        const killed = actions.flatMap((action) => (action.kind === 'kill' ? [action.target.split('-')[0]] : []));
        if (killed.length >= 3) expect(new Set(killed)).toEqual(new Set(['collector', 'windows', 'sink']));
        const there = new Set(['collector', 'sink', 'windows-1', 'windows-2']);
        for (const action of actions) {
          if (!('target' in action)) continue;
          expect(there.has(action.target)).toBe(action.kind !== 'add');
          if (action.kind === 'add') there.add(action.target);
          if (action.kind === 'remove') there.delete(action.target);
          expect([...there].some((name) => name.startsWith('windows'))).toBe(true);
        }
      }),
    );
  });
});
