import { expect, it } from 'vitest';
import { ARRIVALS_PER_RANGE } from '#shared/ticks.ts';
import { EngineState } from './state.ts';

it('TK-1 what has come is known by range: the numbers of one collector say nothing of the rows of another', () => {
  const state = new EngineState();
  state.noteArrival(100);
  state.noteArrival(3 * ARRIVALS_PER_RANGE + 7);
  state.noteArrival(90);
  expect(state.hasArrived(100)).toBe(true);
  expect(state.hasArrived(101)).toBe(false);
  expect(state.hasArrived(3 * ARRIVALS_PER_RANGE + 7)).toBe(true);
  expect(state.hasArrived(3 * ARRIVALS_PER_RANGE + 8)).toBe(false);
  expect(state.hasArrived(2 * ARRIVALS_PER_RANGE)).toBe(false);
});
